//! Why a command ended before, or instead of, its program: one sentence, and an exit code.

use std::io;

use thiserror::Error;

use crate::config::UsageError;
use crate::credential::phrase;
use crate::exit_code::ExitCode;
use crate::heroku::SetupError;
use crate::process::ListenError;
use crate::process::identity::IdentityError;
use crate::supervisor::event::SpawnError;

/// What went wrong before anything was started.
#[derive(Debug, Error)]
pub enum Failure {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(#[from] UsageError),
    /// The configuration cannot work on this machine.
    #[error("{0}")]
    Setup(#[from] SetupError),
    /// `--user` names nobody.
    #[error("{0}")]
    Identity(#[from] IdentityError),
    /// `--listen` names what cannot be bound, or sockets that were passed on are not there.
    #[error("{0}")]
    Listen(#[from] ListenError),
    /// What was fetched cannot be used as asked.
    #[error("{0}")]
    Unusable(String),
    /// The program cannot be started.
    #[error("{}", program_sentence(.program, .error))]
    Program {
        /// The command as given.
        program: String,
        /// Why.
        error: SpawnError,
    },
    /// What was asked of a supervisor is not done.
    #[error("{0}")]
    Refused(String),
    /// No usable answer came; the log has told why.
    #[error("exit code {}", .0.number())]
    Told(ExitCode),
    /// What was asked for cannot be printed.
    #[error(
        "standard output cannot be written ({0}), so what was asked for is not all there: see where it leads"
    )]
    Output(io::Error),
    /// The system refused what no supervisor can do without.
    #[error(
        "the system refused what changeover needs ({0}); nothing was started; see whether this machine is out of files or memory"
    )]
    System(#[from] io::Error),
}

impl Failure {
    /// The exit code that goes with it.
    #[must_use]
    pub fn code(&self) -> ExitCode {
        match self {
            Self::Told(code) => *code,
            Self::Refused(_) => ExitCode::Refused,
            Self::Usage(_) | Self::Listen(ListenError::InTheWay(_)) => ExitCode::Usage,
            Self::Setup(_)
            | Self::Identity(_)
            | Self::Listen(ListenError::Inherited { .. } | ListenError::Refused { .. })
            | Self::Unusable(_)
            | Self::Program {
                error: SpawnError::Unwritable { .. },
                ..
            } => ExitCode::Config,
            Self::Program {
                error: SpawnError::NotFound,
                ..
            } => ExitCode::NotFound,
            Self::Program {
                error: SpawnError::NotExecutable { .. },
                ..
            } => ExitCode::NotExecutable,
            Self::Program {
                error: SpawnError::Failed { .. },
                ..
            }
            | Self::Output(_)
            | Self::System(_) => ExitCode::Internal,
        }
    }
}

/// Who forgets `env` writes a variable's value where the program belongs: it may be a URL with a
/// password.
fn program_sentence(program: &str, error: &SpawnError) -> String {
    let program = phrase(program);
    match error {
        SpawnError::Unwritable { detail } => format!("nothing was started: {detail}"),
        SpawnError::NotFound => {
            format!(
                "{program} was not found, so nothing was started; check the command after -- and PATH"
            )
        }
        SpawnError::NotExecutable { detail } => {
            format!(
                "{program} cannot be executed ({detail}), so nothing was started; check its permissions and its first line"
            )
        }
        SpawnError::Failed { detail } => {
            format!(
                "{program} could not be started ({detail}); see whether this machine is out of processes or memory"
            )
        }
    }
}
