//! The sockets that outlive every instance: bound once by the supervisor, or inherited from
//! systemd. Connections that come while no instance runs wait in them instead of being refused.

mod socket_file;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, ToSocketAddrs};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrLike, SockaddrStorage, UnixAddr, bind,
    getsockname, getsockopt, listen, setsockopt, socket, sockopt,
};
use nix::sys::stat::{Mode, umask};
use nix::unistd::close;
use thiserror::Error;

use super::identity::Identity;
use super::spawn::{FIRST_SOCKET, duplicate, is_inheritable};
use socket_file::{Occupied, SocketFile};

/// The supervisor's own copies lie no lower: a child puts them where it wants them, one by one, and
/// none may be in the way of another.
const FLOOR_MIN: RawFd = 64;

/// systemd's name for a socket that has none.
pub const UNNAMED: &str = "unknown";

const LISTEN: &str = "--listen (CHANGEOVER_LISTEN)";

/// Why a socket cannot be had.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ListenError {
    /// What whoever started us says of the sockets that it left open is not so.
    #[error(
        "LISTEN_FDS is {count:?}, but {detail}, so the sockets that changeover was started with cannot be told and \
         nothing was started: mend what starts it, or unset LISTEN_PID"
    )]
    Inherited {
        /// Its value.
        count: String,
        /// What is wrong.
        detail: String,
    },
    /// Where a socket belongs, the program expects something else.
    #[error(
        "changeover was started with descriptor {0} open, and the program finds a socket of --listen (CHANGEOVER_LISTEN) \
         there, so it would lose one of them: close it for changeover ({0}<&- in a shell), or give it another number"
    )]
    InTheWay(RawFd),
    /// A socket of `--listen`, or of another option.
    #[error("{option} names {address}, {why}, so nothing was started: {mend}")]
    Refused {
        /// Which.
        option: &'static str,
        /// As given.
        address: String,
        /// Why.
        why: String,
        /// What to do.
        mend: &'static str,
    },
}

/// All sockets, in the order in which a program finds them. Dropping this removes the files of
/// those that have one.
#[derive(Debug)]
pub struct Listeners {
    /// Names them to people.
    option: &'static str,
    /// Dropped before the sockets: as long as these are open, no other file gets their files'
    /// numbers.
    files: Vec<SocketFile>,
    floor: RawFd,
    names: Vec<String>,
    sockets: Vec<Arc<OwnedFd>>,
}

impl Listeners {
    /// Those that whoever started us passed on, as systemd does it. They come first; `more` is how
    /// many will follow.
    ///
    /// # Errors
    /// When they are not what the environment says, or something else lies where the others belong.
    pub fn inherit(
        variables: &BTreeMap<OsString, OsString>,
        more: usize,
    ) -> Result<Self, ListenError> {
        let names = inherited_names(variables)?;
        let all = RawFd::try_from(names.len() + more).unwrap_or(RawFd::MAX - FIRST_SOCKET);
        let mut listeners = Self {
            option: LISTEN,
            files: Vec::new(),
            floor: FLOOR_MIN.max(FIRST_SOCKET + all),
            names: Vec::new(),
            sockets: Vec::new(),
        };
        let numbers = FIRST_SOCKET..FIRST_SOCKET + all;
        let (inherited, free) = (numbers.clone().take(names.len()), numbers.skip(names.len()));
        if let Some(other) = free.into_iter().find(|fd| is_inheritable(*fd)) {
            return Err(ListenError::InTheWay(other));
        }
        for (name, number) in names.into_iter().zip(inherited) {
            let not_had = |detail: String| ListenError::Inherited {
                count: text(variables, "LISTEN_FDS").to_owned(),
                detail,
            };
            if !is_inheritable(number) {
                return Err(not_had(format!("descriptor {number} is not open")));
            }
            let moved = duplicate(number, listeners.floor);
            let moved = moved.map_err(|errno| not_had(errno.desc().to_owned()))?;
            // Programs that we start besides the instances have no use for it.
            let _ = close(number);
            listeners.add(name, moved);
        }
        Ok(listeners)
    }

    /// Those of this option, which are for no program: they lie where the others do.
    #[must_use]
    pub fn of(option: &'static str) -> Self {
        Self {
            option,
            files: Vec::new(),
            floor: FLOOR_MIN,
            names: Vec::new(),
            sockets: Vec::new(),
        }
    }

