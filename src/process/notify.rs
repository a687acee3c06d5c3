//! systemd's notification protocol, from its other end: the socket that a child finds in
//! `NOTIFY_SOCKET`, one per instance, and what its processes say there.
//!
//! The socket has a name in the network namespace and no file: nothing to create, to own or to
//! leave behind, whatever the child's user or root directory. Everybody in that namespace can send
//! to it (and fill its queue, but for a moment). What protects is the sender's process id, which
//! the kernel vouches for, in our own process namespace: only the instance's tree is heard. A child
//! in another network namespace does not reach it.
//!
//! A sender that has ended by the time it is looked up has no ancestry any more, and a script's
//! `systemd-notify` lives for milliseconds: then the child's user, the kernel's word too, stands
//! for it. A stranger of that user could as well trace or kill the child.

use std::io::{self, ErrorKind, IoSliceMut};
use std::mem::offset_of;
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram as StdSocket};

use nix::sys::socket::{self, MsgFlags, UnixAddr, sockopt};
use nix::{cmsg_space, unistd};
use tokio::io::Interest;
use tokio::net::UnixDatagram;

use crate::credential::phrase;
use crate::supervisor::readiness::Word;
use crate::supervisor::time::Duration;

use super::procfs::Process;

/// Longer datagrams are dropped, as systemd does.
const DATAGRAM_BYTES_MAX: usize = 4096;

/// So many datagrams are read before others have their turn.
const DATAGRAMS_MAX: usize = 16;

/// What `sun_path` holds beside the leading zero.
const NAME_BYTES_MAX: usize = 107;

/// The receiving end, for one instance.
#[derive(Debug)]
pub struct NotifySocket {
    socket: UnixDatagram,
    address: String,
    uid: u32,
}

/// Who sent a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sender {
    /// 0: outside our process namespace.
    pid: u32,
    uid: u32,
}

impl NotifySocket {
    /// Opens a socket whose name is derived from an instance's mark. `user`: who the child will be;
    /// `None`: who we are. To be called inside the event loop.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn bind(mark: &str, user: Option<u32>) -> io::Result<Self> {
        let name = format!("changeover/{mark}");
        let socket = match SocketAddr::from_abstract_name(&name)
            .and_then(|name| StdSocket::bind_addr(&name))
        {
            Ok(socket) => socket,
            // Another process namespace on the same network has a supervisor of the same mark, or
            // somebody sits on the name: the kernel finds a free one.
            Err(_) => bind_anywhere()?,
        };
        socket::setsockopt(&socket, sockopt::PassCred, &true)?;
        socket.set_nonblocking(true)?;
        let bound = socket.local_addr()?;
        let name = bound.as_abstract_name().unwrap_or_default();
        debug_assert!(name.len() <= NAME_BYTES_MAX);
        Ok(Self {
            address: format!("@{}", String::from_utf8_lossy(name)),
            socket: UnixDatagram::from_std(socket)?,
            uid: user.unwrap_or_else(|| unistd::geteuid().as_raw()),
        })
    }

    /// What `NOTIFY_SOCKET` says.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits for datagrams, and returns what those of the instance say, in their order: nothing
    /// when they were a stranger's, or said nothing that we know. `is_member` tells whether a
    /// living process belongs to the instance. Nothing is lost when this is dropped.
    ///
    /// # Errors
    /// When the system refuses. `is_passing` tells whether it may not the next time; if not, the
    /// socket is of no use any more.
    pub async fn hear(&self, is_member: impl Fn(u32) -> bool) -> io::Result<Vec<Word>> {
        self.socket.readable().await?;
        let (mut words, mut buffer) = (Vec::new(), [0; DATAGRAM_BYTES_MAX]);
        for _ in 0..DATAGRAMS_MAX {
            let read = || receive(self.socket.as_raw_fd(), &mut buffer);
            match self.socket.try_io(Interest::READABLE, read) {
                // Before the next is read: `BARRIER=1` lets the sender go on, and end.
                Ok((Some(sender), bytes)) if self.heeds(sender, &is_member) => {
                    words.extend(read_words(buffer.get(..bytes).unwrap_or_default()));
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if words.is_empty() => return Err(error),
                // What came before it is told first; it comes again.
                Err(_) => break,
            }
        }
        Ok(words)
    }

    fn heeds(&self, sender: Sender, is_member: impl Fn(u32) -> bool) -> bool {
        let lives = || Process::read(sender.pid).is_some_and(|process| !process.is_zombie());
        sender.pid != 0 && (is_member(sender.pid) || (!lives() && sender.uid == self.uid))
    }
}

/// Whether reading a socket failed for want of memory.
#[must_use]
pub fn is_passing(error: &io::Error) -> bool {
    let passing = [libc::ENOBUFS, libc::ENOMEM];
    error
        .raw_os_error()
        .is_some_and(|errno| passing.contains(&errno))
}

