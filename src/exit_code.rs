//! Every exit code of the program, in one place.

/// How `changeover` ends. The child's own end always wins over ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// 0: a command that supervises nothing has done its work.
    Success,
    /// The child's own code; 128+n when signal n ended it.
    Child(u8),
    /// 128+n: signal n ended the supervisor while there was no child.
    Signal(u8),
    /// 1: what was asked of a running supervisor is not done.
    Refused,
    /// 2: the command line makes no sense.
    Usage,
    /// 75 (`EX_TEMPFAIL`): no answer in time at the start; an outer manager should try again.
    NoAnswer,
    /// 75 (`EX_TEMPFAIL`): `--on-change exit` met a change.
    Changed,
    /// 78 (`EX_CONFIG`): trying again will not help: no token, token refused, app not found,
    /// variable unusable, no such user, no env file to be written, a socket that cannot be had.
    Config,
    /// 125: the supervisor itself failed.
    Internal,
    /// 125: the guard of `--max-restarts` tripped, and the child's own code would say success.
    RestartLimit,
    /// 126: the program was found and cannot be executed.
    NotExecutable,
    /// 127: the program was not found.
    NotFound,
}

impl ExitCode {
    /// The number that the operating system gets.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Child(code) => code,
            Self::Signal(signal) => 128 + signal,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::NoAnswer | Self::Changed => 75,
            Self::Config => 78,
            Self::Internal | Self::RestartLimit => 125,
            Self::NotExecutable => 126,
            Self::NotFound => 127,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}
