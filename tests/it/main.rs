//! Every integration test, in one binary: it links once.

mod cli;
mod client;
mod scenarios;
mod support;
mod token;
