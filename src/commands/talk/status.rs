//! What `changeover status` prints: a table for people, or the look itself for scripts.

use std::io::{self, Write as _};
use std::time::Duration;

use crate::admin::View;
use crate::admin::view::{Changed, Child};
use crate::commands::failure::Failure;
use crate::credential::phrase::{harmless, phrase};
use crate::exit_code::ExitCode;
use crate::runtime::telemetry::human;

/// No row of the table names more variables: `--json` names all.
const NAMES_MAX: usize = 20;

/// Of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Table,
    Json,
}

/// Prints a look. `check`: a program that does not serve is a failure.
pub(super) fn show(view: Option<&View>, shape: Shape, check: bool) -> Result<ExitCode, Failure> {
    let view = view.ok_or_else(|| Failure::Refused("changeover shows nothing".to_owned()))?;
    let text = match shape {
        Shape::Table => harmless(&table(view)),
        Shape::Json => serde_json::to_string_pretty(view).unwrap_or_default() + "\n",
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(if check && !view.serving {
        ExitCode::Refused
    } else {
        ExitCode::Success
    })
}

fn table(view: &View) -> String {
    let rows = [
        ("app", Some(phrase(&view.app))),
        ("program", Some(program(view))),
        ("revision", revision(view)),
        ("change", Some(change(view))),
        ("held", held(view)),
        ("heroku", Some(heroku(view))),
        ("account", account(view)),
        ("token", Some(view.heroku.token.replace('_', " "))),
        ("connection", connection(view)),
        ("restarts", Some(restarts(view))),
        ("changeover", Some(supervisor(view))),
    ];
    let line = |(name, text): (&str, Option<String>)| {
        let text = text?;
        Some(format!("{name:12}{text}\n"))
    };
    rows.into_iter().filter_map(line).collect()
}

fn program(view: &View) -> String {
    let one = |child: &Child| {
        let Child {
            pid,
            revision,
            state,
            age_s,
        } = child;
        format!(
            "pid {pid} {state} on revision {revision}, started {} ago",
            time(*age_s)
        )
    };
    let all: Vec<_> = view.children.iter().map(one).collect();
    let phase = view.phase.replace('_', " ");
    match &all[..] {
        [] => format!("none ({phase})"),
        _ if view.phase == "running" => all.join("; "),
        _ => format!("{} ({phase})", all.join("; ")),
    }
}

fn revision(view: &View) -> Option<String> {
    let revision = view.revision.as_ref()?;
    let what = match &revision.changed[..] {
        [] => "the first".to_owned(),
        changed => kinds(changed),
    };
    let whose = match view.source.as_str() {
        "heroku" => String::new(),
        fallback => format!("; {fallback}, not confirmed by Heroku"),
    };
    let (number, age) = (revision.number, time(revision.age_s));
    Some(format!("{number}, {what}, seen {age} ago{whose}"))
}

fn change(view: &View) -> String {
    match &view.pending {
        None => "none on its way".to_owned(),
        Some(pending) => format!(
            "{}, seen {} ago ({})",
            kinds(&pending.changed),
            time(pending.age_s),
            view.change.replace('_', " ")
        ),
    }
}

fn held(view: &View) -> Option<String> {
    let held = view.held_s?;
    Some(format!("for {}, until changeover resume", time(held)))
}

fn heroku(view: &View) -> String {
    let heroku = &view.heroku;
    let good = match heroku.last_good_s {
        Some(age) => format!("last good answer {} ago", time(age)),
        None => "no good answer yet".to_owned(),
    };
    let next = heroku
        .next_in_s
        .map(|next| format!(", next request in {}", time(next)));
    let next = next.unwrap_or_default();
    match &heroku.failing {
        None => good + &next,
        Some(failing) => format!(
            "FAILING for {} ({} request{}): {}; {good}{next}",
            time(failing.age_s),
            failing.requests,
            if failing.requests == 1 { "" } else { "s" },
            phrase(&failing.detail)
        ),
    }
}

fn account(view: &View) -> Option<String> {
    let left = view.heroku.requests_left?;
    let pace = view
        .heroku
        .pace_s
        .map(|pace| format!("; a poll every {}", time(pace)));
    Some(format!(
        "{left} requests left in this hour{}",
        pace.unwrap_or_default()
    ))
}

fn connection(view: &View) -> Option<String> {
    (view.connection != "off").then(|| view.connection.clone())
}

fn restarts(view: &View) -> String {
    let restarts = &view.restarts;
    let counts = [
        (restarts.change, "for a change"),
        (restarts.failover, "for a failover"),
        (restarts.own_end, "after its own end"),
        (restarts.asked, "asked for"),
    ];
    let counts: Vec<_> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, why)| format!("{count} {why}"))
        .collect();
    if counts.is_empty() {
        return "none".to_owned();
    }
    let dead: Vec<_> = restarts
        .dead_times_s
        .iter()
        .map(|dead| time(*dead))
        .collect();
    let dead = match &dead[..] {
        [] => String::new(),
        times => format!("; dead times: {}", times.join(", ")),
    };
    counts.join(", ") + &dead
}

fn supervisor(view: &View) -> String {
    let supervisor = &view.changeover;
    let (version, pid) = (phrase(&supervisor.version), supervisor.pid);
    format!("{version}, pid {pid}, up {}", time(supervisor.age_s))
}

fn kinds(changed: &[Changed]) -> String {
    let one = |changed: &Changed| format!("{}: {}", phrase(&changed.variable), changed.kind);
    let told: Vec<_> = changed.iter().take(NAMES_MAX).map(one).collect();
    let told = told.join(", ");
    match changed.len().saturating_sub(NAMES_MAX) {
        0 => told,
        more => format!("{told}, and {more} more"),
    }
}

/// What another version may have written is no reason to panic.
fn time(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map_or_else(|_| "?".to_owned(), human)
}
