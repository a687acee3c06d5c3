//! The simulated Heroku on a real PostgreSQL server.

use std::time::Duration;

use changeover::testing::heroku::RotationOrder;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, NoTls};

use crate::support::postgres::Postgres;

/// Logs in; the connection lives on the test's runtime.
async fn log_in(url: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn refused(url: &str) -> bool {
    let error = log_in(url).await.err();
    error.is_some_and(|error| error.code() == Some(&SqlState::INVALID_PASSWORD))
}

#[tokio::test]
async fn a_rotation_refuses_the_old_password_and_ends_connections() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let simulator = server.simulator();
    let old = simulator.config_var("DATABASE_URL").unwrap();
    let client = log_in(&old).await.unwrap();
    client
        .simple_query("CREATE TABLE owned_by_the_app ()")
        .await
        .unwrap();
    simulator.rotate("default").unwrap();
    assert!(client.simple_query("SELECT 1").await.is_err());
    assert!(refused(&old).await);
    let new = simulator.config_var("DATABASE_URL").unwrap();
    log_in(&new).await.unwrap();
    let other = simulator
        .config_var("HEROKU_POSTGRESQL_COBALT_URL")
        .unwrap();
    log_in(&other).await.unwrap();
    drop(simulator);
    let superuser = log_in(&server.superuser_url()).await.unwrap();
    let user = new["postgres://".len()..].split(':').next().unwrap();
    let left = superuser
        .query("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&user])
        .await
        .unwrap();
    assert!(left.is_empty(), "the role {user} is still there");
}

#[tokio::test]
async fn the_order_of_a_rotation_can_be_chosen() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let simulator = server.simulator();
    let hour = Duration::from_secs(3600);
    let current = || simulator.config_var("DATABASE_URL").unwrap();

    let old = current();
    simulator.set_rotation(RotationOrder::ConnectionsFirst, hour);
    simulator.rotate("default").unwrap();
    assert_eq!(current(), old);
    assert!(refused(&old).await);

    simulator.set_rotation(RotationOrder::ConfigFirst, hour);
    simulator.rotate("default").unwrap();
    let client = log_in(&current()).await.unwrap();
    simulator.rotate("default").unwrap();
    client.simple_query("SELECT 1").await.unwrap();

    let accepted = current();
    simulator.set_rotation(RotationOrder::ConfigBeforePassword, hour);
    simulator.rotate("default").unwrap();
    assert!(refused(&current()).await);
    log_in(&accepted).await.unwrap();
}
