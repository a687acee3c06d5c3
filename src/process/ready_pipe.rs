//! s6's way to tell readiness, from its other end: a newline that the child writes to a descriptor
//! that it was started with.

use std::io::{self, ErrorKind, pipe};
use std::os::fd::OwnedFd;

use tokio::net::unix::pipe::Receiver;

/// Read at a time. What comes before the newline is not kept.
const CHUNK_BYTES: usize = 512;

/// The reading end, for one instance.
#[derive(Debug)]
pub struct ReadyPipe(Receiver);

/// What became of a ready pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// A newline came: the instance serves.
    Newline,
    /// The last process that could write one has closed its descriptor: none will come.
    Nothing,
}

impl ReadyPipe {
    /// A pipe's two ends; the second is the child's, to be closed here as soon as the child has it.
    /// To be called inside the event loop.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn open() -> io::Result<(Self, OwnedFd)> {
        let (reader, writer) = pipe()?;
        Ok((Self(Receiver::from_owned_fd(reader.into())?), writer.into()))
    }

    /// Waits for a newline or the end. Drop the pipe then, as s6 does: whatever a child writes to
    /// it later has no reader. Nothing but bytes before the newline is lost when this is dropped.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn hear(&self) -> io::Result<Said> {
        let mut chunk = [0; CHUNK_BYTES];
        loop {
            self.0.readable().await?;
            match self.0.try_read(&mut chunk) {
                Ok(0) => return Ok(Said::Nothing),
                Ok(read) if chunk.iter().take(read).any(|byte| *byte == b'\n') => {
                    return Ok(Said::Newline);
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::time::Duration;

    use tokio::runtime;
    use tokio::time::timeout;

    use super::*;

    fn with_pipe(test: impl AsyncFnOnce(&ReadyPipe, File)) {
        let mut builder = runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap().block_on(async {
            let (pipe, writer) = ReadyPipe::open().unwrap();
            test(&pipe, File::from(writer)).await;
        });
    }

    #[test]
    fn ready_at_the_first_newline_and_not_before() {
        with_pipe(async |pipe, mut writer| {
            writer.write_all(&[b'x'; 3 * CHUNK_BYTES]).unwrap();
            let early = timeout(Duration::from_millis(20), pipe.hear()).await;
            assert!(early.is_err(), "no newline yet: {early:?}");
            writer.write_all(b"up\nand more").unwrap();
            assert_eq!(pipe.hear().await.unwrap(), Said::Newline);
        });
    }

    #[test]
    fn the_end_without_a_newline_says_that_none_will_come() {
        with_pipe(async |pipe, mut writer| {
            let copy = writer.try_clone().unwrap();
            writer.write_all(b"almost").unwrap();
            drop(writer);
            let early = timeout(Duration::from_millis(20), pipe.hear()).await;
            assert!(early.is_err(), "another process has it: {early:?}");
            drop(copy);
            assert_eq!(pipe.hear().await.unwrap(), Said::Nothing);
        });
    }
}
