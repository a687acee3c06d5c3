//! Simulators for tests and examples, and a web server under load (feature `testing`); never in the
//! installed binary.

pub mod heroku;
pub mod load;
pub mod web;
pub mod world;
