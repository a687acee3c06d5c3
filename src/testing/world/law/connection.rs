//! The connection that is watched: one, the newest child's, with a credential that is not known to
//! be old; and what its news must come to.

use crate::supervisor::config::{ConnectionWatch, OnFailover};
use crate::supervisor::event::{Access, ConnectionNews, Server};
use crate::supervisor::id::{ConnectionId, InstanceId};
use crate::supervisor::notice::ConnectionFact;
use crate::supervisor::time::{Duration, Time};
use crate::testing::world::bounds::{
    CONNECTION_LASTS, CONNECTION_PAUSE_MAX, CONNECTION_PAUSE_MIN, FAILOVERS, JITTER, SLACK,
};
use crate::testing::world::values;

use super::{Launch, Law};

/// The account of one child's connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// Whose it is, and the version of the URL.
    subject: Option<(InstanceId, u32)>,
    out: Option<Out>,
    /// What is known of the server, since this subject is watched.
    known: Option<Server>,
    ended: Option<Time>,
    failures: u32,
    /// The lines that this step owes.
    owed: Vec<Line>,
    told: Told,
}

#[derive(Clone, Copy, Debug)]
struct Out {
    connection: ConnectionId,
    /// Since when it is there.
    made: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Lost,
    NotMade,
    Back,
    ReadOnly,
    FailedOver,
}

/// Whether people know that it is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    No,
    Yes,
}

/// What news come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    Nothing,
    Evidence,
    Failover,
    Both,
}

impl Connection {
    pub(super) fn new() -> Self {
        Self {
            subject: None,
            out: None,
            known: None,
            ended: None,
            failures: 0,
            owed: Vec::new(),
            told: Told::No,
        }
    }

    fn news(&mut self, now: Time, id: ConnectionId, news: &ConnectionNews) -> Means {
        let Some(out) = self.out.filter(|out| out.connection == id) else {
            return Means::Nothing;
        };
        match news {
            ConnectionNews::Lost { .. } => {
                self.out = None;
                self.ended = Some(now);
                let lasted = out.made.is_some_and(|made| now >= made + CONNECTION_LASTS);
                self.failures = if lasted { 1 } else { self.failures + 1 };
                if self.told == Told::No && self.failures == 1 {
                    self.told = Told::Yes;
                    self.owed.push(match out.made {
                        Some(_) => Line::Lost,
                        None => Line::NotMade,
                    });
                }
                match out.made {
                    Some(_) => Means::Evidence,
                    None => Means::Nothing,
                }
            }
            ConnectionNews::Server(server) => {
                let made = out.made.or(Some(now));
                self.out = Some(Out { made, ..out });
                if std::mem::replace(&mut self.told, Told::No) == Told::Yes {
                    self.owed.push(Line::Back);
                }
                self.meets(*server)
            }
        }
    }

    fn meets(&mut self, server: Server) -> Means {
        let Some(known) = self.known else {
            self.known = Some(server);
            return Means::Nothing;
        };
        let closed = known.access == Access::ReadWrite && server.access == Access::ReadOnly;
        let other = known.system != server.system;
        // The world's servers always say what they are.
        let failover = other || server.timeline > known.timeline;
        let timeline = if failover {
            server.timeline
        } else {
            known.timeline
        };
        self.known = Some(Server { timeline, ..server });
        self.owed.extend(closed.then_some(Line::ReadOnly));
        self.owed.extend(failover.then_some(Line::FailedOver));
        match (closed, failover) {
            (false, false) => Means::Nothing,
            (true, false) => Means::Evidence,
            (false, true) => Means::Failover,
            (true, true) => Means::Both,
        }
    }

    /// Whose database is watched from now on.
    fn aim(&mut self, subject: Option<(InstanceId, u32)>) {
        if self.subject != subject {
            (self.subject, self.known, self.ended) = (subject, None, None);
            (self.failures, self.told) = (0, Told::No);
        }
    }

    fn pause(&self) -> Duration {
        let doubled = CONNECTION_PAUSE_MIN * (1 << self.failures.saturating_sub(1).min(20));
        doubled.min(CONNECTION_PAUSE_MAX)
    }

    fn opens(&mut self, now: Time, connection: ConnectionId) -> Result<(), String> {
        if self.out.is_some() {
            return Err("two connections at once".to_owned());
        }
        if let Some(ended) = self.ended
            && now < ended + self.pause() * JITTER.0 / 10
        {
            return Err(format!("a connection is made again too soon after {ended}"));
        }
        self.out = Some(Out {
            connection,
            made: None,
        });
        Ok(())
    }

