//! The little language of `--listen`: `[NAME=]ADDR`.

use std::net::Ipv6Addr;
use std::path::PathBuf;

use super::given::{Given, UsageError};
use super::{Address, Listen};

/// More sockets than any program's manual asks for.
const SOCKETS_MAX: usize = 64;
/// A unix socket's address has room for no more, and a NUL byte.
const PATH_BYTES_MAX: usize = 107;
/// As systemd has it.
const NAME_BYTES_MAX: usize = 255;

const MEND: &str = "write HOST:PORT, [IPV6]:PORT, :PORT for every address of this machine, or the absolute path of a \
     unix socket";

type Text = Given<String>;

/// All of them, in the order in which the program will find them.
pub(super) fn all(given: &[Text]) -> Result<Vec<Listen>, UsageError> {
    let mut all: Vec<Listen> = Vec::new();
    for one in given {
        let listen = read(one)?;
        let anywhere = matches!(listen.address, Address::Tcp { port: 0, .. });
        if !anywhere && all.iter().any(|known| known.address == listen.address) {
            let why = "but another --listen has the same address, and it can be bound once";
            return Err(one.wrong(why, "leave one of the two out"));
        }
        if all.len() == SOCKETS_MAX {
            let why = format!("but there are {SOCKETS_MAX} sockets already, which is the limit");
            return Err(one.wrong(&why, "leave some of them out"));
        }
        all.push(listen);
    }
    Ok(all)
}

fn read(given: &Text) -> Result<Listen, UsageError> {
    // A path may hold a `=`, too.
    let named = given.value.split_once('=');
    let named = named.filter(|(name, _)| !name.contains(['/', ':']));
    let (name, address) = match named {
        Some((name, address)) => (Some(name), address),
        None => (None, given.value.as_str()),
    };
    let fits = |name: &str| {
        let length = 1..=NAME_BYTES_MAX;
        length.contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if name.is_some_and(|name| !fits(name)) {
        let why = "where what stands before the = is no name for a socket";
        return Err(given.wrong(why, "write letters, digits and the like, such as web=:8080"));
    }
    Ok(Listen {
        name: name.map(str::to_owned),
        address: read_address(given, address)?,
    })
}

/// An address without a name.
pub(super) fn address(given: &Text) -> Result<Address, UsageError> {
    read_address(given, &given.value)
}

fn read_address(given: &Text, address: &str) -> Result<Address, UsageError> {
    let path = address.strip_prefix("unix:");
    match path.or(Some(address).filter(|text| text.starts_with('/'))) {
        Some(path) => unix(given, path),
        None => tcp(given, address),
    }
}

fn unix(given: &Text, path: &str) -> Result<Address, UsageError> {
    if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
        let why = "where the path of a unix socket is not absolute, or names a directory";
        return Err(given.wrong(why, "write one such as /run/app/web.sock"));
    }
    if path.len() > PATH_BYTES_MAX {
        let why = format!(
            "where the path is longer than {PATH_BYTES_MAX} bytes, and no unix socket's can be"
        );
        return Err(given.wrong(&why, "write a shorter one"));
    }
    Ok(Address::Unix(PathBuf::from(path)))
}

