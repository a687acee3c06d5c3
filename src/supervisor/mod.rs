//! DECIDES: events in, actions out.

pub mod action;
pub mod event;
pub mod id;
pub mod notice;
pub mod signal;
pub mod time;
