//! Asks a server one question about a credential: does it let us in?

use std::net::IpAddr;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode as Encryption};
use tokio_postgres::error::DbError;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Error, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::credential::{DatabaseUrl, Secret, SslMode};

use super::obstacle::Obstacle;
use super::settings;
use super::tls::{self, Handshakes, Roots, Verify};

/// How long a server that let us in may take to see us off.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(1);

/// What the server said about the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// It let us in.
    Accepted,
    /// It knows the credential to be bad.
    Refused {
        /// The SQLSTATE: 28P01 (password), 28000 (role or host not admitted), 3D000 (no such
        /// database), 42501 (a database that is not this role's), or a pooler's 08P01.
        code: String,
    },
    /// It said nothing about the credential.
    Unreachable {
        /// What stood between us and an answer.
        why: Obstacle,
    },
}

/// A server's words for no.
const REFUSALS: [&str; 4] = ["28P01", "28000", "3D000", "42501"];

/// PgBouncer's words for no, never translated. Before 1.19 it had one code, 08P01, for all that it
/// says itself (its pull request 814; tried with 1.18).
const POOLER_REFUSALS: [&str; 5] = [
    "password authentication failed",
    "SASL authentication failed",
    "auth failed",
    "no such user",
    "no such database",
];

/// Logs in once and says goodbye. `sslmode` counts where the URL names none; without either, the
/// login is encrypted and nothing is verified. A server on this machine that has no TLS is tried in
/// plain.
pub async fn login(url: &Secret, sslmode: Option<SslMode>, time_max: Duration) -> Login {
    let plan = match plan(url, sslmode) {
        Ok(plan) => plan,
        Err(detail) => return Login::not_tried(detail),
    };
    let carried_out = async {
        let (client, connection) = match connect(plan).await {
            Ok(open) => open,
            Err(answer) => return answer,
        };
        // Without its client the connection says goodbye and ends.
        drop(client);
        let _ = timeout(FAREWELL_TIME_MAX, connection).await;
        Login::Accepted
    };
    match timeout(time_max, carried_out).await {
        Ok(login) => login,
        Err(_) => Login::Unreachable {
            why: Obstacle::NoAnswer(time_max),
        },
    }
}

/// Whether a login can be tried at all; what any text may do to it is for tests to see.
///
/// # Errors
/// Why not, without secrets.
#[cfg(feature = "testing")]
pub fn is_usable(url: &Secret, sslmode: Option<SslMode>) -> Result<(), String> {
    plan(url, sslmode).map(|_| ())
}

/// A connection that was let in.
pub(super) type Open = (
    Client,
    Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>,
);

/// One login, with these attempts until one of them is an answer.
pub(super) struct Plan {
    pub(super) config: Config,
    attempts: Vec<Encryption>,
    pub(super) verify: Verification,
}

pub(super) enum Verification {
    Nothing,
    Authority(RootFile),
    AuthorityAndName(RootFile),
}

/// `sslrootcert`, and `None` for the bundled roots.
pub(super) type RootFile = Option<String>;

pub(super) fn plan(url: &Secret, sslmode: Option<SslMode>) -> Result<Plan, String> {
    let parsed = DatabaseUrl::parse(url.expose()).map_err(|error| format!("the URL: {error}"))?;
    let config = settings::config(&parsed)?;
    let mode = parsed.sslmode().or(sslmode);
    let places = Places::of(&config);
    let attempts = match mode {
        // libpq does not encrypt what goes through a socket file either.
        _ if places == Places::SocketFiles => vec![Encryption::Disable],
        Some(SslMode::Disable) => vec![Encryption::Disable],
        Some(SslMode::Allow) => vec![Encryption::Disable, Encryption::Require],
        Some(SslMode::Prefer) => vec![Encryption::Prefer, Encryption::Disable],
        None | Some(SslMode::Require) if places == Places::Loopback => vec![Encryption::Prefer],
        None | Some(SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull) => {
            vec![Encryption::Require]
        }
    };
    let root_file = || {
        let value = parsed.parameter("sslrootcert")?;
        let path = percent_decode_str(value).decode_utf8_lossy().into_owned();
        (path != "system").then_some(path)
    };
    let verify = match mode {
        Some(SslMode::VerifyCa) => Verification::Authority(root_file()),
        Some(SslMode::VerifyFull) => Verification::AuthorityAndName(root_file()),
        // As libpq and pgx have it, a root file turns `require` into `verify-ca`.
        Some(SslMode::Require) if parsed.parameter("sslrootcert").is_some() => {
            Verification::Authority(root_file())
        }
        None | Some(SslMode::Disable | SslMode::Allow | SslMode::Prefer | SslMode::Require) => {
            Verification::Nothing
        }
    };
    Ok(Plan {
        config,
        attempts,
        verify,
    })
}

/// Where the servers are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Places {
    SocketFiles,
    Loopback,
    Elsewhere,
}

impl Places {
    fn of(config: &Config) -> Self {
        let hosts = config.get_hosts();
        if !hosts.is_empty() && hosts.iter().all(|host| matches!(host, Host::Unix(_))) {
            return Self::SocketFiles;
        }
        let here = if config.get_hostaddrs().is_empty() {
            hosts.iter().all(is_loopback)
        } else {
            config.get_hostaddrs().iter().all(IpAddr::is_loopback)
        };
        if here {
            Self::Loopback
        } else {
            Self::Elsewhere
        }
    }
}

fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse()
                    .is_ok_and(|address: IpAddr| address.is_loopback())
        }
    }
}

/// Logs in, and stays.
pub(super) async fn connect(plan: Plan) -> Result<Open, Login> {
    connect_noting(plan, &Handshakes::default()).await
}

/// The same, and notes whether the last attempt was encrypted.
pub(super) async fn connect_noting(plan: Plan, handshakes: &Handshakes) -> Result<Open, Login> {
    let verify = match plan.verify {
        Verification::Nothing => Ok(Verify::Nothing),
        Verification::Authority(file) => roots(file).await.map(Verify::Authority),
        Verification::AuthorityAndName(file) => roots(file).await.map(Verify::AuthorityAndName),
    };
    let connector = verify
        .and_then(|verify| tls::connector(verify, handshakes).map_err(|error| error.to_string()));
    let connector = match connector {
        Ok(connector) => connector,
        Err(detail) => return Err(Login::not_tried(detail)),
    };
    let mut answer = Login::not_tried("not tried".to_owned());
    for encryption in plan.attempts {
        let mut config = plan.config.clone();
        config.ssl_mode(encryption);
        handshakes.forget();
        let next = match config.connect(connector.clone()).await {
            Ok(open) => return Ok(open),
            Err(error) => judge(&error, encryption),
        };
        let said_no = matches!(answer, Login::Refused { .. });
        match &next {
            Login::Refused { code } if code != "28000" => return Err(next),
            // 28000 may be about the encryption: the other way is tried too, and a refusal stays
            // one.
            Login::Accepted | Login::Refused { .. } => answer = next,
            Login::Unreachable { .. } if said_no => {}
            Login::Unreachable { .. } => answer = next,
        }
    }
    Err(answer)
}

async fn roots(file: RootFile) -> Result<Roots, String> {
    let Some(path) = file else {
        return Ok(Roots::Bundled);
    };
    let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
    match read {
        Ok(Ok(pem)) => Ok(Roots::Pem(pem)),
        Ok(Err(error)) => Err(format!("sslrootcert: {}", error.kind())),
        Err(_) => Err("sslrootcert: not read".to_owned()),
    }
}

fn judge(error: &Error, encryption: Encryption) -> Login {
    let Some(answer) = error.as_db_error() else {
        let why = Obstacle::of_error(error);
        return Login::Unreachable { why };
    };
    let (code, message) = (answer.code().code(), answer.message());
    if is_refusal(code, message)
        && !(encryption != Encryption::Require && is_about_encryption(answer))
    {
        return Login::Refused {
            code: code.to_owned(),
        };
    }
    let why = Obstacle::of_server(code, message);
    Login::Unreachable { why }
}

fn is_refusal(code: &str, message: &str) -> bool {
    let is_poolers = || {
        let mut known = POOLER_REFUSALS.iter();
        known.any(|words| message.starts_with(words))
    };
    REFUSALS.contains(&code) || (code == "08P01" && is_poolers())
}

/// `no pg_hba.conf entry for host …, no encryption`: a server that insists on TLS, asked without.
/// The words differ between languages and versions, the file's name does not.
fn is_about_encryption(refusal: &DbError) -> bool {
    refusal.code().code() == "28000" && refusal.message().contains("pg_hba.conf")
}

impl Login {
    pub(super) fn not_tried(why: String) -> Self {
        let why = Obstacle::NotTried(why);
        Self::Unreachable { why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(url: &str, sslmode: Option<SslMode>) -> Vec<Encryption> {
        plan(&Secret::from(url), sslmode).unwrap().attempts
    }

    #[test]
    fn how_a_login_is_encrypted() {
        use Encryption::{Disable, Prefer, Require};
        let elsewhere = "postgres://u:p@db.example/d";
        for (sslmode, expected) in [
            (None, vec![Require]),
            (Some(SslMode::Disable), vec![Disable]),
            (Some(SslMode::Allow), vec![Disable, Require]),
            (Some(SslMode::Prefer), vec![Prefer, Disable]),
            (Some(SslMode::Require), vec![Require]),
            (Some(SslMode::VerifyCa), vec![Require]),
            (Some(SslMode::VerifyFull), vec![Require]),
        ] {
            assert_eq!(attempts(elsewhere, sslmode), expected, "{sslmode:?}");
        }
        let named = "postgres://u:p@db.example/d?sslmode=disable";
        assert_eq!(attempts(named, Some(SslMode::Require)), [Disable]);
        for host in ["localhost", "127.1.2.3", "[::1]"] {
            let url = format!("postgres://u:p@{host}/d");
            assert_eq!(attempts(&url, Some(SslMode::Require)), [Prefer], "{host}");
            assert_eq!(
                attempts(&url, Some(SslMode::VerifyFull)),
                [Require],
                "{host}"
            );
        }
        let mixed = "postgres://u:p@127.0.0.1,10.0.0.1/d";
        assert_eq!(attempts(mixed, None), [Require]);
        let socket = "postgres://u:p@/d?host=/run/postgresql&sslmode=verify-full";
        assert_eq!(attempts(socket, None), [Disable]);
    }

    #[test]
    fn urls_that_no_login_can_use() {
        for url in [
            "mysql://u:p@h/d",
            "postgres://u:SECRET@h:x/d",
            "postgres://:SECRET@h/d",
        ] {
            let Err(detail) = plan(&Secret::from(url), None) else {
                panic!("{url} was accepted");
            };
            assert!(!detail.contains("SECRET"), "{detail}");
        }
    }
}
