//! A pretend Heroku Postgres add-on: its credentials, and what the two APIs tell about it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_postgres::config::Host;

use super::made_up;

/// One credential: its whole URL is the one place where its user and password stand.
pub(super) struct Credential {
    pub(super) name: String,
    pub(super) url: String,
    /// How often it was rotated: tells a delayed step that a newer rotation overtook it.
    pub(super) rotations: u64,
}

impl Credential {
    pub(super) fn new(name: &str, url: String) -> Self {
        Self {
            name: name.to_owned(),
            url,
            rotations: 0,
        }
    }
}

pub(super) const PLAN: &str = "heroku-postgresql:standard-0";

/// One add-on.
pub(super) struct Database {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) credentials: Vec<Credential>,
    /// The app that it is billed to, when that is another one: `{id, name}`.
    pub(super) billed_to: Option<Value>,
    /// The hours, in UTC, at which it is backed up.
    pub(super) schedules: Vec<u8>,
    /// What it costs, and where it runs: `heroku-postgresql:standard-0`.
    pub(super) plan: String,
}

impl Database {
    pub(super) fn is(&self, id_or_name: &str) -> bool {
        self.id == id_or_name || self.name == id_or_name
    }

    pub(super) fn credential(&self, name: &str) -> Option<&Credential> {
        self.credentials
            .iter()
            .find(|credential| credential.name == name)
    }

    pub(super) fn credential_mut(&mut self, name: &str) -> Option<&mut Credential> {
        self.credentials
            .iter_mut()
            .find(|credential| credential.name == name)
    }

    /// As `GET /addons/{addon}` shows it.
    pub(super) fn addon(&self, app: &Value, config_vars: &[String]) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "app": app,
            "addon_service": addon_service(),
            "plan": self.plan(),
            "config_vars": config_vars,
            "state": "provisioned",
            "provider_id": "resource1@heroku.com",
            "created_at": "2026-01-01T12:00:00Z",
            "updated_at": "2026-01-01T12:00:00Z",
            "web_url": null,
            "actions": [],
        })
    }

    /// As add-ons and attachments show it.
    pub(super) fn plan(&self) -> Value {
        json!({ "id": "062a1cc7-f79f-404c-9f91-135f70175577", "name": self.plan })
    }

    /// As `GET /client/v11/databases/{id}` shows it.
    pub(super) fn info(&self) -> Value {
        let url = self
            .credential("default")
            .map_or("", |credential| &credential.url);
        let parts = UrlParts::of(url);
        json!({
            "addon_id": self.id,
            "name": self.name,
            "heroku_resource_id": "resource1@heroku.com",
            "metaas_source": "b1b2",
            "formation": { "id": "f", "primary": "p" },
            "database_name": parts.database,
            "database_user": parts.user,
            "database_password": parts.password,
            "plan": self.plan.rsplit(':').next(),
            "resource_url": url,
            "waiting?": false,
            "following": null,
            "leader": null,
            "is_in_recovery": false,
            "port": parts.port,
            "postgres_version": "16.4",
            "created_at": "2026-01-01 12:00:00 +0000",
            "num_bytes": 1,
            "num_tables": 1,
            "num_connections": 1,
            "info": [
                { "name": "Plan", "values": ["Standard 0"] },
                { "name": "Status", "values": ["Available"] },
                { "name": "PG Version", "values": ["16.4"] },
                { "name": "Followers", "values": [], "resolve_db_name": true },
            ],
        })
    }

    /// As `GET /postgres/v0/databases/{id}/credentials/{name}` shows one credential.
    pub(super) fn credential_info(&self, credential: &Credential) -> Value {
        let parts = UrlParts::of(&credential.url);
        json!({
            "uuid": format!("{}-{}", self.id, credential.name),
            "name": credential.name,
            "state": "active",
            "database": parts.database,
            "host": parts.host,
            "port": parts.port,
            "credentials": [{
                "user": parts.user,
                "password": parts.password,
                "state": "active",
                "connections": 0,
            }],
        })
    }
}

