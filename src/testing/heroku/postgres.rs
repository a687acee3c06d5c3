//! A real PostgreSQL server behind the pretend add-ons: real roles, real databases, real resets.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

use super::database::{self, UrlParts};
use super::made_up;

/// The server, reached as its superuser over one connection: logging in costs more than all that is
/// done here.
pub(super) struct Server {
    config: Config,
    host: String,
    port: u16,
    client: tokio::sync::Mutex<Option<Client>>,
    /// What was created here and goes again at the end: (role, its database).
    created: Mutex<Vec<(String, Option<String>)>>,
}

impl Server {
    /// Proves that the superuser's URL works.
    pub(super) async fn connect(url: &str) -> io::Result<Self> {
        let config: Config = url.parse().map_err(io::Error::other)?;
        let Some(Host::Tcp(host)) = config.get_hosts().first().cloned() else {
            return Err(io::Error::other(
                "the superuser's URL names no host to reach over TCP",
            ));
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let server = Self {
            config,
            host,
            port,
            client: tokio::sync::Mutex::default(),
            created: Mutex::default(),
        };
        server.run(&["SELECT 1".to_owned()]).await?;
        Ok(server)
    }

    async fn log_in(&self) -> io::Result<Client> {
        let (client, connection) = self.config.connect(NoTls).await.map_err(described)?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Each statement by itself: `CREATE DATABASE` refuses to share a transaction.
    async fn run(&self, statements: &[String]) -> io::Result<()> {
        let mut kept = self.client.lock().await;
        let client = match kept.take().filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => self.log_in().await?,
        };
        for statement in statements {
            client.batch_execute(statement).await.map_err(described)?;
        }
        *kept = Some(client);
        Ok(())
    }

    /// A new role with its own database; its URL.
    pub(super) async fn create_database(&self) -> io::Result<String> {
        let (user, database) = (made_up::name('u'), made_up::name('d'));
        let url = database::url_on(&self.host, self.port, &user, &database);
        let password = UrlParts::of(&url).password;
        self.run(&[
            format!(
                "CREATE ROLE {} LOGIN PASSWORD {}",
                identifier(&user),
                literal(&password)
            ),
            format!(
                "CREATE DATABASE {} OWNER {}",
                identifier(&database),
                identifier(&user)
            ),
        ])
        .await?;
        self.created().push((user, Some(database)));
        Ok(url)
    }

    /// A new role for the database of another; its URL.
    pub(super) async fn create_reader(&self, database_url: &str) -> io::Result<String> {
        let user = made_up::name('u');
        let parts = UrlParts::of(database_url);
        let url = database::url_on(&parts.host, parts.port, &user, &parts.database);
        let password = UrlParts::of(&url).password;
        let role = format!(
            "CREATE ROLE {} LOGIN PASSWORD {}",
            identifier(&user),
            literal(&password)
        );
        self.run(&[role]).await?;
        self.created().push((user, None));
        Ok(url)
    }

    pub(super) async fn set_password(&self, user: &str, password: &str) -> io::Result<()> {
        self.run(&[format!(
            "ALTER ROLE {} PASSWORD {}",
            identifier(user),
            literal(password)
        )])
        .await
    }

    /// Ends every connection of a role.
    pub(super) async fn reset_connections(&self, user: &str) -> io::Result<()> {
        let query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename =";
        self.run(&[format!("{query} {}", literal(user))]).await
    }

    /// Removes what was created, the newest first.
    pub(super) async fn clean_up(&self) -> io::Result<()> {
        let created = std::mem::take(&mut *self.created());
        for (user, database) in created.into_iter().rev() {
            let drop_database = database
                .map(|name| format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", identifier(&name)));
            let drop_role = format!("DROP ROLE IF EXISTS {}", identifier(&user));
            let statements: Vec<_> = drop_database.into_iter().chain([drop_role]).collect();
            self.run(&statements).await?;
        }
        Ok(())
    }

    fn created(&self) -> MutexGuard<'_, Vec<(String, Option<String>)>> {
        self.created.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the server says; the driver's own text is "db error".
fn described(error: tokio_postgres::Error) -> io::Error {
    match error.as_db_error() {
        Some(told) => io::Error::other(told.to_string()),
        None => io::Error::other(error),
    }
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