fn tcp(given: &Text, address: &str) -> Result<Address, UsageError> {
    let (host, port) = address
        .rsplit_once(':')
        .ok_or_else(|| given.wrong("which has no port and is no path", MEND))?;
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = digits.then(|| port.parse().ok()).flatten();
    let port = port.ok_or_else(|| given.wrong("which ends in no port up to 65535", MEND))?;
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let host = match bracketed {
        Some(address) if address.parse::<Ipv6Addr>().is_ok() => address,
        Some(_) => return Err(given.wrong("where the brackets hold no IPv6 address", MEND)),
        None if host.contains(':') => {
            return Err(given.wrong("where an IPv6 address needs brackets", MEND));
        }
        None if host.chars().all(is_name) => host,
        None => return Err(given.wrong("where no host stands before the port", MEND)),
    };
    Ok(Address::Tcp {
        host: host.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Inherited, Task};
    use super::*;
    use crate::config::tests::fetching;

    fn read(addresses: &[&str]) -> Result<Vec<Listen>, String> {
        let options = addresses.iter().flat_map(|address| ["--listen", address]);
        let words: Vec<_> = ["run", "-a", "app"].into_iter().chain(options).collect();
        let line = format!("{}|--|prog", words.join("|"));
        let config = Config::new(fetching(&line), &Inherited::new());
        match config.map(|config| config.task) {
            Ok(Task::Run(run)) => Ok(run.listen),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    fn tcp(host: &str, port: u16) -> Address {
        let host = host.to_owned();
        Address::Tcp { host, port }
    }

    #[test]
    fn addresses_and_names() {
        for (address, name, expected) in [
            ("127.0.0.1:8000", None, tcp("127.0.0.1", 8000)),
            ("localhost:0", None, tcp("localhost", 0)),
            (
                "my_host-1.example:65535",
                None,
                tcp("my_host-1.example", 65535),
            ),
            ("[::1]:80", None, tcp("::1", 80)),
            ("[::]:80", None, tcp("::", 80)),
            (":80", None, tcp("", 80)),
            ("web.v1=:80", Some("web.v1"), tcp("", 80)),
            ("/run/a.sock", None, Address::Unix("/run/a.sock".into())),
            ("unix:/run/a", None, Address::Unix("/run/a".into())),
            ("a=unix:/run/a", Some("a"), Address::Unix("/run/a".into())),
            ("/run/a=b", None, Address::Unix("/run/a=b".into())),
            ("unix:/a=b:c", None, Address::Unix("/a=b:c".into())),
            ("x=/a=b", Some("x"), Address::Unix("/a=b".into())),
        ] {
            let name = name.map(str::to_owned);
            let expected = Listen {
                name,
                address: expected,
            };
            assert_eq!(read(&[address]), Ok(vec![expected]), "{address}");
        }
        assert_eq!(read(&[]), Ok(Vec::new()));
        let all = read(&[":80,b=:81", ":82"]).unwrap();
        let ports = [":80", "b=:81", ":82"].map(|one| read(&[one]).unwrap().remove(0));
        assert_eq!(all, ports, "in the order in which they are given");
    }

    #[test]
    fn what_is_no_address_is_told() {
        let long = format!("/{}", "a".repeat(PATH_BYTES_MAX));
        let name = format!("{}=:80", "a".repeat(NAME_BYTES_MAX + 1));
        for (address, part) in [
            ("", "no port and is no path"),
            ("8000", "no port and is no path"),
            ("localhost", "no port and is no path"),
            ("web.sock", "no port and is no path"),
            (":", "ends in no port"),
            (":http", "ends in no port"),
            (":65536", "ends in no port"),
            (":+1", "ends in no port"),
            ("::1:80", "needs brackets"),
            ("[::1:80", "needs brackets"),
            ("[localhost]:80", "hold no IPv6 address"),
            ("[fe80::1%eth0]:80", "hold no IPv6 address"),
            ("*:80", "no host"),
            ("a b:80", "no host"),
            ("unix:a.sock", "not absolute"),
            ("unix:", "not absolute"),
            ("/run/", "names a directory"),
            (&long, "longer than 107 bytes"),
            ("=:80", "no name for a socket"),
            ("a b=:80", "no name for a socket"),
            (&name, "no name for a socket"),
        ] {
            let told = read(&[address]).unwrap_err();
            assert!(told.contains(part), "{address}: {told}");
        }
        let twice = read(&[":80", "web=:80"]).unwrap_err();
        assert!(twice.contains("bound once"), "{twice}");
        assert!(read(&[":0", ":0"]).is_ok(), "these are two ports");
        let many: Vec<String> = (1..=65).map(|port| format!(":{port}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(read(&many[..64]).is_ok());
        assert!(read(&many).unwrap_err().contains("the limit"));
    }
}
