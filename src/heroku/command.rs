//! Runs a program that prints a token: no shell, 10 seconds, 4 KiB, one line.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::Variables;

const TIME_MAX: Duration = Duration::from_secs(10);
const OUTPUT_BYTES_MAX: usize = 4096;

/// The one line that the program printed, or one phrase on why there is none.
pub(super) async fn line(
    words: &[String],
    variables: &Variables,
) -> Result<Zeroizing<Vec<u8>>, String> {
    line_within(TIME_MAX, words, variables).await
}

async fn line_within(
    time_max: Duration,
    words: &[String],
    variables: &Variables,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let (program, arguments) = words.split_first().ok_or("names no program")?;
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(variables)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("could not be started: {}", error.kind()))?;
    let result = timeout(time_max, output(&mut child)).await;
    let Ok(result) = result else {
        end(&mut child);
        return Err(format!("did not end within {time_max:?}"));
    };
    if result.is_err() {
        end(&mut child);
    }
    result
}

async fn output(child: &mut Child) -> Result<Zeroizing<Vec<u8>>, String> {
    let stdout = child.stdout.take().ok_or("has no output")?;
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
    match ended(child).await {
        // Its status went to the one reaper of all processes: what it printed has to do.
        None => Ok(output),
        Some(status) if status.success() => Ok(output),
        Some(status) => Err(match status.code() {
            Some(code) => format!("exited with code {code}"),
            None => "was ended by a signal".to_owned(),
        }),
    }
}

/// How it ended, unless somebody else was told. It has closed its output, so this takes a moment at
/// most.
async fn ended(child: &mut Child) -> Option<ExitStatus> {
    let mut pause = Duration::from_millis(1);
    loop {
        match child.try_wait() {
            Ok(None) => sleep(pause).await,
            Ok(Some(status)) => return Some(status),
            Err(_) => return None,
        }
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// Kills it if it is still ours to kill.
fn end(child: &mut Child) {
    if let Ok(None) = child.try_wait() {
        let ended: io::Result<()> = child.kill().and_then(|()| child.wait().map(drop));
        // ECHILD: the one reaper was quicker.
        drop(ended);
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
        let output = line_within(time_max, &words, &variables).await?;
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
            (
                &["/nonexistent/x"][..],
                "could not be started: entity not found",
            ),
            (&["false"], "exited with code 1"),
            (&["sh", "-c", "kill -9 $$"], "was ended by a signal"),
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
