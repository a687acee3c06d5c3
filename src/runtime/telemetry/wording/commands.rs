//! The words for what somebody asks for, and for the answer.

use std::time::Duration;

use tracing::Level;

use crate::supervisor::command::{Answer, Effect, Force, Refusal, Verb};
use crate::supervisor::notice::HoldNotice;

use super::{human, info, untouched, warn};

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
            Effect::Hold => "changes are held back from now on, until changeover resume".to_owned(),
            Effect::HeldAlready { lasted } => {
                format!("changes have been held back for {} already", human(lasted))
            }
            Effect::Resume => "changes are not held back any longer".to_owned(),
            Effect::NotHeld => "changes were not held back".to_owned(),
        },
        Answer::Refused(refusal) => match refusal {
            Refusal::Ending => "changeover is stopping: nothing else is done".to_owned(),
            Refusal::NotWatching => {
                "Heroku is not asked any more (--no-watch): restart changeover without it"
                    .to_owned()
            }
            Refusal::NotStarted => {
                "Heroku has given no usable answer yet, so there is nothing to start on: the log \
                 tells why, and changeover refresh asks at once"
                    .to_owned()
            }
            Refusal::Held => {
                "changes are held back: changeover resume lets them through, and changeover restart \
                 --force starts on the newest values all the same"
                    .to_owned()
            }
            Refusal::LoginRefused => {
                "Postgres refuses the new credential, so the program is left alone until it works: \
                 changeover refresh looks for another, and changeover restart --force starts on it \
                 all the same"
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
        Verb::Hold => "hold",
        Verb::Resume => "resume",
    };
    let text = answered(answer);
    match answer {
        Answer::Accepted(_) => info(format!("{name} asked for: {text}")),
        Answer::Refused(_) => info(format!("{name} asked for and refused: {text}")),
    }
}

/// What waits for a person.
pub(super) fn held(notice: &HoldNotice) -> (Level, String) {
    match *notice {
        HoldNotice::Waits {
            running,
            newest,
            lasted,
        } => {
            let what = if newest == running.revision {
                "a restart".to_owned()
            } else {
                format!("revision {newest}")
            };
            let lasted = match lasted {
                Duration::ZERO => String::new(),
                lasted => format!(" for {} now", human(lasted)),
            };
            warn(format!(
                "{what} waits{lasted}, because changes are held back. {}; changeover resume lets it \
                 through",
                untouched(running)
            ))
        }
        HoldNotice::NothingToProtect { running } => warn(format!(
            "the credential of pid {} works no more, so there is nothing left to hold back",
            running.pid
        )),
        HoldNotice::Ended { child, newest } => warn(format!(
            "pid {} has ended, so there is nothing left to hold back: revision {newest} is next",
            child.pid
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_tell, child, seconds};
    use super::*;
    use crate::supervisor::id::Revision;
    use crate::supervisor::notice::Notice;

    const RESTART: Verb = Verb::Restart { force: Force::No };
    const FORCED: Verb = Verb::Restart { force: Force::Yes };

    fn done(verb: Verb, effect: Effect) -> Notice {
        let answer = Answer::Accepted(effect);
        Notice::Commanded { verb, answer }
    }

    fn refused(verb: Verb, refusal: Refusal) -> Notice {
        let answer = Answer::Refused(refusal);
        Notice::Commanded { verb, answer }
    }

    #[test]
    fn what_is_asked_for_and_what_follows() {
        let fetch = |after| Effect::Fetch { after };
        all_tell(vec![
            (
                done(Verb::Refresh, fetch(Duration::ZERO)),
                "I refresh asked for: Heroku is asked now",
            ),
            (
                done(Verb::Refresh, fetch(seconds(4))),
                "I refresh asked for: Heroku is asked in 4 s: it was asked not long ago",
            ),
            (
                refused(Verb::Refresh, Refusal::NotWatching),
                "I refresh asked for and refused: Heroku is not asked any more (--no-watch): restart \
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
                 program is left alone until it works: changeover refresh looks for another, and \
                 changeover restart --force starts on it all the same",
            ),
            (
                refused(FORCED, Refusal::NotStarted),
                "I restart --force asked for and refused: Heroku has given no usable answer yet, \
                 so there is nothing to start on: the log tells why, and changeover refresh asks \
                 at once",
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

    #[test]
    fn what_is_held_back() {
        let lasted = seconds(90);
        let running = child(4242, 1);
        let waits = |newest, lasted| {
            Notice::Hold(HoldNotice::Waits {
                running,
                newest: Revision(newest),
                lasted,
            })
        };
        all_tell(vec![
            (
                done(Verb::Hold, Effect::Hold),
                "I hold asked for: changes are held back from now on, until changeover resume",
            ),
            (
                done(Verb::Hold, Effect::HeldAlready { lasted }),
                "I hold asked for: changes have been held back for 1 min 30 s already",
            ),
            (
                done(Verb::Resume, Effect::Resume),
                "I resume asked for: changes are not held back any longer",
            ),
            (
                done(Verb::Resume, Effect::NotHeld),
                "I resume asked for: changes were not held back",
            ),
            (
                refused(RESTART, Refusal::Held),
                "I restart asked for and refused: changes are held back: changeover resume lets \
                 them through, and changeover restart --force starts on the newest values all the \
                 same",
            ),
            (
                waits(2, Duration::ZERO),
                "W revision 2 waits, because changes are held back. pid 4242 untouched on \
                 revision 1; changeover resume lets it through",
            ),
            (
                waits(1, seconds(900)),
                "W a restart waits for 15 min now, because changes are held back. pid 4242 \
                 untouched on revision 1; changeover resume lets it through",
            ),
            (
                Notice::Hold(HoldNotice::NothingToProtect { running }),
                "W the credential of pid 4242 works no more, so there is nothing left to hold back",
            ),
            (
                Notice::Hold(HoldNotice::Ended {
                    child: running,
                    newest: Revision(2),
                }),
                "W pid 4242 has ended, so there is nothing left to hold back: revision 2 is next",
            ),
        ]);
    }
}
