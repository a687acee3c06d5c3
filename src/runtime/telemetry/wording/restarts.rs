//! The wording of what follows when a child ends by itself: `--restart`, its guard, the watchdog.

use std::time::Duration;

use crate::supervisor::event::Ended;
use crate::supervisor::notice::RestartedFor;

use super::human;

pub(super) fn restarting(pause: Duration, why: RestartedFor) -> String {
    let why = match why {
        RestartedFor::Policy => "--restart",
        RestartedFor::Watchdog => "it missed its --watchdog",
    };
    match pause {
        Duration::ZERO => format!("starting it again now ({why})"),
        pause => format!("starting it again in {} ({why})", human(pause)),
    }
}

pub(super) fn too_many(ended: Ended, count: u32, within: Duration) -> String {
    let (code, within) = (ended.code(), human(within));
    let times = match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    };
    let history = match count {
        0 => "--max-restarts 0 allows no restart, and it ended".to_owned(),
        _ => format!(
            "it was started again {times} in {within} (--max-restarts), and ended once more"
        ),
    };
    format!(
        "the program does not stay up: {history} with code {code}; giving up, so that whoever runs \
         changeover learns of it. Mend the program, or allow more restarts"
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_tell, seconds};
    use super::*;
    use crate::supervisor::notice::Notice;

    const fn restarting(pause: Duration, why: RestartedFor) -> Notice {
        Notice::Restarting { pause, why }
    }

    const fn limit(count: u32) -> Notice {
        Notice::RestartLimit {
            ended: Ended::Code(3),
            count,
            within: seconds(600),
        }
    }

    #[test]
    fn a_child_that_is_started_again() {
        all_tell(vec![
            (
                restarting(seconds(4), RestartedFor::Policy),
                "I starting it again in 4 s (--restart)",
            ),
            (
                restarting(Duration::ZERO, RestartedFor::Policy),
                "I starting it again now (--restart)",
            ),
            (
                restarting(seconds(4), RestartedFor::Watchdog),
                "I starting it again in 4 s (it missed its --watchdog)",
            ),
        ]);
    }

    #[test]
    fn a_child_that_never_stays() {
        all_tell(vec![
            (
                limit(5),
                "E the program does not stay up: it was started again 5 times in 10 min \
                 (--max-restarts), and ended once more with code 3; giving up, so that whoever \
                 runs changeover learns of it. Mend the program, or allow more restarts",
            ),
            (
                limit(1),
                "E the program does not stay up: it was started again once in 10 min \
                 (--max-restarts), and ended once more with code 3; giving up, so that whoever \
                 runs changeover learns of it. Mend the program, or allow more restarts",
            ),
            (
                limit(0),
                "E the program does not stay up: --max-restarts 0 allows no restart, and it \
                 ended with code 3; giving up, so that whoever runs changeover learns of it. \
                 Mend the program, or allow more restarts",
            ),
        ]);
    }
}
