//! ACCEPTS connections, for every room that listens: so many at once, and the others wait in the
//! socket. What is said to them is the rooms' own business, and so is how long it may take.

use std::io;
use std::net::TcpListener as StdTcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// After a connection that could not be accepted: there may be no descriptor left for it.
const PAUSE: Duration = Duration::from_secs(1);

/// A socket that listens, in the event loop's hands.
pub trait Listener: Sized {
    /// Its connections.
    type Stream;

    /// This socket, which is bound already.
    ///
    /// # Errors
    /// When the event loop refuses it.
    fn new(socket: OwnedFd) -> io::Result<Self>;

    /// The next connection.
    fn next(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    fn new(socket: OwnedFd) -> io::Result<Self> {
        let socket = StdTcpListener::from(socket);
        socket.set_nonblocking(true)?;
        Self::from_std(socket)
    }

    async fn next(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.accept().await?;
        Ok(stream)
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    fn new(socket: OwnedFd) -> io::Result<Self> {
        let socket = StdUnixListener::from(socket);
        socket.set_nonblocking(true)?;
        Self::from_std(socket)
    }

    async fn next(&self) -> io::Result<UnixStream> {
        let (stream, _) = self.accept().await?;
        Ok(stream)
    }
}

/// Attends to connections, at most so many at once, without end.
pub async fn each<L, F>(listener: L, at_once: usize, attend: impl Fn(L::Stream) -> F)
where
    L: Listener,
    F: Future<Output = ()> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(at_once));
    while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
        let Ok(stream) = listener.next().await else {
            sleep(PAUSE).await;
            continue;
        };
        let attended = attend(stream);
        tokio::spawn(async move {
            attended.await;
            drop(permit);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::mpsc;
    use tokio::task::yield_now;

    /// Fails as one does that finds no descriptor, and then has a connection at any time.
    struct Crowded(AtomicUsize);

    impl Listener for Crowded {
        type Stream = usize;

        fn new(_: OwnedFd) -> io::Result<Self> {
            Ok(Self(AtomicUsize::new(0)))
        }

        async fn next(&self) -> io::Result<usize> {
            match self.0.fetch_add(1, Ordering::SeqCst) {
                0 => Err(io::Error::from_raw_os_error(24)),
                number => Ok(number),
            }
        }
    }

    #[tokio::test]
    async fn so_many_at_once_and_no_end_without_a_descriptor() {
        let (begins, mut begun) = mpsc::unbounded_channel();
        let gate = Arc::new(Semaphore::new(0));
        let (open, crowd) = (Arc::clone(&gate), Crowded(AtomicUsize::new(0)));
        let accepting = tokio::spawn(each(crowd, 2, move |number| {
            let (begins, open) = (begins.clone(), Arc::clone(&open));
            async move {
                begins.send(number).unwrap();
                open.acquire().await.unwrap().forget();
            }
        }));
        assert_eq!((begun.recv().await, begun.recv().await), (Some(1), Some(2)));
        for _ in 0..10 {
            yield_now().await;
        }
        assert!(begun.try_recv().is_err(), "a third one was let in");
        gate.add_permits(1);
        assert_eq!(begun.recv().await, Some(3));
        accepting.abort();
    }
}
