//! `--watch-connection`: one idle connection to the child's database. Its loss is evidence, and who
//! answers behind it can prove a failover.
//!
//! It is one child's: it begins when that lives, and ends before anything is done to it. So what is
//! known of the server is never older than the child, whose own connections began no earlier.
//! **Invariant:** there is never more than one, and none with a credential that is known to be old:
//! Heroku revokes that when its last connection has gone.
//!
//! What a connection that cannot be made says of a credential is nobody's business here: the child
//! has its own, and may be well.

use crate::credential::{DatabaseUrl, Secret, Values};

use super::action::Action;
use super::config::{ConnectionWatch, OnFailover};
use super::crash::backoff;
use super::event::{Access, ConnectionNews, Server};
use super::id::{ConnectionId, InstanceId};
use super::instance::Instance;
use super::notice::{Child, ConnectionFact, ConnectionNotice, Failover, Notice};
use super::status::ConnectionPhase;
use super::time::{Duration, Time};
use super::turn::{Turn, Want};

/// A connection is made again after this, doubling, up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// One that lasted so long was a good one: the pauses begin anew. A server that ends each after a
/// moment is not asked every second.
const LASTS: Duration = Duration::from_secs(60);

/// Of several databases the one that the child finds under this name is watched.
const USUAL: &str = "DATABASE_URL";

/// The machine that owns the connection.
#[derive(Debug)]
pub(super) struct Connection {
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nobody's database is to be watched.
    Off,
    /// It is being made.
    Connecting {
        subject: Subject,
        connection: ConnectionId,
    },
    /// It is there.
    Watching {
        subject: Subject,
        connection: ConnectionId,
        since: Time,
    },
    /// It could not be made, or is lost; it is made again at `until`.
    Pausing { subject: Subject, until: Time },
}

/// Whose database it is, and what is known of that.
#[derive(Debug)]
struct Subject {
    child: Child,
    instance: InstanceId,
    name: String,
    url: Secret,
    on_failover: OnFailover,
    /// The server that the child's own connections lead to, as far as can be said.
    known: Option<Server>,
    outage: Outage,
    failures: u32,
}

/// What was told of a connection that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    /// It is there, or nothing has gone wrong yet.
    None,
    /// That it is not.
    Told { since: Time },
}

/// What news come to for the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing.
    Untouched,
    /// Another server is proven behind its unchanged URL, and it is to be started again.
    FailedOver,
}

impl Connection {
    pub(super) fn new() -> Self {
        Self { state: State::Off }
    }

    pub(super) fn name(&self) -> ConnectionPhase {
        match self.state {
            State::Off => ConnectionPhase::Off,
            State::Connecting { .. } => ConnectionPhase::Connecting,
            State::Watching { .. } => ConnectionPhase::Watching,
            State::Pausing { .. } => ConnectionPhase::Pausing,
        }
    }

    /// News of a connection; those of one that is no longer ours are dropped here.
    pub(super) fn on_news(
        &mut self,
        turn: &mut Turn<'_>,
        id: ConnectionId,
        news: ConnectionNews,
    ) -> Outcome {
        let (subject, since) = match std::mem::replace(&mut self.state, State::Off) {
            State::Connecting {
                subject,
                connection,
            } if connection == id => (subject, None),
            State::Watching {
                subject,
                connection,
                since,
            } if connection == id => (subject, Some(since)),
            state @ (State::Off
            | State::Connecting { .. }
            | State::Watching { .. }
            | State::Pausing { .. }) => {
                self.state = state;
                return Outcome::Untouched;
            }
        };
        match news {
            ConnectionNews::Server(server) => {
                let mut subject = subject;
                let outcome = subject.met(turn, server);
                self.state = State::Watching {
                    subject,
                    connection: id,
                    since: since.unwrap_or(turn.now),
                };
                outcome
            }
            ConnectionNews::Lost { why } => {
                self.state = subject.lost(turn, since, why);
                Outcome::Untouched
            }
        }
    }

    /// Watches the database of this child, with what it runs with; or nobody's. `newest`: the
    /// values that were seen last, whether they are acted on yet or not.
    pub(super) fn settle(
        &mut self,
        turn: &mut Turn<'_>,
        child: Option<&Instance>,
        newest: Option<&Values>,
    ) {
        let aim = match turn.config.connection {
            ConnectionWatch::Off => return,
            ConnectionWatch::On(on_failover) => aim(turn, child, newest).zip(Some(on_failover)),
        };
        let Some(((child, name, url), on_failover)) = aim else {
            self.leave(turn);
            return;
        };
        match &mut self.state {
            State::Connecting { subject, .. }
            | State::Watching { subject, .. }
            | State::Pausing { subject, .. }
                if subject.instance == child.id && subject.url == *url =>
            {
                subject.child = child.child();
            }
            State::Off
            | State::Connecting { .. }
            | State::Watching { .. }
            | State::Pausing { .. } => {
                self.leave(turn);
                let subject = Subject {
                    child: child.child(),
                    instance: child.id,
                    name: name.clone(),
                    url: url.clone(),
                    on_failover,
                    known: None,
                    outage: Outage::None,
                    failures: 0,
                };
                self.state = connect(turn, subject);
            }
        }
        self.on_deadline(turn);
    }

