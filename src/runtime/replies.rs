//! Who has asked for something, and waits for the core's answer.

use tokio::sync::oneshot;

use crate::admin::Reply;
use crate::supervisor::command::Answer;
use crate::supervisor::id::ReplyId;

use super::telemetry::answered;

/// Commands that the core has not answered yet.
#[derive(Debug)]
pub(super) struct Replies {
    newest: ReplyId,
    open: Vec<(ReplyId, oneshot::Sender<Reply>)>,
}

impl Replies {
    pub(super) fn new() -> Self {
        Self {
            newest: ReplyId(0),
            open: Vec::new(),
        }
    }

    /// The name of one more command.
    pub(super) fn open(&mut self, asker: oneshot::Sender<Reply>) -> ReplyId {
        self.newest = self.newest.next();
        self.open.push((self.newest, asker));
        self.newest
    }

    /// Passes an answer on. Who asked may have gone away meanwhile.
    pub(super) fn answer(&mut self, reply: ReplyId, answer: Answer) {
        for (_, asker) in self.open.extract_if(.., |(open, _)| *open == reply) {
            let text = answered(answer);
            let _ = asker.send(match answer {
                Answer::Accepted(_) => Ok(text),
                Answer::Refused(_) => Err(text),
            });
        }
    }
}
