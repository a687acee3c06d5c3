//! SHOWS what the supervisor is doing, and takes what people ask of it.
//!
//! **Invariant:** nothing here decides or remembers. A question goes to the loop, which answers it
//! between two turns: who gets an answer knows that the loop lives.
//!
//! **Invariant:** no value of a config var ever comes here: what is shown has names, numbers and
//! kinds.

pub mod control;
pub mod http;
pub mod metrics;
pub mod protocol;
pub mod tally;
pub mod view;

use tokio::sync::oneshot;

use crate::supervisor::command::Verb;

pub use control::Control;
pub use http::Http;
pub use protocol::{Request, Response, Word};
pub use tally::Tally;
pub use view::View;

/// When so many wait for the loop, whoever has another waits, too.
pub const QUESTIONS_MAX: usize = 64;

/// What somebody wants to know, or to have done; who does not wait any more has hung up.
#[derive(Debug)]
pub enum Question {
    /// A verb, and where its answer goes.
    Command(Verb, oneshot::Sender<Reply>),
    /// What it is doing.
    Look(oneshot::Sender<Box<View>>),
    /// The same in numbers, in OpenMetrics' text.
    Metrics(oneshot::Sender<String>),
}

/// What becomes of a command, in one sentence: that it is done, or why not.
pub type Reply = Result<String, String>;
