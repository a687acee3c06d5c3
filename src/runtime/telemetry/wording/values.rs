//! The words for a watched variable that has no usable value.

use std::time::Duration;

use tracing::Level;

use crate::credential::{Fault, phrase};
use crate::supervisor::notice::{Child, ValueNotice};

use super::{Context, human, info, untouched, warn};

pub(super) fn told(context: &Context, notice: &ValueNotice) -> (Level, String) {
    match notice {
        ValueNotice::Bad {
            name,
            fault,
            running,
        } => warn(bad(context, name, *fault, *running, None)),
        ValueNotice::StillBad {
            name,
            fault,
            lasted,
            answers,
            running,
        } => {
            let since = Some((*lasted, *answers));
            warn(bad(context, name, *fault, *running, since))
        }
        ValueNotice::Good {
            name,
            lasted,
            answers,
        } => {
            let since = for_so_long(*lasted, *answers);
            info(format!("{} is usable again after {since}", phrase(name)))
        }
    }
}

/// Both the first line about a value and its heartbeat.
fn bad(
    context: &Context,
    name: &str,
    fault: Fault,
    running: Option<Child>,
    since: Option<(Duration, u32)>,
) -> String {
    let since = since.map_or(String::new(), |(lasted, answers)| {
        format!(" for {}", for_so_long(lasted, answers))
    });
    let (name, app) = (phrase(name), phrase(&context.app));
    let what = format!("{name} of app {app} is {fault}{since}");
    match running {
        Some(child) => format!("{what}. {}, with the last good value", untouched(child)),
        None => format!("{what}. Nothing runs yet; waiting for a usable value"),
    }
}

fn for_so_long(lasted: Duration, answers: u32) -> String {
    let counted = match answers {
        1 => "1 answer".to_owned(),
        more => format!("{more} answers"),
    };
    format!("{} ({counted})", human(lasted))
}