fn bind_anywhere() -> io::Result<StdSocket> {
    let socket = StdSocket::unbound()?;
    socket::bind(socket.as_raw_fd(), &UnixAddr::new_unnamed())?;
    Ok(socket)
}

/// One datagram's sender and length; one that is too long is empty.
///
/// There is no room for descriptors that come along (`FDSTORE=1`, `BARRIER=1`): the kernel closes
/// them, and they never are in our table. For the same reason nix calls the answer cut off and
/// gives nothing of it away, so the credentials, which come first, are read here.
fn receive(socket: i32, buffer: &mut [u8]) -> io::Result<(Option<Sender>, usize)> {
    let mut control = cmsg_space!(libc::ucred);
    let (bytes, is_cut) = {
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
        let read = socket::recvmsg::<()>(socket, &mut parts, Some(&mut control), flags)?;
        (read.bytes, read.flags.contains(MsgFlags::MSG_TRUNC))
    };
    let bytes = if is_cut { 0 } else { bytes };
    Ok((read_sender(&control), bytes))
}

/// The sender in the first control message.
fn read_sender(control: &[u8]) -> Option<Sender> {
    const DATA: usize = size_of::<libc::cmsghdr>().next_multiple_of(align_of::<usize>());
    let word = |at: usize| {
        let bytes = control.get(at..at + 4)?;
        Some(i32::from_ne_bytes(bytes.try_into().ok()?))
    };
    let level = word(offset_of!(libc::cmsghdr, cmsg_level))?;
    let kind = word(offset_of!(libc::cmsghdr, cmsg_type))?;
    if (level, kind) != (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) {
        return None;
    }
    let pid = word(DATA + offset_of!(libc::ucred, pid))?;
    let uid = word(DATA + offset_of!(libc::ucred, uid))?;
    Some(Sender {
        pid: u32::try_from(pid).ok()?,
        uid: uid.cast_unsigned(),
    })
}

/// What the lines of a datagram mean. Those that we do not know, and those that are not the child's
/// to say (`MAINPID=`, `FDSTORE=1`, `WATCHDOG_USEC=`), mean nothing.
pub(super) fn read_words(datagram: &[u8]) -> Vec<Word> {
    let lines = datagram.split(|byte| matches!(byte, b'\n' | 0));
    lines.filter_map(read_word).collect()
}