    fn on_deadline(&mut self, turn: &mut Turn<'_>) {
        if self.deadline().is_none_or(|deadline| deadline > turn.now) {
            return;
        }
        self.state = match std::mem::replace(&mut self.state, State::Off) {
            State::Pausing { subject, .. } => connect(turn, subject),
            state @ (State::Off | State::Connecting { .. } | State::Watching { .. }) => state,
        };
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        match self.state {
            State::Pausing { until, .. } => Some(until),
            State::Off | State::Connecting { .. } | State::Watching { .. } => None,
        }
    }

    fn leave(&mut self, turn: &mut Turn<'_>) {
        match std::mem::replace(&mut self.state, State::Off) {
            State::Connecting { connection, .. } | State::Watching { connection, .. } => {
                turn.act(Action::UnwatchConnection { connection });
            }
            State::Off | State::Pausing { .. } => {}
        }
    }
}

impl Subject {
    /// Who answers; or the same server, which says something else than before.
    fn met(&mut self, turn: &mut Turn<'_>, server: Server) -> Outcome {
        if let Outage::Told { since } = std::mem::replace(&mut self.outage, Outage::None) {
            let lasted = turn.now.since(since);
            self.tell(turn, ConnectionFact::Back { lasted });
        }
        let Some(known) = self.known else {
            self.known = Some(server);
            return Outcome::Untouched;
        };
        self.known = Some(merged(known, server));
        if (known.access, server.access) == (Access::ReadWrite, Access::ReadOnly) {
            self.tell(turn, ConnectionFact::ReadOnly);
            turn.want(Want::FetchOften);
        }
        let Some(how) = failover(known, server) else {
            return Outcome::Untouched;
        };
        let on_failover = self.on_failover;
        self.tell(turn, ConnectionFact::FailedOver { how, on_failover });
        match on_failover {
            OnFailover::Restart => Outcome::FailedOver,
            OnFailover::Ignore => Outcome::Untouched,
        }
    }

    /// The connection that was there `since` is gone, or could not be made: that is told once,
    /// until it is there again, and has lasted.
    fn lost(mut self, turn: &mut Turn<'_>, since: Option<Time>, why: String) -> State {
        if let Some(since) = since {
            turn.want(Want::FetchOften);
            if turn.now.since(since) >= LASTS {
                self.failures = 0;
            }
        }
        if self.outage == Outage::None && self.failures == 0 {
            let fact = match since {
                Some(_) => ConnectionFact::Lost { why },
                None => ConnectionFact::NotMade { why },
            };
            self.tell(turn, fact);
            self.outage = Outage::Told { since: turn.now };
        }
        self.failures += 1;
        let pause = backoff(self.failures, PAUSE_MIN, PAUSE_MAX);
        let until = turn.now + turn.rng.jittered(pause);
        let subject = self;
        State::Pausing { subject, until }
    }

    fn tell(&self, turn: &mut Turn<'_>, fact: ConnectionFact) {
        turn.announce(Notice::Connection(ConnectionNotice {
            name: self.name.clone(),
            running: self.child,
            fact,
        }));
    }
}

fn connect(turn: &mut Turn<'_>, subject: Subject) -> State {
    let connection = turn.ids.connection();
    let url = DatabaseUrl::parse(subject.url.expose());
    let sslmode = url
        .ok()
        .and_then(|url| turn.config.environment.login_sslmode(&url));
    turn.act(Action::WatchConnection {
        connection,
        url: subject.url.clone(),
        sslmode,
    });
    State::Connecting {
        subject,
        connection,
    }
}

/// Whose database is to be watched: its first postgres URL's, unless that is known to be old.
fn aim<'a>(
    turn: &Turn<'_>,
    child: Option<&'a Instance>,
    newest: Option<&Values>,
) -> Option<(&'a Instance, &'a String, &'a Secret)> {
    let child = child?;
    let is_url = |(_, value): &(&String, &Secret)| DatabaseUrl::is_postgres(value.expose());
    let selection = &turn.config.environment.selection;
    let urls = || child.values.iter().filter(is_url);
    let usual = urls().find(|(name, _)| selection.export_name(name) == USUAL);
    let (name, url) = usual.or_else(|| urls().next())?;
    let is_newest = newest.and_then(|newest| newest.get(name)) == Some(url);
    is_newest.then_some((child, name, url))
}

/// What proves that another server answers. What a server does not say proves nothing.
fn failover(known: Server, now: Server) -> Option<Failover> {
    if let (Some(before), Some(system)) = (known.system, now.system)
        && before != system
    {
        return Some(Failover::System);
    }
    match (known.timeline, now.timeline) {
        (Some(from), Some(to)) if to > from => Some(Failover::Timeline { from, to }),
        (Some(_) | None, _) => None,
    }
}

/// What is known from now on. A server that says less is the same one; one that was left behind by
/// a failover, and answers once more, does not make the next answer another failover.
fn merged(known: Server, now: Server) -> Server {
    let is_other = now.system.is_some() && known.system.is_some() && now.system != known.system;
    Server {
        system: now.system.or(known.system),
        timeline: if is_other {
            now.timeline
        } else {
            now.timeline.max(known.timeline)
        },
        access: now.access,
    }
}
