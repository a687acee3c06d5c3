//! Simulators for tests and examples (feature `testing`); never in the installed binary.

pub mod heroku;
pub mod world;
