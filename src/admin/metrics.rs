//! `/metrics`, in OpenMetrics' text or in Prometheus' older one: the tally's counters, and what a
//! look shows right now.
//!
//! Labels have fixed words and the app's name; no string of a program's or of Heroku's.

use std::fmt::{self, Write as _};
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::supervisor::time::Time;

use super::tally::Tally;
use super::view::View;

/// What a scraper gets.
#[must_use]
pub fn text(now: Time, view: &View, tally: &Tally) -> String {
    let mut text = String::new();
    if let Err(error) = write(&mut text, now, view, tally) {
        // A `String` takes everything; a value that cannot be encoded would be our mistake.
        let _ = write!(text, "# {error}");
    }
    text
}

/// The same in the text format that Prometheus had before, for who does not ask for OpenMetrics:
/// there a counter has its whole name in all its lines, and a unit and an end are only comments.
#[must_use]
pub fn classic(open_metrics: &str) -> String {
    let counters: Vec<&str> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let line = |line: &str| {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("UNIT" | "EOF"), ..) => String::new(),
            (Some("#"), Some(what), Some(name), Some(text)) if counters.contains(&name) => {
                format!("# {what} {name}_total {text}\n")
            }
            _ => format!("{line}\n"),
        }
    };
    open_metrics.lines().map(line).collect()
}

fn write(text: &mut String, now: Time, view: &View, tally: &Tally) -> fmt::Result {
    encode_registry(text, &tally.registry)?;
    encode_registry(text, &gauges(now, view, tally))?;
    encode_eof(text)
}

/// One moment's gauges. What is not known is left out.
fn gauges(now: Time, view: &View, tally: &Tally) -> Registry {
    let mut gauges = Gauges(Registry::with_prefix("changeover"));
    let labels = [
        ("app", view.app.clone()),
        ("version", view.changeover.version.clone()),
    ];
    let build: Family<_, Gauge<f64, AtomicU64>> = Family::default();
    build.get_or_create(&labels).set(1.0);
    let help = "Which changeover this is";
    gauges.0.register("build_info", help, build);
    let is = |fact: bool| if fact { 1.0 } else { 0.0 };
    let lives = view.children.iter().any(|child| child.state != "ending");
    let heroku = &view.heroku;
    gauges.plain("child_up", "Whether a program runs", is(lives));
    let help = "Whether a program runs that counts as serving";
    gauges.plain("child_ready", help, is(view.serving));
    let help = "How long the values that are run with, or are next, have been known";
    gauges.seconds(
        "credential_age",
        help,
        view.revision.as_ref().map(|it| it.age_s),
    );
    let help = "How old the newest good answer of Heroku is";
    gauges.seconds("staleness", help, heroku.last_good_s);
    let help = "How long a change has been on its way; 0 without one";
    let pending = view.pending.as_ref().map_or(0.0, |pending| pending.age_s);
    gauges.seconds("change_pending", help, Some(pending));
    let help = "Whether a person holds changes back";
    gauges.plain("held", help, is(view.held_s.is_some()));
    let help = "The time between two polls, as the account allows it";
    gauges.seconds("poll_interval", help, heroku.pace_s);
    if let Some(left) = heroku.requests_left {
        let help = "Requests to Heroku that the account has left in this hour, of 4500";
        gauges.plain("account_requests_left", help, f64::from(left));
    }
    let help = "Whether Heroku answers well";
    gauges.plain(
        "heroku_up",
        help,
        is(heroku.failing.is_none() && heroku.last_good_s.is_some()),
    );
    let help = "Whether Heroku accepts the token, as far as it was asked";
    gauges.plain("token_ok", help, is(heroku.token == "accepted"));
    let help = "Whether what is run with is a fallback, not Heroku's word";
    gauges.plain("fallback_in_use", help, is(view.source != "heroku"));
    if let Some((class, at)) = tally.last_fetch() {
        let last: Family<_, Gauge<f64, AtomicU64>> = Family::default();
        let label = [("class", class.name())];
        last.get_or_create(&label).set(now.since(at).as_secs_f64());
        let help = "How long ago the last request to Heroku ended, by how it did";
        gauges
            .0
            .register_with_unit("last_fetch_age", help, Unit::Seconds, last);
    }
    gauges.0
}

struct Gauges(Registry);

impl Gauges {
    fn plain(&mut self, name: &str, help: &str, value: f64) {
        let gauge: Gauge<f64, AtomicU64> = Gauge::default();
        gauge.set(value);
        self.0.register(name, help, gauge);
    }

    fn seconds(&mut self, name: &str, help: &str, value: Option<f64>) {
        if let Some(value) = value {
            let gauge: Gauge<f64, AtomicU64> = Gauge::default();
            gauge.set(value);
            self.0.register_with_unit(name, help, Unit::Seconds, gauge);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_text_has_whole_names_and_no_units() {
        let open_metrics = "# HELP a_starts Programs started.\n# TYPE a_starts counter\n\
                            a_starts_total{cause=\"x\"} 1\n# HELP a_age_seconds How old.\n\
                            # TYPE a_age_seconds gauge\n# UNIT a_age_seconds seconds\n\
                            a_age_seconds 2.0\n# EOF\n";
        let expected = "# HELP a_starts_total Programs started.\n\
                        # TYPE a_starts_total counter\na_starts_total{cause=\"x\"} 1\n\
                        # HELP a_age_seconds How old.\n# TYPE a_age_seconds gauge\n\
                        a_age_seconds 2.0\n";
        assert_eq!(classic(open_metrics), expected);
    }
}
