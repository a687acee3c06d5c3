//! The words for what somebody asks for, and for the answer.

use std::time::Duration;

use tracing::Level;

use crate::supervisor::command::{Answer, Effect, Force, Refusal, Verb};

use super::{debug, human, info};

/// What is answered, in one sentence.
#[must_use]
pub fn answered(answer: Answer) -> String {
    match answer {
        Answer::Accepted(effect) => match effect {
            Effect::Fetch {
                after: Duration::ZERO,
            } => "Heroku is asked now".to_owned(),
            Effect::Fetch { after } => {
                format!(
                    "Heroku is asked in {}: it was asked not long ago",
                    human(after)
                )
            }
            Effect::Restart => "the program is stopped and started again".to_owned(),
            Effect::Start => "no program runs: it is started now".to_owned(),
            Effect::UnderWay => "a start is under way already, and will do".to_owned(),
            Effect::Stop => "stopping for good".to_owned(),
        },
        Answer::Refused(refusal) => match refusal {
            Refusal::Ending => "changeover is stopping: nothing else is done".to_owned(),
            Refusal::NotWatching => {
                "Heroku is not asked any more (--no-watch): restart changeover without it"
                    .to_owned()
            }
            Refusal::NotStarted => {
                "Heroku has given no usable answer yet, so there is nothing to start on: the log \
                 tells why"
                    .to_owned()
            }
            Refusal::LoginRefused => {
                "Postgres refuses the new credential, so the program is left alone until it works; \
                 --force starts on it all the same"
                    .to_owned()
            }
        },
    }
}

/// The same for the log.
pub(super) fn told(verb: Verb, answer: Answer) -> (Level, String) {
    let name = match verb {
        Verb::Refresh => "refresh",
        Verb::Restart { force: Force::No } => "restart",
        Verb::Restart { force: Force::Yes } => "restart --force",
        Verb::Stop => "stop",
    };
    let text = answered(answer);
    match (verb, answer) {
        // A program may ask often.
        (Verb::Refresh, _) => debug(format!("{name} asked for: {text}")),
        (Verb::Restart { .. } | Verb::Stop, Answer::Accepted(_)) => {
            info(format!("{name} asked for: {text}"))
        }
        (Verb::Restart { .. } | Verb::Stop, Answer::Refused(_)) => {
            info(format!("{name} asked for and refused: {text}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_tell, seconds};
    use super::*;
    use crate::supervisor::notice::Notice;

    const RESTART: Verb = Verb::Restart { force: Force::No };
    const FORCED: Verb = Verb::Restart { force: Force::Yes };

    #[test]
    fn what_is_asked_for_and_what_follows() {
        let fetch = |after| Effect::Fetch { after };
        let done = |verb, effect| Notice::Commanded {
            verb,
            answer: Answer::Accepted(effect),
        };
        let refused = |verb, refusal| Notice::Commanded {
            verb,
            answer: Answer::Refused(refusal),
        };
        all_tell(vec![
            (
                done(Verb::Refresh, fetch(Duration::ZERO)),
                "D refresh asked for: Heroku is asked now",
            ),
            (
                done(Verb::Refresh, fetch(seconds(4))),
                "D refresh asked for: Heroku is asked in 4 s: it was asked not long ago",
            ),
            (
                refused(Verb::Refresh, Refusal::NotWatching),
                "D refresh asked for: Heroku is not asked any more (--no-watch): restart \
                 changeover without it",
            ),
            (
                done(RESTART, Effect::Restart),
                "I restart asked for: the program is stopped and started again",
            ),
            (
                done(FORCED, Effect::Start),
                "I restart --force asked for: no program runs: it is started now",
            ),
            (
                done(RESTART, Effect::UnderWay),
                "I restart asked for: a start is under way already, and will do",
            ),
            (
                refused(RESTART, Refusal::LoginRefused),
                "I restart asked for and refused: Postgres refuses the new credential, so the \
                 program is left alone until it works; --force starts on it all the same",
            ),
            (
                refused(FORCED, Refusal::NotStarted),
                "I restart --force asked for and refused: Heroku has given no usable answer yet, \
                 so there is nothing to start on: the log tells why",
            ),
            (
                refused(RESTART, Refusal::Ending),
                "I restart asked for and refused: changeover is stopping: nothing else is done",
            ),
            (
                done(Verb::Stop, Effect::Stop),
                "I stop asked for: stopping for good",
            ),
        ]);
    }
}