fn addon_service() -> Value {
    json!({ "id": "6c67493d-8fc2-4cd4-9161-4f1ec11cbe69", "name": "heroku-postgresql" })
}

/// What stands in a postgres URL, decoded; empty where it says nothing.
#[derive(Default)]
pub(super) struct UrlParts {
    pub(super) user: String,
    pub(super) password: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: String,
}

impl UrlParts {
    pub(super) fn of(url: &str) -> Self {
        let Ok(config) = url.parse::<tokio_postgres::Config>() else {
            return Self::default();
        };
        let host = match config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => String::new(),
        };
        Self {
            user: config.get_user().unwrap_or_default().to_owned(),
            password: String::from_utf8_lossy(config.get_password().unwrap_or_default()).into(),
            host,
            port: config.get_ports().first().copied().unwrap_or(5432),
            database: config.get_dbname().unwrap_or_default().to_owned(),
        }
    }
}

/// The same URL with another password; every other byte stays.
pub(super) fn with_password(url: &str, password: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    let (userinfo, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let user = userinfo.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}:{password}@{host}{tail}")
}

/// Whether it is a postgres URL that a database could live behind.
pub(super) fn is_postgres_url(text: &str) -> bool {
    let scheme = text.starts_with("postgres://") || text.starts_with("postgresql://");
    scheme && text.parse::<tokio_postgres::Config>().is_ok()
}

/// A URL as Heroku makes them, but for the host: who logs in with it is refused at once, and no
/// name of a stranger's machine is ever looked up.
pub(super) fn made_up_url(host_number: usize) -> String {
    let host = format!("127.54.32.{host_number}");
    url_on(&host, 5432, &made_up::name('u'), &made_up::name('d'))
}

/// A URL with a fresh password.
pub(super) fn url_on(host: &str, port: u16, user: &str, database: &str) -> String {
    let password = new_password();
    format!("postgres://{user}:{password}@{host}:{port}/{database}")
}

/// 65 characters, as Heroku's are.
pub(super) fn new_password() -> String {
    made_up::alphanumeric(65)
}

/// In which order a rotation touches the server and the config var; Heroku promises neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RotationOrder {
    /// The password is changed and connections are reset; the config var follows after the delay.
    #[default]
    ConnectionsFirst,
    /// Password and config var change together; connections are reset after the delay.
    ConfigFirst,
    /// The config var changes; the server takes the new password, and resets connections, after the
    /// delay.
    ConfigBeforePassword,
}

impl RotationOrder {
    /// Every order, by its name.
    pub(super) const NAMES: [(&'static str, Self); 3] = [
        ("connections_first", Self::ConnectionsFirst),
        ("config_first", Self::ConfigFirst),
        ("config_before_password", Self::ConfigBeforePassword),
    ];
}

/// How rotations and promotions take their time; settable while running.
#[derive(Clone, Copy, Default)]
pub(super) struct Pace {
    pub(super) order: RotationOrder,
    pub(super) rotation_delay: Duration,
    pub(super) promotion_gap: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_password_changes_nothing_else_in_the_url() {
        let url = "postgres://u1:p@1@db.example.com:5433/d1?application_name=a%20b";
        let expected = "postgres://u1:new@db.example.com:5433/d1?application_name=a%20b";
        assert_eq!(with_password(url, "new"), expected);
        assert_eq!(
            with_password("postgres://u@h/d", "new"),
            "postgres://u:new@h/d"
        );
    }

    #[test]
    fn the_parts_of_a_url_are_decoded() {
        let parts = UrlParts::of("postgres://u%40x:p%2F@h:6543/d");
        assert_eq!(
            (parts.user.as_str(), parts.password.as_str()),
            ("u@x", "p/")
        );
        assert_eq!(
            (parts.host.as_str(), parts.port, parts.database.as_str()),
            ("h", 6543, "d")
        );
    }

    #[test]
    fn made_up_urls_look_like_heroku_s() {
        let url = made_up_url(1);
        assert!(is_postgres_url(&url));
        assert_eq!(UrlParts::of(&url).host, "127.54.32.1");
        assert_eq!(UrlParts::of(&url).password.len(), 65);
    }
}
