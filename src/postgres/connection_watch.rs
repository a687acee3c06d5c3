//! One idle connection to a server: when it is lost, and who answers behind it.
//!
//! The system's keepalives find a peer that is gone without a word; a look every half minute finds
//! a server that hangs, one that takes no writes any more, a standby that was promoted, and a name
//! that leads elsewhere by now.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, Error, SimpleQueryMessage, SimpleQueryRow};

use crate::credential::{Secret, SslMode, phrase};

use super::login::{Login, connect, plan};
use super::obstacle::Obstacle;

/// To connect, and to look the first time.
const OPEN_MAX: Duration = Duration::from_secs(10);
/// From one look to the next, and how long one may take.
const LOOK_EVERY: Duration = Duration::from_secs(30);
const LOOK_MAX: Duration = Duration::from_secs(10);
/// A server that takes no writes may be about to be promoted: at first it is looked at more often.
const LOOK_SOON: Duration = Duration::from_secs(5);
const LOOKS_SOON: u32 = 12;
/// A peer that is gone without a word is noticed a minute later.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;
/// The same when something was sent to it.
const UNANSWERED_MAX: Duration = Duration::from_secs(30);
/// A name that is not resolved by then is as it was.
const LOOKUP_MAX: Duration = Duration::from_secs(5);

/// Who answers: recovery, the two ways in which a role is read-only, the timeline (of a primary
/// only: elsewhere nothing says it that does not lag), and whether the system may be asked for.
const WHO: &str = "SELECT pg_is_in_recovery(), \
    current_setting('default_transaction_read_only')::bool OR EXISTS (\
        SELECT FROM pg_db_role_setting, unnest(setconfig) AS setting \
        WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) \
        AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user)) \
        AND setting ~* '^default_transaction_read_only=(on|true|yes|1)$'), \
    CASE WHEN pg_is_in_recovery() THEN NULL \
        ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END, \
    has_function_privilege('pg_control_system()', 'execute')";
const SYSTEM: &str = "SELECT system_identifier FROM pg_control_system()";

/// The server behind a connection, as far as it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// Its `system_identifier`: the same on a primary and all its standbys.
    pub system: Option<i64>,
    /// A primary's timeline.
    pub timeline: Option<u32>,
    /// Whether it is known to take no writes.
    pub read_only: bool,
}

/// A connection that is there.
pub struct WatchedConnection {
    client: Client,
    end: Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>,
    names: Names,
    looks: u32,
    told: Option<Server>,
}

/// The hosts that have a name, and where these led when the connection was made.
struct Names {
    names: Vec<String>,
    addresses: BTreeSet<IpAddr>,
}

impl WatchedConnection {
    /// Logs in and stays, as [`login`](super::login()) logs in.
    ///
    /// # Errors
    /// Why not, in one phrase without secrets.
    pub async fn open(url: &Secret, sslmode: Option<SslMode>) -> Result<Self, String> {
        let mut plan = plan(url, sslmode)?;
        plan.config
            .keepalives(true)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_RETRIES)
            .tcp_user_timeout(UNANSWERED_MAX);
        let mut names = Names::of(&plan.config);
        let opened = timeout(OPEN_MAX, async {
            names.addresses = names.look_up().await;
            connect(plan).await
        });
        let (client, connection) = match opened.await {
            Ok(Ok(open)) => open,
            Ok(Err(Login::Refused { code })) => return Err(format!("login refused: {code}")),
            Ok(Err(Login::Unreachable { why })) => return Err(why.to_string()),
            Ok(Err(Login::Accepted)) | Err(_) => {
                return Err(Obstacle::NoAnswer(OPEN_MAX).to_string());
            }
        };
        Ok(Self {
            client,
            end: Box::pin(connection),
            names,
            looks: 0,
            told: None,
        })
    }

    /// Who answers, at first and whenever that is no longer the same.
    ///
    /// # Errors
    /// The connection is lost, or leads elsewhere than its name does: why, in one phrase. There is
    /// no other news after that.
    pub async fn news(&mut self) -> Result<Server, String> {
        loop {
            if self.looks > 0 {
                // What is read-only, or has not said what it is, may say something else soon.
                let is_open = self.told.is_none_or(|told| told.read_only);
                let is_young = self.looks < LOOKS_SOON && is_open;
                let pause = if is_young { LOOK_SOON } else { LOOK_EVERY };
                if let Ok(end) = timeout(pause, &mut self.end).await {
                    return Err(ended(end));
                }
                if self.names.lead_elsewhere().await {
                    return Err("its name leads to another address by now".to_owned());
                }
            }
            self.looks = self.looks.saturating_add(1);
            if let Some(server) = self.look().await?
                && self.told.replace(server) != Some(server)
            {
                return Ok(server);
            }
        }
    }

    /// `None`: a server that does not answer this, or not this time, proves nothing.
    async fn look(&mut self) -> Result<Option<Server>, String> {
        let look = timeout(LOOK_MAX, look(&self.client));
        // Its end first: what it says is more than that a question was not answered.
        tokio::select! {
            biased;
            end = &mut self.end => Err(ended(end)),
            answer = look => match answer {
                Err(_) => Err(Obstacle::NoAnswer(LOOK_MAX).to_string()),
                Ok(Err(error)) if self.client.is_closed() => Err(said(&error)),
                Ok(Err(_)) => Ok(None),
                Ok(Ok(server)) => Ok(Some(server)),
            },
        }
    }
}

