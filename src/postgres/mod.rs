//! LOGS IN to Postgres. `tokio-postgres` lives only here.