    /// One more, bound to a TCP port. An empty host stands for every address of this machine; of a
    /// host with several addresses the first IPv4 one counts, else the first. Returns what it is
    /// bound to.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub fn bind_tcp(&mut self, name: String, host: &str, port: u16) -> Result<String, ListenError> {
        let given = match host {
            host if host.contains(':') => format!("[{host}]:{port}"),
            host => format!("{host}:{port}"),
        };
        let bound = if host.is_empty() {
            listen_everywhere(port)
        } else {
            listen_tcp(
                resolve(host, port).map_err(|why| why.of(self.option, &given))?,
                Family::AsItIs,
            )
        };
        let socket = bound
            .and_then(|socket| self.raise(&socket))
            .map_err(|errno| tcp_refused(port, errno).of(self.option, &given))?;
        let local = getsockname::<SockaddrStorage>(socket.as_raw_fd());
        self.add(name, socket);
        Ok(local.map_or(given, |local| local.to_string()))
    }

    /// One more, bound to a path, which becomes `owner`'s. A file that an earlier life left there
    /// is replaced.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub fn bind_unix(
        &mut self,
        name: String,
        path: &Path,
        owner: Option<&Identity>,
    ) -> Result<(), ListenError> {
        let option = self.option;
        let refused = |errno: Errno| unix_refused(errno).of(option, &quoted(path));
        if let Err(why) = socket_file::remove_stale(path) {
            return Err(unix_occupied(why).of(option, &quoted(path)));
        }
        let address = UnixAddr::new(path).map_err(refused)?;
        let socket = new_socket(AddressFamily::Unix, SockFlag::empty()).map_err(refused)?;
        bind(socket.as_raw_fd(), &address).map_err(refused)?;
        self.files
            .push(SocketFile::of(path, owner).map_err(refused)?);
        listen(&socket, Backlog::MAXCONN).map_err(refused)?;
        let socket = self.raise(&socket).map_err(refused)?;
        self.add(name, socket);
        Ok(())
    }

    /// One more, bound to a path, for us and root alone.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub fn bind_private(&mut self, path: &Path) -> Result<(), ListenError> {
        // Before there is a second thread: the mask is the whole process's.
        let before = umask(Mode::S_IRWXG | Mode::S_IRWXO | Mode::S_IXUSR);
        let bound = self.bind_unix(UNNAMED.to_owned(), path, None);
        umask(before);
        bound
    }

    /// The sockets, in order.
    #[must_use]
    pub fn sockets(&self) -> Vec<Arc<OwnedFd>> {
        self.sockets.clone()
    }

    /// Their names, in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Where those listen that accept TCP connections.
    #[must_use]
    pub fn tcp_addresses(&self) -> Vec<SocketAddr> {
        let listens =
            |socket: &&Arc<OwnedFd>| getsockopt(*socket, sockopt::AcceptConn).unwrap_or_default();
        let address = |socket: &Arc<OwnedFd>| {
            let bound = getsockname::<SockaddrStorage>(socket.as_raw_fd()).ok()?;
            let four = bound
                .as_sockaddr_in()
                .map(|&four| SocketAddrV4::from(four).into());
            four.or_else(|| {
                bound
                    .as_sockaddr_in6()
                    .map(|&six| SocketAddrV6::from(six).into())
            })
        };
        self.sockets
            .iter()
            .filter(listens)
            .filter_map(address)
            .collect()
    }

    fn add(&mut self, name: String, socket: OwnedFd) {
        self.names.push(name);
        self.sockets.push(Arc::new(socket));
    }

    fn raise(&self, socket: &OwnedFd) -> Result<OwnedFd, Errno> {
        duplicate(socket.as_raw_fd(), self.floor)
    }
}

/// The names of the sockets that we were started with; none when they are another process's.
fn inherited_names(variables: &BTreeMap<OsString, OsString>) -> Result<Vec<String>, ListenError> {
    let ours = text(variables, "LISTEN_PID").parse() == Ok(std::process::id());
    let count = text(variables, "LISTEN_FDS");
    if !ours || count.is_empty() {
        return Ok(Vec::new());
    }
    let number: u16 = count.parse().map_err(|_| ListenError::Inherited {
        count: count.to_owned(),
        detail: "that is no number of descriptors".to_owned(),
    })?;
    let number = usize::from(number);
    let names: Vec<String> = text(variables, "LISTEN_FDNAMES")
        .split(':')
        .map(str::to_owned)
        .collect();
    // Whose number is another says nothing about any of them.
    let fits = names.len() == number && names.iter().all(|name| !name.is_empty());
    Ok(if fits {
        names
    } else {
        vec![UNNAMED.to_owned(); number]
    })
}

fn text<'a>(variables: &'a BTreeMap<OsString, OsString>, name: &str) -> &'a str {
    let value = variables.get(OsStr::new(name));
    value.and_then(|value| value.to_str()).unwrap_or_default()
}

fn new_socket(family: AddressFamily, flags: SockFlag) -> Result<OwnedFd, Errno> {
    socket(
        family,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC | flags,
        None,
    )
}

/// Whether an IPv6 socket takes IPv4 connections, too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    /// As the system is set up.
    AsItIs,
    /// It does.
    Both,
}

fn listen_tcp(address: SocketAddr, family: Family) -> Result<OwnedFd, Errno> {
    let address = SockaddrStorage::from(address);
    let of = address.family().unwrap_or(AddressFamily::Inet);
    let socket = new_socket(of, SockFlag::empty())?;
    // Connections of an earlier life may still be closing.
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    if family == Family::Both {
        setsockopt(&socket, sockopt::Ipv6V6Only, &false)?;
    }
    bind(socket.as_raw_fd(), &address)?;
    // 4096, or what net.core.somaxconn allows.
    listen(&socket, Backlog::MAXCONN)?;
    Ok(socket)
}

