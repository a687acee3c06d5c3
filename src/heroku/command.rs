//! Runs a program that prints a token: no shell, 10 seconds, 4 KiB, one line.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::Variables;

const TIME_MAX: Duration = Duration::from_secs(10);
const OUTPUT_BYTES_MAX: usize = 4096;
/// How often the end is looked for once the output is closed.
const PAUSE: Duration = Duration::from_millis(2);
/// A status that the reaper has taken and not told after so many looks is lost.
const LOOKS_MAX: u32 = 500;

/// What is done to a helper program just before it is started, for what only another room may do.
#[derive(Clone, Copy, Debug)]
pub struct Prepare(pub fn(&mut Command));

impl Default for Prepare {
    /// Nothing.
    fn default() -> Self {
        Self(|_| ())
    }
}

/// How helper programs ended, for a process in which one reaper takes every status: it tells those
/// that are waited for here. In a process without one, nobody tells, and nobody needs to.
#[derive(Clone, Debug, Default)]
pub struct HelperEnds(Arc<Mutex<BTreeMap<u32, Option<End>>>>);

/// Well, or in a way that one phrase tells.
type End = Result<(), String>;

impl HelperEnds {
    /// A process ended with this code (128+n: by signal n). Not a helper's: forgotten at once.
    pub fn tell(&self, pid: u32, code: u8) {
        if let Some(end) = self.lock().get_mut(&pid) {
            *end = Some(judge(code.into()));
        }
    }

    /// How this process ends will be asked.
    pub fn expect(&self, pid: u32) {
        self.lock().insert(pid, None);
    }

    /// How it ended, once that is known.
    ///
    /// # Errors
    /// It did not end well: how, in one phrase.
    #[must_use]
    pub fn told(&self, pid: u32) -> Option<Result<(), String>> {
        self.lock().get(&pid).cloned().flatten()
    }

    /// Nobody asks any more.
    pub fn forget(&self, pid: u32) {
        self.lock().remove(&pid);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Option<End>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a program has printed no token, in one phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Silent {
    /// It cannot be started: waiting will not help.
    Hopeless(String),
    /// It failed: it may not the next time.
    Failed(String),
}

impl Silent {
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Hopeless(why) | Self::Failed(why) => why,
        }
    }
}

/// The one line that the program printed, or one phrase on why there is none. When the future is
/// dropped, the program is killed.
pub(super) async fn line(
    words: &[String],
    variables: &Variables,
    prepare: Prepare,
    ends: &HelperEnds,
) -> Result<Zeroizing<Vec<u8>>, Silent> {
    line_within(TIME_MAX, words, variables, prepare, ends).await
}

async fn line_within(
    time_max: Duration,
    words: &[String],
    variables: &Variables,
    prepare: Prepare,
    ends: &HelperEnds,
) -> Result<Zeroizing<Vec<u8>>, Silent> {
    let nameless = || Silent::Hopeless("names no program".to_owned());
    let (program, arguments) = words.split_first().ok_or_else(nameless)?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(variables)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    (prepare.0)(&mut command);
    let child = command.spawn();
    let child = child.map_err(|error| not_started(error.kind()))?;
    let mut helper = Helper::new(child, ends.clone());
    let result = timeout(time_max, helper.output()).await;
    match result {
        Ok(output) => output.map_err(Silent::Failed),
        Err(_) => Err(Silent::Failed(format!("did not end within {time_max:?}"))),
    }
}

fn not_started(kind: ErrorKind) -> Silent {
    let why = if kind == ErrorKind::NotFound {
        "was not found".to_owned()
    } else {
        format!("could not be started: {kind}")
    };
    // Processes may be scarce for a moment.
    if [ErrorKind::NotFound, ErrorKind::PermissionDenied].contains(&kind) {
        Silent::Hopeless(why)
    } else {
        Silent::Failed(why)
    }
}

/// A program that runs, killed on drop unless its end is known.
struct Helper {
    child: Child,
    ends: HelperEnds,
}

impl Helper {
    fn new(child: Child, ends: HelperEnds) -> Self {
        ends.expect(child.id());
        Self { child, ends }
    }