fn read_word(line: &[u8]) -> Option<Word> {
    if let Some(status) = line.strip_prefix(b"STATUS=") {
        return Some(Word::Status(phrase(&String::from_utf8_lossy(status))));
    }
    match str::from_utf8(line).ok()?.split_once('=')? {
        ("READY", "1") => Some(Word::Ready),
        ("STOPPING", "1") => Some(Word::Stopping),
        ("WATCHDOG", "1") => Some(Word::Alive),
        ("WATCHDOG", "trigger") => Some(Word::Trip),
        ("EXTEND_TIMEOUT_USEC", micros) => {
            let micros = micros.parse().ok()?;
            Some(Word::ExtendTimeout(Duration::from_micros(micros)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::process;

    use tokio::runtime;
    use tokio::time::timeout;

    use super::*;

    fn run<T>(test: impl Future<Output = T>) -> T {
        let mut builder = runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap().block_on(test)
    }

    /// Other test processes share the network.
    fn mark(test: &str) -> String {
        format!("{}.{test}", process::id())
    }

    fn bind(test: &str) -> NotifySocket {
        NotifySocket::bind(&mark(test), None).unwrap()
    }

    fn peer(socket: &NotifySocket) -> StdSocket {
        let name = socket.address().strip_prefix('@').unwrap();
        let peer = StdSocket::unbound().unwrap();
        let address = SocketAddr::from_abstract_name(name).unwrap();
        peer.connect_addr(&address).unwrap();
        peer
    }

    /// What is heard until nothing is left.
    async fn heard(socket: &NotifySocket, is_member: impl Fn(u32) -> bool) -> Vec<Word> {
        let mut words = Vec::new();
        loop {
            let next = timeout(Duration::from_millis(50), socket.hear(&is_member));
            match next.await {
                Ok(said) => words.extend(said.unwrap()),
                Err(_) => return words,
            }
        }
    }

    #[test]
    fn lines_become_words_and_nonsense_nothing() {
        let said =
            b"READY=1\nSTATUS=up\nMAINPID=7\n\nREADY=yes\nREADY\nWATCHDOG=1\nWATCHDOG=trigger\n\
            EXTEND_TIMEOUT_USEC=1500000\nEXTEND_TIMEOUT_USEC=18446744073709551616\nFDSTORE=1\n\
            EXTEND_TIMEOUT_USEC=-1\n\xff=1\nBARRIER=1\nSTOPPING=1\0";
        let expected = [
            Word::Ready,
            Word::Status("up".to_owned()),
            Word::Alive,
            Word::Trip,
            Word::ExtendTimeout(Duration::from_millis(1500)),
            Word::Stopping,
        ];
        assert_eq!(read_words(said), expected);
    }

    #[test]
    fn a_status_is_cleaned_and_cut() {
        let status = |said: &[u8]| match &read_words(said)[..] {
            [Word::Status(status)] => status.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(status(b"STATUS=a\xffb\x1b[2J"), "a\u{fffd}b\\u{1b}[2J");
        assert_eq!(status(b"STATUS="), "");
        assert_eq!(
            status(b"STATUS=to postgres://u:p@h/d"),
            "to postgres://***@h/d"
        );
        let long = [b"STATUS=".as_slice(), "é".repeat(1000).as_bytes()].concat();
        assert!(status(&long).len() <= 256);
    }

    #[test]
    fn only_the_tree_is_heard() {
        run(async {
            let socket = bind("tree");
            assert_eq!(socket.address(), format!("@changeover/{}", mark("tree")));
            let peer = peer(&socket);
            peer.send(b"READY=1").unwrap();
            assert_eq!(heard(&socket, |_| false).await, [], "a living stranger");
            peer.send(b"READY=1\nSTATUS=a").unwrap();
            peer.send(b"STOPPING=1").unwrap();
            let own = process::id();
            let expected = [Word::Ready, Word::Status("a".to_owned()), Word::Stopping];
            assert_eq!(heard(&socket, |pid| pid == own).await, expected);
        });
    }

    #[test]
    fn a_sender_that_is_gone_counts_by_its_user() {
        run(async {
            let socket = bind("gone");
            let gone = Sender {
                pid: i32::MAX.unsigned_abs(),
                uid: socket.uid,
            };
            assert!(socket.heeds(gone, |_| false));
            let other = Sender {
                uid: socket.uid + 1,
                ..gone
            };
            assert!(!socket.heeds(other, |_| false));
            assert!(
                !socket.heeds(Sender { pid: 0, ..gone }, |_| true),
                "no pid of ours"
            );
        });
    }

    #[test]
    fn too_much_is_dropped_and_each_turn_is_bounded() {
        run(async {
            let socket = bind("long");
            let peer = peer(&socket);
            let mut long = b"READY=1\n".to_vec();
            long.resize(DATAGRAM_BYTES_MAX, b'x');
            peer.send(&long).unwrap();
            assert_eq!(heard(&socket, |_| true).await, [Word::Ready]);
            long.push(b'x');
            peer.send(&long).unwrap();
            peer.send(b"").unwrap();
            assert_eq!(heard(&socket, |_| true).await, []);
            peer.set_nonblocking(true).unwrap();
            let mut sent = 0;
            while sent <= DATAGRAMS_MAX && peer.send(b"WATCHDOG=1").is_ok() {
                sent += 1;
            }
            let first = socket.hear(|_| true).await.unwrap();
            assert_eq!(first.len(), sent.min(DATAGRAMS_MAX));
        });
    }

    #[test]
    fn descriptors_that_come_along_are_closed_at_once() {
        run(async {
            let socket = bind("rights");
            let peer = peer(&socket);
            let (reader, writer) = nix::unistd::pipe().unwrap();
            let send = |text: &[u8]| {
                let fds = [writer.as_raw_fd(), writer.as_raw_fd()];
                let rights = [socket::ControlMessage::ScmRights(&fds)];
                let parts = [io::IoSlice::new(text)];
                let flags = MsgFlags::empty();
                socket::sendmsg::<()>(peer.as_raw_fd(), &parts, &rights, flags, None).unwrap();
            };
            send(b"BARRIER=1");
            send(b"READY=1\nFDSTORE=1");
            drop(writer);
            assert_eq!(heard(&socket, |_| true).await, [Word::Ready]);
            // Every copy is gone: the end of the pipe is seen, and nobody waits for it.
            let mut byte = [0];
            assert_eq!(unistd::read(&reader, &mut byte), Ok(0));
        });
    }

    #[test]
    fn a_want_of_memory_passes_and_nothing_else_does() {
        let is_passing = |errno| is_passing(&io::Error::from_raw_os_error(errno));
        assert!(is_passing(libc::ENOMEM) && is_passing(libc::ENOBUFS));
        assert!(!is_passing(libc::EBADF) && !is_passing(libc::ENOTSOCK));
    }

    #[test]
    fn a_name_that_is_taken_is_no_obstacle() {
        run(async {
            let first = bind("taken");
            let second = bind("taken");
            assert_ne!(first.address(), second.address());
            peer(&second).send(b"READY=1").unwrap();
            assert_eq!(heard(&second, |_| true).await, [Word::Ready]);
            assert_eq!(heard(&first, |_| true).await, []);
        });
    }
}
