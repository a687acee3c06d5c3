//! changeover runs a program with credentials fetched from Heroku and restarts it gracefully when they change.

pub mod cli;
pub mod commands;
pub mod config;
pub mod credential;
pub mod exit_code;
pub mod heroku;
pub mod postgres;
pub mod process;
pub mod runtime;
pub mod supervisor;
#[cfg(feature = "testing")]
pub mod testing;
