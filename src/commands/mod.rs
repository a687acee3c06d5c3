//! What is not supervising: `exec`, `env`, `check`.
