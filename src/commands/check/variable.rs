//! What is said of one watched variable by Heroku alone: whether it is there, what it is, which
//! add-on fills it, and whether anybody backs that up.

use crate::credential::attachment::{PROMOTED, listed};
use crate::credential::{Attachment, DatabaseUrl, Fault, Secret, phrase};
use crate::heroku::Backup;

use super::report::{Name, Verdict};

type Lines = Vec<(Name, Verdict)>;

/// The attachments of the app, or why they are not known.
pub(super) type Attachments = Result<Vec<Attachment>, String>;

/// Whether it is there, and what it is.
pub(super) fn presence(
    app: &str,
    value: &Result<Secret, Fault>,
    attachments: &Attachments,
) -> Lines {
    let again = || format!("set it anew: `heroku config:set -a {app}`; or attach the add-on again");
    let there = || (Name::Variable, Verdict::good("it is there"));
    match value {
        Ok(value) => vec![there(), (Name::Url, url(value))],
        Err(fault @ Fault::Missing) => {
            let known = attachments.as_deref().map(listed).unwrap_or_default();
            let attached = match known.as_str() {
                "" => String::new(),
                known => format!(" (attached: {})", phrase(known)),
            };
            let mend = format!(
                "`heroku config -a {app}` shows what there is{attached}: name it with --var or --database"
            );
            vec![
                (Name::Variable, Verdict::wrong(fault.to_string(), mend)),
                (Name::Url, Verdict::Behind(Name::Variable)),
            ]
        }
        Err(fault @ Fault::NotAUrl) => {
            let found = format!("{fault} that a client could use");
            vec![there(), (Name::Url, Verdict::wrong(found, again()))]
        }
        Err(fault @ (Fault::Null | Fault::Empty | Fault::NotText | Fault::HasNul)) => vec![
            (Name::Variable, Verdict::wrong(fault.to_string(), again())),
            (Name::Url, Verdict::Behind(Name::Variable)),
        ],
    }
}

/// Without what is secret in it.
fn url(value: &Secret) -> Verdict {
    if !DatabaseUrl::is_postgres(value.expose()) {
        return Verdict::good("not a postgres URL: it is passed on as it is");
    }
    match DatabaseUrl::parse(value.expose()) {
        Ok(url) => Verdict::Good(shown(&url)),
        Err(error) => Verdict::wrong(
            error.to_string(),
            "see how Heroku's own begin: `postgres://`",
        ),
    }
}

/// The user stays, whom [`phrase`] would take for a part of the secret.
fn shown(url: &DatabaseUrl) -> String {
    let redacted = url.redacted();
    match redacted.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", phrase(rest)),
        None => phrase(&redacted),
    }
}

/// Whether the add-on behind the variable is the app's promoted database. `is_main`: the program
/// gets it as its `DATABASE_URL`.
pub(super) fn promoted(
    app: &str,
    own: Option<&Attachment>,
    attachments: &Attachments,
    is_main: bool,
) -> Verdict {
    let all = match attachments {
        Ok(all) => all,
        Err(why) => return Verdict::elsewhere(why, format!("`heroku addons -a {app}` tells")),
    };
    let promoted = all.iter().find(|one| one.name == PROMOTED);
    match (own, promoted) {
        (None, _) => Verdict::advice(
            "no add-on of this app fills it: somebody set it by hand, and Heroku does not change it when a credential \
             changes",
            format!("`heroku addons -a {app}` shows what is attached: watch one of those"),
        ),
        (Some(own), Some(promoted)) if own.addon_id == promoted.addon_id => {
            Verdict::good(format!("{} is the promoted database", phrase(&own.addon)))
        }
        (Some(own), Some(promoted)) => {
            let found = format!(
                "it is {}, and the promoted database is {}",
                phrase(&own.addon),
                phrase(&promoted.addon)
            );
            if is_main {
                let mend = format!(
                    "nothing, if that is meant; else watch DATABASE_URL, or `heroku pg:promote {} -a {app}`",
                    phrase(&own.name)
                );
                return Verdict::Advice { found, mend };
            }
            Verdict::Good(found)
        }
        (Some(own), None) => Verdict::advice(
            format!(
                "{}; no database is attached as DATABASE: a promotion is under way, or was left half done",
                phrase(&own.addon)
            ),
            format!("`heroku pg:promote {} -a {app}`", phrase(&own.name)),
        ),
    }
}

/// Whether the add-on behind the variable is backed up.
pub(super) fn backups(
    app: &str,
    addon: Option<&str>,
    backups: Option<&Result<Vec<Backup>, String>>,
) -> Verdict {
    let (Some(addon), Some(backups)) = (addon, backups) else {
        return Verdict::unknown("no add-on is known behind it");
    };
    match backups {
        Ok(times) if times.is_empty() => Verdict::advice(
            "no backup is scheduled",
            format!("`heroku pg:backups:schedule {addon} --at '02:00 UTC' -a {app}`"),
        ),
        Ok(times) => {
            let told = times
                .iter()
                .map(|time| phrase(&format!("{}:00 {}", time.hour, time.timezone)));
            let told = told.collect::<Vec<_>>().join(" and ");
            Verdict::good(format!("every day at {told}"))
        }
        Err(why) => Verdict::elsewhere(
            format!("Heroku's data API does not say: {why}"),
            format!("`heroku pg:backups:schedules -a {app}` tells"),
        ),
    }
}
