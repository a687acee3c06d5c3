//! What is not supervising: `exec`, `env`, `check`.

pub mod env;