async fn look(client: &Client) -> Result<Server, Error> {
    let messages = client.simple_query(WHO).await?;
    let Some(row) = row(&messages) else {
        return Ok(Server::default());
    };
    let text = |row: &SimpleQueryRow, at| row.try_get(at).ok().flatten().map(str::to_owned);
    let is = |at| text(row, at).as_deref() == Some("t");
    let may_ask = is(3);
    let mut server = Server {
        system: None,
        timeline: text(row, 2).and_then(|text| u32::from_str_radix(&text, 16).ok()),
        read_only: is(0) || is(1),
    };
    if may_ask {
        let messages = client.simple_query(SYSTEM).await?;
        let text = self::row(&messages).and_then(|row| text(row, 0));
        server.system = text.and_then(|text| text.parse().ok());
    }
    Ok(server)
}

fn row(messages: &[SimpleQueryMessage]) -> Option<&SimpleQueryRow> {
    messages.iter().find_map(|message| {
        if let SimpleQueryMessage::Row(row) = message {
            Some(row)
        } else {
            None
        }
    })
}

impl Names {
    fn of(config: &Config) -> Self {
        let named = |host: &Host| match host {
            Host::Tcp(name) if name.parse::<IpAddr>().is_err() => Some(name.clone()),
            Host::Tcp(_) | Host::Unix(_) => None,
        };
        let names = if config.get_hostaddrs().is_empty() {
            config.get_hosts().iter().filter_map(named).collect()
        } else {
            Vec::new()
        };
        let addresses = BTreeSet::new();
        Self { names, addresses }
    }

    async fn look_up(&self) -> BTreeSet<IpAddr> {
        let mut addresses = BTreeSet::new();
        for name in &self.names {
            if let Ok(Ok(found)) = timeout(LOOKUP_MAX, lookup_host((name.as_str(), 0))).await {
                addresses.extend(found.map(|address| address.ip()));
            }
        }
        addresses
    }

    async fn lead_elsewhere(&self) -> bool {
        !self.addresses.is_empty() && self.have_left(&self.look_up().await)
    }

    /// Whether none of the addresses of before is left. Many names have several, and are given a
    /// few of them in turn.
    fn have_left(&self, now: &BTreeSet<IpAddr>) -> bool {
        !now.is_empty() && self.addresses.is_disjoint(now)
    }
}

fn ended(end: Result<(), Error>) -> String {
    match end {
        Ok(()) => "the server closed it".to_owned(),
        Err(error) => said(&error),
    }
}

fn said(error: &Error) -> String {
    match error.as_db_error() {
        Some(answer) => format!(
            "{}: {}",
            phrase(answer.code().code()),
            phrase(answer.message())
        ),
        None => Obstacle::of_error(error).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(text: &[&str]) -> BTreeSet<IpAddr> {
        text.iter()
            .map(|address| address.parse().unwrap())
            .collect()
    }

    #[test]
    fn a_name_leads_elsewhere_when_none_of_its_addresses_is_left() {
        let names = Names {
            names: vec!["db.example".to_owned()],
            addresses: addresses(&["10.0.0.1", "10.0.0.2"]),
        };
        for (now, expected) in [
            (&["10.0.0.1", "10.0.0.2"][..], false),
            (&["10.0.0.2", "10.0.0.3"], false),
            (&["10.0.0.3"], true),
            // The resolver does not answer.
            (&[], false),
        ] {
            assert_eq!(names.have_left(&addresses(now)), expected, "{now:?}");
        }
    }

    #[test]
    fn only_names_can_lead_elsewhere() {
        for (url, expected) in [
            ("postgres://u:p@db.example:5432/d", &["db.example"][..]),
            ("postgres://u:p@a,b/d", &["a", "b"]),
            ("postgres://u:p@10.0.0.1/d", &[]),
            ("postgres://u:p@[::1]/d", &[]),
            ("postgres://u:p@/d?host=/run/postgresql", &[]),
            ("postgres://u:p@db.example/d?hostaddr=10.0.0.1", &[]),
        ] {
            let plan = plan(&Secret::from(url), None).ok().unwrap();
            assert_eq!(Names::of(&plan.config).names, expected, "{url}");
        }
    }
}
