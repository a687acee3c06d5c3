//! Every integration test, in one binary: it links once.
#![expect(
    clippy::unwrap_used,
    reason = "a helper that panics is a test that fails"
)]

mod admin;
mod budget;
mod cache;
mod changes;
mod check;
mod child;
mod children;
mod cli;
mod client;
mod commands;
mod conformance;
mod control;
mod corpora;
mod crowds;
mod database;
mod database_url;
mod env_file;
mod examples;
mod failover;
mod fallback;
mod fault_matrix;
mod faults;
mod heroku_cli;
mod hook;
mod libpq;
mod listen;
mod load;
mod login;
mod login_check;
mod login_tls;
mod manager;
mod network;
mod peers;
mod pgbench;
mod pid1;
mod places;
mod process;
mod raw_http;
mod readme;
mod ready;
mod restart;
mod rotation;
mod scenarios;
mod secrets;
mod simulator;
mod simulator_postgres;
mod skip;
mod soak;
mod stop;
mod support;
mod terminal;
mod terminate;
mod token;
mod token_command;
mod token_file;
mod user;
mod webhook;