    async fn output(&mut self) -> Result<Zeroizing<Vec<u8>>, String> {
        let stdout = self.child.stdout.take().ok_or("has no output")?;
        let mut pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(stdout))
            .map_err(|error| format!("cannot be read: {}", error.kind()))?;
        // Full length from the start: growing would leave copies behind.
        let mut output = Zeroizing::new(vec![0; OUTPUT_BYTES_MAX + 1]);
        let mut length = 0;
        loop {
            let read = pipe.read(&mut output[length..]).await;
            match read.map_err(|error| format!("cannot be read: {}", error.kind()))? {
                0 => break,
                bytes => length += bytes,
            }
            if length > OUTPUT_BYTES_MAX {
                return Err("printed more than 4 KiB".to_owned());
            }
        }
        output.truncate(length);
        if output.trim_ascii().contains(&b'\n') {
            return Err("printed more than one line".to_owned());
        }
        self.ended().await?;
        Ok(output)
    }

    /// Waits for its end. It has closed its output, so this takes a moment at most.
    async fn ended(&mut self) -> End {
        let mut lost = 0;
        while lost < LOOKS_MAX {
            match self.end() {
                Some(end) => return end,
                None => lost += u32::from(self.child.try_wait().is_err()),
            }
            sleep(PAUSE).await;
        }
        Err("ended in a way that nobody was told".to_owned())
    }

    /// How it ended, as the reaper or the system tells.
    fn end(&mut self) -> Option<End> {
        let told = self.ends.told(self.child.id());
        told.or_else(|| self.child.try_wait().ok().flatten().map(status))
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if self.end().is_none() {
            // Not told and not waited for: the process id is still its own.
            let _ = self.child.kill();
            let _ = self.child.try_wait();
        }
        self.ends.forget(self.child.id());
    }
}

fn status(status: ExitStatus) -> End {
    judge(
        status
            .code()
            .or(status.signal().map(|n| 128 + n))
            .unwrap_or(1),
    )
}

fn judge(code: i32) -> End {
    match code {
        0 => Ok(()),
        129.. => Err(format!("was ended by signal {}", code - 128)),
        _ => Err(format!("exited with code {code}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(words: &[&str]) -> Result<String, String> {
        run_within(TIME_MAX, words).await
    }

    async fn run_within(time_max: Duration, words: &[&str]) -> Result<String, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let variables = Variables::from([
            ("PATH".into(), "/usr/bin:/bin".into()),
            ("SECRET".into(), "T".into()),
        ]);
        let output = line_within(
            time_max,
            &words,
            &variables,
            Prepare::default(),
            &HelperEnds::default(),
        )
        .await
        .map_err(|silent| silent.why().to_owned())?;
        Ok(String::from_utf8(output.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn what_it_prints_with_the_environment_given() {
        assert_eq!(run(&["sh", "-c", "echo $SECRET"]).await.unwrap(), "T\n");
        assert_eq!(run(&["printf", "%s", "a b"]).await.unwrap(), "a b");
    }

    #[tokio::test]
    async fn each_failure_has_its_words() {
        for (words, expected) in [
            (&["/nonexistent/x"][..], "was not found"),
            (&["/etc/passwd"], "could not be started: permission denied"),
            (&["false"], "exited with code 1"),
            (&["sh", "-c", "kill -9 $$"], "was ended by signal 9"),
            (&["printf", "a\\nb"], "printed more than one line"),
            (
                &["head", "-c", "5000", "/dev/zero"],
                "printed more than 4 KiB",
            ),
            (&["yes"], "printed more than 4 KiB"),
        ] {
            assert_eq!(run(words).await.unwrap_err(), expected, "{words:?}");
        }
    }

    #[tokio::test]
    async fn one_that_does_not_end_is_killed() {
        let short = Duration::from_millis(100);
        for words in [&["sleep", "100"][..], &["sh", "-c", "exec >&- sleep 100"]] {
            let error = run_within(short, words).await.unwrap_err();
            assert_eq!(error, "did not end within 100ms", "{words:?}");
        }
    }
}
