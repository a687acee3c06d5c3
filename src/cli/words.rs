//! What an option's value is one of, for a shell that completes it. clap takes every other word,
//! too: what is wrong with one is `config`'s to say.

use std::ffi::{OsStr, OsString};

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command, Error};

pub(super) const ON_FAILOVER: Words = Words(&["restart", "ignore"]);
pub(super) const ORDER: Words = Words(&["stop-first", "start-first"]);
pub(super) const ON_CHANGE: Words = Words(&["restart", "exit", "signal:HUP", "signal:USR1"]);
pub(super) const STOP_SCOPE: Words = Words(&["process", "group"]);
pub(super) const SWEEP: Words = Words(&["tree", "none"]);
pub(super) const READY: Words = Words(&["none", "notify", "fd:", "tcp:", "http://", "delay:"]);
pub(super) const RESTART: Words = Words(&["never", "on-failure", "always"]);
pub(super) const SSLMODE: Words = Words(&["env", "require", "verify-ca", "verify-full", "keep"]);
pub(super) const SCHEME: Words = Words(&["postgresql", "postgresql+asyncpg"]);
pub(super) const EXPAND: Words = Words(&["pg", "jdbc", "spring"]);
pub(super) const CHECK_LOGIN: Words = Words(&["auto", "always", "never"]);
pub(super) const FALLBACK: Words = Words(&["none", "inherited", "cache"]);
pub(super) const LOG_FORMAT: Words = Words(&["text", "json"]);
pub(super) const FORMAT: Words = Words(&["shell", "dotenv", "json", "docker", "systemd"]);

/// These words, or the beginnings of what can be written.
#[derive(Clone, Copy)]
pub(super) struct Words(&'static [&'static str]);

impl TypedValueParser for Words {
    type Value = OsString;

    fn parse_ref(&self, _: &Command, _: Option<&Arg>, value: &OsStr) -> Result<OsString, Error> {
        Ok(value.to_owned())
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}
