//! Simulators for tests and examples, a web server under load, and what must hold of any URL
//! (feature `testing`); never in the installed binary.

pub mod heroku;
pub mod load;
pub mod seen;
pub mod urls;
pub mod web;
pub mod world;
