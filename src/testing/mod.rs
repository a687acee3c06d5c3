//! Simulators for tests and examples, a web server under load, and what must hold of any text from
//! outside (feature `testing`); never in the installed binary.

pub mod heroku;
pub mod laws;
pub mod load;
pub mod seen;
pub mod web;
pub mod world;
