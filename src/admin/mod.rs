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

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::supervisor::command::Verb;

pub use control::Control;
pub use http::Http;
pub use protocol::{Request, Response, Word};
pub use tally::Tally;
pub use view::{View, word};

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

/// Why the loop has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoAnswer {
    /// It ends.
    Ending,
    /// There was none in time. A command that nobody waits for any more is not carried out.
    Late,
}

/// Asks the loop, and waits for so long.
async fn ask<T>(
    questions: &mpsc::Sender<Question>,
    within: Duration,
    question: impl FnOnce(oneshot::Sender<T>) -> Question,
) -> Result<T, NoAnswer> {
    let (asker, answer) = oneshot::channel();
    let asked = async {
        questions.send(question(asker)).await.ok()?;
        answer.await.ok()
    };
    match timeout(within, asked).await {
        Ok(answer) => answer.ok_or(NoAnswer::Ending),
        Err(_) => Err(NoAnswer::Late),
    }
}