/// On a machine without IPv6, every address is every IPv4 address.
fn listen_everywhere(port: u16) -> Result<OwnedFd, Errno> {
    match listen_tcp((Ipv6Addr::UNSPECIFIED, port).into(), Family::Both) {
        Err(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL) => {
            listen_tcp((Ipv4Addr::UNSPECIFIED, port).into(), Family::AsItIs)
        }
        bound => bound,
    }
}

/// Why a socket cannot be bound, and what to do.
struct Obstacle {
    why: String,
    mend: &'static str,
}

impl Obstacle {
    fn of(self, option: &'static str, address: &str) -> ListenError {
        let Self { why, mend } = self;
        let address = address.to_owned();
        ListenError::Refused {
            option,
            address,
            why,
            mend,
        }
    }
}

fn resolve(host: &str, port: u16) -> Result<SocketAddr, Obstacle> {
    let unknown = |why: String| Obstacle {
        why,
        mend: "write an address of this machine, or a name that it knows",
    };
    let found = (host, port).to_socket_addrs();
    let found: Vec<SocketAddr> = found
        .map_err(|error| unknown(format!("and that host cannot be looked up ({error})")))?
        .collect();
    let first = found.iter().find(|address| address.is_ipv4());
    let first = first.or_else(|| found.first()).copied();
    first.ok_or_else(|| unknown("and that host has no address".to_owned()))
}

fn tcp_refused(port: u16, errno: Errno) -> Obstacle {
    let (why, mend) = if errno == Errno::EADDRINUSE {
        (
            "which another program or another --listen has already".to_owned(),
            "stop that one, or choose another port",
        )
    } else if errno == Errno::EACCES && port < 1024 {
        (
            "and only root may listen below port 1024 here".to_owned(),
            "choose a higher port, or start changeover as root with --user",
        )
    } else if errno == Errno::EADDRNOTAVAIL {
        (
            "which is no address of this machine".to_owned(),
            "write one of its own, or :PORT for all of them",
        )
    } else {
        (
            format!("and the system refuses ({})", errno.desc()),
            "choose another address",
        )
    };
    Obstacle { why, mend }
}

fn unix_refused(errno: Errno) -> Obstacle {
    let absent = [Errno::ENOENT, Errno::ENOTDIR].contains(&errno);
    let forbidden = [Errno::EACCES, Errno::EPERM, Errno::EROFS].contains(&errno);
    let (why, mend) = if absent {
        (
            "whose directory does not exist".to_owned(),
            "create it, or choose another path",
        )
    } else if forbidden {
        (
            format!("where changeover may create no file ({})", errno.desc()),
            "choose another directory, or change its permissions",
        )
    } else if errno == Errno::EADDRINUSE {
        return unix_occupied(Occupied::Appeared);
    } else if errno == Errno::ENAMETOOLONG {
        (
            "which is longer than the 107 bytes that a unix socket's path can have".to_owned(),
            "choose a shorter one",
        )
    } else {
        (
            format!("and the system refuses ({})", errno.desc()),
            "choose another path",
        )
    };
    Obstacle { why, mend }
}

fn unix_occupied(why: Occupied) -> Obstacle {
    let stop = "stop that one, or choose another path";
    let (why, mend) = match why {
        Occupied::NoSocket => (
            "where something else than a socket lies".to_owned(),
            "move it away, or choose another path",
        ),
        Occupied::Listening => ("where another program listens already".to_owned(), stop),
        Occupied::Appeared => (
            "where another program has just begun to listen".to_owned(),
            stop,
        ),
        Occupied::Unknown(errno) => (
            format!(
                "and whether another program listens there cannot be told ({})",
                errno.desc()
            ),
            "remove what lies there, or choose another path",
        ),
    };
    Obstacle { why, mend }
}

fn quoted(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(variables: &[(&str, &str)]) -> Result<Vec<String>, ListenError> {
        let variables = variables.iter().copied();
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        inherited_names(&variables.collect())
    }

    #[test]
    fn sockets_are_ours_when_they_were_meant_for_this_process() {
        let own = std::process::id().to_string();
        let ours = ("LISTEN_PID", own.as_str());
        let two = ("LISTEN_FDS", "2");
        let named = |text| names(&[ours, two, ("LISTEN_FDNAMES", text)]).unwrap();
        assert_eq!(named("a:b"), ["a", "b"]);
        for wrong in ["", "a", "a:", "a:b:c", ":"] {
            assert_eq!(named(wrong), [UNNAMED; 2], "{wrong:?}");
        }
        assert_eq!(names(&[ours, two]).unwrap(), [UNNAMED; 2]);
        for others in [
            [two, ("LISTEN_PID", "1")],
            [two, ("LISTEN_PID", "")],
            [two, ("PATH", "/bin")],
            [ours, ("LISTEN_FDS", "0")],
            [ours, ("LISTEN_FDS", "")],
        ] {
            assert_eq!(names(&others), Ok(Vec::new()), "{others:?}");
        }
        for count in ["-1", "x", "65536"] {
            let told = names(&[ours, ("LISTEN_FDS", count)]).unwrap_err();
            assert!(told.to_string().contains("no number"), "{told}");
        }
    }
}
