//! Looks at a server step by step, for people: where it is, whether somebody listens there, how the
//! login is encrypted, and what the server says of itself once it let us in.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use crate::credential::{Secret, SslMode, phrase};

use super::login::{self, Login, Verification};
use super::obstacle::Obstacle;
use super::route::{self, Host, Reached};
use super::tls::Handshakes;

const LOGIN_TIME_MAX: Duration = Duration::from_secs(5);
const QUESTIONS_TIME_MAX: Duration = Duration::from_secs(5);

/// A follower, or a server that is told to write nothing.
const MODE: &str = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')";

/// A role without privileges sees of others' connections whose they are and where, and not their
/// type. Superusers' connections take slots, too; ours does not count.
const SLOTS: &str = "\
    WITH others AS (SELECT datid, usesysid FROM pg_stat_activity \
        WHERE pid <> pg_backend_pid() AND datid IS NOT NULL AND usesysid IS NOT NULL \
        AND coalesce(backend_type, 'client backend') = 'client backend') \
    SELECT current_setting('max_connections'), \
        current_setting('superuser_reserved_connections'), \
        coalesce(current_setting('reserved_connections', true), '0'), \
        (SELECT count(*) FROM others), \
        (SELECT count(*) FROM others WHERE usesysid = role.oid), \
        role.rolconnlimit, \
        (SELECT count(*) FROM others WHERE datid = base.oid), \
        base.datconnlimit \
    FROM pg_roles role, pg_database base \
    WHERE role.rolname = session_user AND base.datname = current_database()";

/// What a look at a server came to. A step is `None` when the one before it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Every host of the URL, in its order.
    pub hosts: Vec<Host>,
    /// Whether somebody listens there.
    pub reached: Option<Reached>,
    /// The login.
    pub entry: Option<Entry>,
}

/// One login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// How it was encrypted.
    pub encryption: Encryption,
    /// What of the certificate was to be verified.
    pub verified: Verified,
    /// What came of it.
    pub login: Login,
    /// What the server says of itself, when it let us in.
    pub server: Option<SelfReport>,
}

/// How a login was encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// With TLS.
    Tls,
    /// Not at all.
    Plain,
    /// It ended there: no TLS, or a certificate that is not trusted.
    Failed(Obstacle),
    /// It did not come to that.
    Unclear,
}

/// What is verified of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// Nothing: Heroku's have signed themselves.
    Nothing,
    /// That a known authority has signed it.
    Authority,
    /// That, and that it is this host's.
    AuthorityAndName,
}

/// What a server says of itself; what it does not is an error's phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfReport {
    /// Whether it takes writes.
    pub mode: Result<Mode, String>,
    /// How many more connections it takes.
    pub slots: Result<Slots, String>,
}

/// Whether a server takes writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It does.
    ReadWrite,
    /// It follows another server.
    Standby,
    /// A setting says that it does not.
    ReadOnly,
}

/// A server's connections, without ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    /// How many it takes.
    pub max: u32,
    /// How many of these are kept for superusers and monitors.
    pub reserved: u32,
    /// How many there are.
    pub used: u32,
    /// How many of these are our role's.
    pub used_by_role: u32,
    /// How many our role may have, when that is limited.
    pub role_max: Option<u32>,
    /// How many go to our database.
    pub used_in_database: u32,
    /// How many may, when that is limited.
    pub database_max: Option<u32>,
}

impl Slots {
    /// How many more our role could open.
    #[must_use]
    pub fn left(&self) -> u32 {
        let below = |max: Option<u32>, used: u32| max.map(|max| max.saturating_sub(used));
        let in_all = self.max.saturating_sub(self.reserved + self.used);
        let of_role = below(self.role_max, self.used_by_role);
        let of_database = below(self.database_max, self.used_in_database);
        let limits = [Some(in_all), of_role, of_database];
        limits.into_iter().flatten().min().unwrap_or_default()
    }

    /// How many our role may have at all.
    #[must_use]
    pub fn limit(&self) -> u32 {
        let in_all = self.max.saturating_sub(self.reserved);
        let limits = [Some(in_all), self.role_max, self.database_max];
        limits.into_iter().flatten().min().unwrap_or_default()
    }
}

/// Looks; `sslmode` counts where the URL names none. Every step has its time.
///
/// # Errors
/// When no login can be tried with such a URL: one phrase.
pub async fn inspect(url: &Secret, sslmode: Option<SslMode>) -> Result<Inspection, String> {
    let plan = login::plan(url, sslmode)?;
    let hosts = route::look_up(&plan.config).await;
    let mut inspection = Inspection {
        hosts,
        reached: None,
        entry: None,
    };
    if !inspection.hosts.iter().any(Host::leads_somewhere) {
        return Ok(inspection);
    }
    let reached = route::reach(&inspection.hosts).await;
    let is_reached = reached.is_ok();
    inspection.reached = Some(reached);
    if is_reached {
        inspection.entry = Some(enter(plan).await);
    }
    Ok(inspection)
}

