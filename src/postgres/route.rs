//! The way to a server, up to the login: where its name leads, and whether somebody listens there.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::config;

use super::obstacle::Obstacle;

const LOOKUP_TIME_MAX: Duration = Duration::from_secs(5);
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// So many addresses are tried; nobody waits for more of them.
const TRIES_MAX: usize = 4;
const PORT: u16 = 5432;

/// One of the hosts that a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// As the URL has it.
    pub name: String,
    /// The port there.
    pub port: u16,
    /// Where that leads.
    pub place: Place,
}

/// Where a host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A directory with a socket file, on this machine.
    SocketFile(PathBuf),
    /// The URL itself has the address.
    Address(IpAddr),
    /// A name, and what DNS knows of it.
    Name(Result<Vec<IpAddr>, Obstacle>),
}

/// Where somebody listens; or else each place that was tried, and what stood in the way.
pub type Reached = Result<String, Vec<(String, Obstacle)>>;

impl Host {
    /// Whether there is anything to connect to.
    #[must_use]
    pub fn leads_somewhere(&self) -> bool {
        match &self.place {
            Place::SocketFile(_) | Place::Address(_) => true,
            Place::Name(found) => found.is_ok(),
        }
    }

    fn targets(&self) -> Vec<Target> {
        let at = |ip: &IpAddr| Target::Address(SocketAddr::new(*ip, self.port));
        match &self.place {
            Place::SocketFile(directory) => {
                let file = format!(".s.PGSQL.{}", self.port);
                vec![Target::File(directory.join(file))]
            }
            Place::Address(ip) => vec![at(ip)],
            Place::Name(Ok(found)) => found.iter().map(at).collect(),
            Place::Name(Err(_)) => Vec::new(),
        }
    }
}

/// What is connected to.
enum Target {
    File(PathBuf),
    Address(SocketAddr),
}

/// Every host of a URL, its name looked up.
pub(super) async fn look_up(config: &Config) -> Vec<Host> {
    let mut hosts = named(config);
    for host in &mut hosts {
        if let Place::Name(found) = &mut host.place {
            *found = addresses(&host.name, host.port).await;
        }
    }
    hosts
}

/// The hosts before any name is looked up. `hostaddr=` spares a host its name.
fn named(config: &Config) -> Vec<Host> {
    let (hosts, addresses) = (config.get_hosts(), config.get_hostaddrs());
    let ports = config.get_ports();
    let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(PORT);
    let one = |at: usize| {
        let (name, place) = match (addresses.get(at), hosts.get(at)) {
            (Some(ip), Some(config::Host::Tcp(name))) => (name.clone(), Place::Address(*ip)),
            (Some(ip), None | Some(config::Host::Unix(_))) => (ip.to_string(), Place::Address(*ip)),
            (None, Some(config::Host::Unix(path))) => {
                (path.display().to_string(), Place::SocketFile(path.clone()))
            }
            (None, Some(config::Host::Tcp(name))) => {
                let place = match name.parse() {
                    Ok(ip) => Place::Address(ip),
                    Err(_) => Place::Name(Ok(Vec::new())),
                };
                (name.clone(), place)
            }
            (None, None) => return None,
        };
        let port = port(at);
        Some(Host { name, port, place })
    };
    (0..hosts.len().max(addresses.len()))
        .filter_map(one)
        .collect()
}

async fn addresses(name: &str, port: u16) -> Result<Vec<IpAddr>, Obstacle> {
    match timeout(LOOKUP_TIME_MAX, lookup_host((name, port))).await {
        Err(_) => Err(Obstacle::ResolverSilent),
        Ok(Err(error)) => Err(Obstacle::of_io(&error)),
        Ok(Ok(found)) => {
            let mut found: Vec<IpAddr> = found.map(|address| address.ip()).collect();
            found.dedup();
            if found.is_empty() {
                return Err(Obstacle::NameNotFound);
            }
            Ok(found)
        }
    }
}

/// Connects to one place after the other until somebody answers, and hangs up.
pub(super) async fn reach(hosts: &[Host]) -> Reached {
    let mut failed = Vec::new();
    let targets = hosts.iter().flat_map(Host::targets);
    for target in targets.take(TRIES_MAX) {
        let (place, tried) = match target {
            Target::File(path) => {
                let tried = timeout(CONNECT_TIME_MAX, UnixStream::connect(&path)).await;
                (
                    path.display().to_string(),
                    tried.map(|tried| tried.map(drop)),
                )
            }
            Target::Address(address) => {
                let tried = timeout(CONNECT_TIME_MAX, TcpStream::connect(address)).await;
                (address.to_string(), tried.map(|tried| tried.map(drop)))
            }
        };
        match tried {
            Ok(Ok(())) => return Ok(place),
            Ok(Err(error)) => failed.push((place, Obstacle::of_io(&error))),
            Err(_) => failed.push((place, Obstacle::NoAnswer(CONNECT_TIME_MAX))),
        }
    }
    Err(failed)
}

#[cfg(test)]
mod tests {
    use super::super::settings;
    use super::*;
    use crate::credential::DatabaseUrl;

    fn hosts(text: &str) -> Vec<(String, u16, Place)> {
        let config = settings::config(&DatabaseUrl::parse(text).unwrap()).unwrap();
        let hosts = named(&config).into_iter();
        hosts
            .map(|host| (host.name, host.port, host.place))
            .collect()
    }

    #[test]
    fn what_a_url_says_of_its_hosts() {
        let ip = |text: &str| Place::Address(text.parse().unwrap());
        let name = || Place::Name(Ok(Vec::new()));
        let host = |name: &str, port, place| (name.to_owned(), port, place);
        for (url, expected) in [
            (
                "postgres://u@db.example/d",
                vec![host("db.example", 5432, name())],
            ),
            (
                "postgres://u@a:1,10.0.0.2:2/d",
                vec![host("a", 1, name()), host("10.0.0.2", 2, ip("10.0.0.2"))],
            ),
            (
                "postgres://u@[::1]:6543/d",
                vec![host("::1", 6543, ip("::1"))],
            ),
            (
                "postgres://u@a/d?hostaddr=10.0.0.1&port=7",
                vec![host("a", 7, ip("10.0.0.1"))],
            ),
            (
                "postgres://u@/d?host=/run/pg",
                vec![host("/run/pg", 5432, Place::SocketFile("/run/pg".into()))],
            ),
        ] {
            assert_eq!(hosts(url), expected, "{url}");
        }
    }
}
