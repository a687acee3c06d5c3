//! The operating-system shells, each test in a process of its own: reaping and adopting orphans are
//! process-wide.

mod kit;
mod notify;
mod refusals;
mod signals;
mod spawn;
mod tree;