async fn enter(plan: login::Plan) -> Entry {
    let verified = match &plan.verify {
        Verification::Nothing => Verified::Nothing,
        Verification::Authority(_) => Verified::Authority,
        Verification::AuthorityAndName(_) => Verified::AuthorityAndName,
    };
    let handshakes = Handshakes::default();
    let entered = timeout(LOGIN_TIME_MAX, login::connect_noting(plan, &handshakes)).await;
    let late = || {
        let why = Obstacle::NoAnswer(LOGIN_TIME_MAX);
        Err(Login::Unreachable { why })
    };
    let (login, server) = match entered.unwrap_or_else(|_| late()) {
        Ok((client, connection)) => {
            let questions = async {
                let server = ask(&client).await;
                // Without its client the connection says goodbye and ends.
                drop(client);
                server
            };
            let talk = async { tokio::join!(questions, connection).0 };
            let server = timeout(QUESTIONS_TIME_MAX, talk).await;
            let silent = || SelfReport::silent(&Obstacle::NoAnswer(QUESTIONS_TIME_MAX).to_string());
            (Login::Accepted, Some(server.unwrap_or_else(|_| silent())))
        }
        Err(login) => (login, None),
    };
    Entry {
        encryption: encryption(&login, &handshakes),
        verified,
        login,
        server,
    }
}

/// How the last attempt was encrypted, from what came of it.
fn encryption(login: &Login, handshakes: &Handshakes) -> Encryption {
    if handshakes.was_one() {
        return Encryption::Tls;
    }
    match login {
        Login::Accepted | Login::Refused { .. } => Encryption::Plain,
        Login::Unreachable { why } => match why {
            // Nothing else of a plan that was made can be wrong before the first packet.
            Obstacle::NotTried(_)
            | Obstacle::NoTls
            | Obstacle::Certificate(_)
            | Obstacle::Handshake(_) => Encryption::Failed(why.clone()),
            Obstacle::Full(_) | Obstacle::NotServing { .. } | Obstacle::ServerError { .. } => {
                Encryption::Plain
            }
            Obstacle::NameNotFound
            | Obstacle::ResolverSilent
            | Obstacle::ConnectionRefused
            | Obstacle::NoAnswer(_)
            | Obstacle::Other(_) => Encryption::Unclear,
        },
    }
}

impl SelfReport {
    fn silent(why: &str) -> Self {
        Self {
            mode: Err(why.to_owned()),
            slots: Err(why.to_owned()),
        }
    }
}

async fn ask(client: &Client) -> SelfReport {
    let mode = row(client, MODE).await.and_then(|row| mode(&row));
    let slots = row(client, SLOTS).await.and_then(|row| slots(&row));
    SelfReport { mode, slots }
}

/// The one row that answers a question, as texts.
async fn row(client: &Client, question: &str) -> Result<Vec<String>, String> {
    let messages = client.simple_query(question).await.map_err(|error| {
        let told = error.as_db_error().map(|told| told.message().to_owned());
        phrase(&told.unwrap_or_else(|| Obstacle::of_error(&error).to_string()))
    })?;
    let rows = messages.iter().filter_map(|message| {
        if let SimpleQueryMessage::Row(row) = message {
            Some(texts(row))
        } else {
            None
        }
    });
    rows.last().ok_or_else(|| "it has no answer".to_owned())
}

fn texts(row: &SimpleQueryRow) -> Vec<String> {
    let text = |at| row.get(at).unwrap_or_default().to_owned();
    (0..row.len()).map(text).collect()
}

fn mode(row: &[String]) -> Result<Mode, String> {
    let texts: Vec<&str> = row.iter().map(String::as_str).collect();
    match texts[..] {
        ["t", _] => Ok(Mode::Standby),
        ["f", "on"] => Ok(Mode::ReadOnly),
        ["f", "off"] => Ok(Mode::ReadWrite),
        _ => Err("its answer makes no sense".to_owned()),
    }
}

fn slots(row: &[String]) -> Result<Slots, String> {
    let numbers: Option<Vec<i64>> = row.iter().map(|text| text.parse().ok()).collect();
    let numbers = numbers.unwrap_or_default();
    let [
        max,
        superusers,
        monitors,
        used,
        of_role,
        role_max,
        in_base,
        base_max,
    ] = numbers[..]
    else {
        return Err("its answer makes no sense".to_owned());
    };
    let count = |number: i64| u32::try_from(number).unwrap_or_default();
    // -1 stands for no limit.
    let limit = |number: i64| u32::try_from(number).ok();
    Ok(Slots {
        max: count(max),
        reserved: count(superusers + monitors),
        used: count(used),
        used_by_role: count(of_role),
        role_max: limit(role_max),
        used_in_database: count(in_base),
        database_max: limit(base_max),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn the_narrowest_limit_counts() {
        let free = slots(&row(&["100", "3", "0", "20", "7", "-1", "12", "-1"])).unwrap();
        assert_eq!((free.left(), free.limit()), (77, 97));
        let role = slots(&row(&["100", "3", "5", "20", "7", "10", "12", "-1"])).unwrap();
        assert_eq!((role.left(), role.limit()), (3, 10));
        let base = slots(&row(&["100", "3", "0", "20", "7", "10", "12", "12"])).unwrap();
        assert_eq!(base.left(), 0);
        let over = slots(&row(&["10", "3", "0", "9", "7", "-1", "9", "-1"])).unwrap();
        assert_eq!(over.left(), 0);
        assert!(slots(&row(&["10"])).is_err() && slots(&row(&["x"; 8])).is_err());
    }

    #[test]
    fn who_takes_writes() {
        for (texts, expected) in [
            (["f", "off"], Ok(Mode::ReadWrite)),
            (["f", "on"], Ok(Mode::ReadOnly)),
            (["t", "on"], Ok(Mode::Standby)),
            (["", ""], Err("its answer makes no sense".to_owned())),
        ] {
            assert_eq!(mode(&row(&texts)), expected);
        }
    }
}
