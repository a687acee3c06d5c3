//! What must hold on the stage after every step: nothing is touched without a proven change, and
//! every state is told once when it begins, now and then while it lasts, and once when it ends.

use std::collections::{BTreeMap, BTreeSet};

use changeover::supervisor::action::Action;
use changeover::supervisor::event::{Event, FailureKind, FetchFailure, FetchOutcome, LoginOutcome};
use changeover::supervisor::id::{InstanceId, LoginId};
use changeover::supervisor::notice::Notice;
use changeover::supervisor::time::{Duration, Time};

use super::version;

/// "a heartbeat each 15 minutes"
const HEARTBEAT: Duration = Duration::from_secs(900);

/// One supervisor's account of itself, kept by somebody else.
pub(super) struct Law {
    child: Option<(InstanceId, u32)>,
    /// What is to be started next. For that a child may be stopped.
    next: Option<(InstanceId, u32)>,
    /// How many full answers have shown a version since the last start was prepared.
    answers: BTreeMap<u32, u32>,
    /// What was ever shown.
    shown: BTreeSet<u32>,
    logins: BTreeMap<LoginId, u32>,
    /// Versions that the database has let in.
    let_in: BTreeSet<u32>,
    outage: Option<Outage>,
    line: Line,
}

/// Fetches that fail in a row.
struct Outage {
    since: Time,
    attempts: u32,
    kind: FailureKind,
    told: Time,
}

/// The one line that a step owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    None,
    /// It begins, or is another one.
    Begins,
    Lasts,
    Ends {
        lasted: Duration,
        attempts: u32,
    },
}

impl Law {
    pub(super) fn new() -> Self {
        Self {
            child: None,
            next: None,
            answers: BTreeMap::new(),
            shown: BTreeSet::new(),
            logins: BTreeMap::new(),
            let_in: BTreeSet::new(),
            outage: None,
            line: Line::None,
        }
    }

    /// What the supervisor is told.
    pub(super) fn hear(&mut self, now: Time, event: &Event) {
        if let Event::Fetched { outcome, .. } = event {
            match outcome {
                FetchOutcome::Failed(failure) => self.fails(now, failure),
                FetchOutcome::NotModified => self.answers(now),
                FetchOutcome::Snapshot { snapshot, .. } => {
                    self.answers(now);
                    if let Some(Ok(url)) = snapshot.watched.get("DATABASE_URL") {
                        let version = version(url.expose());
                        *self.answers.entry(version).or_default() += 1;
                        self.shown.insert(version);
                    }
                }
            }
        } else if let Event::LoginChecked { login, outcome } = event {
            let tried = self.logins.remove(login);
            if *outcome == LoginOutcome::Accepted {
                self.let_in.extend(tried);
            }
        } else if let Event::Exited { instance, .. } = event {
            self.child.take_if(|(id, _)| id == instance);
        }
    }

    fn fails(&mut self, now: Time, failure: &FetchFailure) {
        let kind = failure.kind;
        let outage = self.outage.get_or_insert(Outage {
            since: now,
            attempts: 0,
            kind,
            told: now,
        });
        outage.attempts += 1;
        let is_other = std::mem::replace(&mut outage.kind, kind) != kind;
        // Without a token a start is over, and the end of the start tells of it.
        let is_over = kind == FailureKind::NoToken && self.shown.is_empty();
        if (outage.attempts == 1 || is_other) && !is_over {
            (outage.told, self.line) = (now, Line::Begins);
        } else if now.since(outage.told) >= HEARTBEAT {
            (outage.told, self.line) = (now, Line::Lasts);
        }
    }

    fn answers(&mut self, now: Time) {
        if let Some(outage) = self.outage.take() {
            let (lasted, attempts) = (now.since(outage.since), outage.attempts);
            self.line = Line::Ends { lasted, attempts };
        }
    }

    /// What it does.
    pub(super) fn act(&mut self, now: Time, action: &Action) -> Result<(), String> {
        if let Action::CheckLogin { login, url, .. } = action {
            self.logins.insert(*login, version(url.expose()));
        } else if let Action::Prepare {
            instance,
            environment,
        } = action
        {
            let url = environment.get("DATABASE_URL").and_then(|url| url.to_str());
            return self.prepares(*instance, version(url.ok_or("a start without a URL")?));
        } else if let Action::Signal { instance, .. } = action {
            if self.next.is_none() {
                return Err(format!("{instance} is stopped, and nothing follows"));
            }
        } else if let Action::Spawn { .. } = action {
            if self.child.is_some() {
                return Err("two children at once".to_owned());
            }
            self.child = self.next.take();
        } else if let Action::Announce(notice) = action {
            return self.told(now, notice);
        }
        Ok(())
    }

    /// A child that lives is about to make room for another, or has made room already.
    fn prepares(&mut self, instance: InstanceId, version: u32) -> Result<(), String> {
        if !self.shown.contains(&version) {
            return Err(format!("a start on p{version}, which nobody has shown"));
        }
        let answers = self.answers.get(&version).copied().unwrap_or_default();
        let proofs = answers + u32::from(answers > 0 && self.let_in.contains(&version));
        if let Some((lives, running)) = self.child
            && (running == version || proofs < 2)
        {
            return Err(format!(
                "{lives} on p{running} is touched for p{version}, which {answers} answers showed"
            ));
        }
        self.next = Some((instance, version));
        self.answers.clear();
        Ok(())
    }

    fn told(&mut self, now: Time, notice: &Notice) -> Result<(), String> {
        let told = if let Notice::FetchFailing { .. } = notice {
            Line::Begins
        } else if let Notice::FetchStillFailing {
            lasted, attempts, ..
        } = notice
        {
            let outage = self.outage.as_ref();
            let known = outage.map(|outage| (now.since(outage.since), outage.attempts));
            if known != Some((*lasted, *attempts)) {
                return Err(format!("told of {lasted:?}, {attempts}; it is {known:?}"));
            }
            Line::Lasts
        } else if let Notice::FetchRecovered { lasted, attempts } = notice {
            let (lasted, attempts) = (*lasted, *attempts);
            Line::Ends { lasted, attempts }
        } else {
            return Ok(());
        };
        let owed = std::mem::replace(&mut self.line, Line::None);
        if told == owed {
            Ok(())
        } else {
            Err(format!("told that it {told:?}, where it {owed:?}"))
        }
    }

    /// After a step.
    pub(super) fn check(&mut self) -> Result<(), String> {
        let owed = std::mem::replace(&mut self.line, Line::None);
        if owed == Line::None {
            return Ok(());
        }
        Err(format!("nobody was told that it {owed:?}"))
    }
}