    fn check(&mut self, now: Time) -> Result<(), String> {
        if let Some(line) = self.owed.pop() {
            return Err(format!("of the connection {line:?} was not told"));
        }
        match (self.subject, &self.out, self.ended) {
            (None, Some(_), _) => Err("a connection is kept that must be closed".to_owned()),
            (Some(_), None, Some(ended)) if now > ended + self.pause() * JITTER.1 / 10 + SLACK => {
                Err(format!("no connection is made again since {ended}"))
            }
            (Some(_), None, None) => Err("the database is not watched".to_owned()),
            (None | Some(_), _, _) => Ok(()),
        }
    }
}

impl Law {
    /// News of the connection.
    pub(super) fn connection_news(&mut self, now: Time, id: ConnectionId, news: &ConnectionNews) {
        if let ConnectionNews::Server(_) = news {
            self.ledger.logins_work();
        }
        let means = self.connection.news(now, id, news);
        if let Means::Evidence | Means::Both = means {
            self.dying(now);
        }
        let restarts = self.config.connection == ConnectionWatch::On(OnFailover::Restart);
        if let (Means::Failover | Means::Both, true) = (means, restarts) {
            self.fails_over(now);
            self.spares(now);
        }
    }

    /// "At most 3 in 10 minutes, then told and left until the window passes".
    fn fails_over(&mut self, now: Time) {
        let idle = matches!(self.launch, Launch::None) && self.beside.newcomes_with().is_none();
        let counts = idle && self.suits_proven();
        let Some(child) = &mut self.child else {
            return;
        };
        child.failed_over = Some(now);
        if counts {
            let all = &mut self.failovers;
            let third = all
                .len()
                .checked_sub(FAILOVERS.0)
                .and_then(|at| all.get(at));
            let until = third.map_or(now, |third| (*third + FAILOVERS.1).max(now));
            all.push(until);
            child.failover_waits = (until > now).then_some((until, self.ledger.revision()));
        }
    }

    /// Whether the child is only to be replaced for a failover, and later.
    pub(super) fn failover_waits(&self, now: Time) -> bool {
        let child = self.healthy().filter(|child| child.asked_for.is_none());
        let waits = child.and_then(|child| child.failover_waits);
        waits.is_some_and(|(until, of)| now < until && of == self.ledger.revision())
    }

    /// It is told that a failover waits.
    pub(super) fn tells_failover(&self, now: Time, wait: Duration) -> Result<(), String> {
        let waits = self.healthy().and_then(|child| child.failover_waits);
        match waits {
            Some((until, _)) if wait == until.since(now) => Ok(()),
            Some(_) | None => Err(format!("a failover is said to wait for {wait:?}")),
        }
    }

    pub(super) fn opens_connection(
        &mut self,
        now: Time,
        connection: ConnectionId,
        url: &str,
    ) -> Result<(), String> {
        self.aim_connection();
        match self.connection.subject {
            Some((_, version)) if values::version(url) == Some(version) => {
                self.connection.opens(now, connection)
            }
            Some(_) => Err("a connection with another credential than the child's".to_owned()),
            None => Err("a connection that nobody needs, or with an old credential".to_owned()),
        }
    }

    pub(super) fn closes_connection(&mut self, connection: ConnectionId) -> Result<(), String> {
        let before = self.connection.subject;
        self.aim_connection();
        let is_out = self
            .connection
            .out
            .take_if(|out| out.connection == connection);
        match is_out {
            None => Err(format!("{connection} is closed, and is not out")),
            Some(_) if before == self.connection.subject => {
                Err("a connection is closed for nothing".to_owned())
            }
            Some(_) => Ok(()),
        }
    }

    pub(super) fn tells_connection(&mut self, fact: &ConnectionFact) -> Result<(), String> {
        let line = match fact {
            ConnectionFact::Lost { .. } => Line::Lost,
            ConnectionFact::NotMade { .. } => Line::NotMade,
            ConnectionFact::Back { .. } => Line::Back,
            ConnectionFact::ReadOnly => Line::ReadOnly,
            ConnectionFact::FailedOver { .. } => Line::FailedOver,
        };
        let owed = &mut self.connection.owed;
        let at = owed.iter().position(|owed| *owed == line);
        match at {
            Some(at) => {
                owed.remove(at);
                Ok(())
            }
            None => Err(format!("of the connection {line:?} is told, and is not so")),
        }
    }

    pub(super) fn check_connection(&mut self, now: Time) -> Result<(), String> {
        self.aim_connection();
        self.connection.check(now)
    }

    /// The child that lives and that nobody told to end, unless its credential is known to be old.
    fn aim_connection(&mut self) {
        let watched = self.config.connection != ConnectionWatch::Off && self.end.is_none();
        let newest = self.ledger.newest().unwrap_or_default()[0];
        let child = self.healthy().filter(|_| watched);
        let subject = child.and_then(|child| {
            let version = child.values[0].filter(|_| child.values[0] == newest)?;
            Some((child.id, version))
        });
        self.connection.aim(subject);
    }
}
