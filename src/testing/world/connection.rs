//! The connection that the supervisor keeps to the database: how it is made, how it is lost, and
//! who answers.

use crate::supervisor::event::{ConnectionNews, Event};
use crate::supervisor::id::ConnectionId;
use crate::supervisor::time::Duration;

use super::World;
use super::agenda::Happening;
use super::heroku::Scene;
use super::values::version;

/// The connection that the supervisor wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watched {
    pub(super) connection: ConnectionId,
    version: u32,
    made: Made,
}

/// What is found out about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It is made, or cannot be.
    Tried,
    /// Who answers.
    Server,
    /// It is lost.
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    NotYet,
    Yes,
}

impl World<'_> {
    /// It is made, or cannot be, after a while.
    pub(super) fn watch_connection(&mut self, connection: ConnectionId, url: &str) {
        let after = match self.dice.below(8) {
            0..=2 => self.dice.ms(1000, 9900),
            _ => self.dice.ms(2, 200),
        };
        let what = Found::Tried;
        self.agenda
            .plan(self.now + after, Happening::Connection { connection, what });
        if let Some(running) = &mut self.supervisor {
            running.connection = Some(Watched {
                connection,
                version: version(url).unwrap_or_default(),
                made: Made::NotYet,
            });
        }
    }

    /// What is on its way may be told all the same.
    pub(super) fn unwatch_connection(&mut self) {
        if let Some(running) = &mut self.supervisor {
            running.connection = None;
        }
    }

    pub(super) fn connection(
        &mut self,
        connection: ConnectionId,
        what: Found,
    ) -> Result<(), String> {
        match what {
            Found::Tried => self.connects(connection),
            Found::Server => self.connection_looks(connection),
            Found::Gone => self.connection_ends(connection, "57P01: terminating connection"),
        }
    }

    fn connects(&mut self, connection: ConnectionId) -> Result<(), String> {
        let full = self.dice.one_in(12);
        let lets_in = |version| self.heroku.lets_in(version) && !full;
        let watched = self.supervisor.as_mut();
        let watched = watched.and_then(|running| running.connection.as_mut());
        let is_made = match watched.filter(|watched| watched.connection == connection) {
            Some(watched) if lets_in(watched.version) => {
                watched.made = Made::Yes;
                true
            }
            Some(_) => false,
            // It was closed meanwhile, and the news come late.
            None => self.dice.one_in(2),
        };
        if is_made {
            self.connection_looks(connection)
        } else {
            self.connection_ends(connection, "login refused: 28P01")
        }
    }

    /// Who answers.
    fn connection_looks(&mut self, connection: ConnectionId) -> Result<(), String> {
        let news = ConnectionNews::Server(self.heroku.database.server);
        self.step(Event::Connection { connection, news }, None)
    }

    fn connection_ends(&mut self, connection: ConnectionId, why: &str) -> Result<(), String> {
        let why = why.to_owned();
        let news = ConnectionNews::Lost { why };
        self.step(Event::Connection { connection, news }, None)
    }

    /// What a scene does to a connection that is there.
    pub(super) fn shake_connection(&mut self, scene: Scene) {
        let Some(Watched {
            connection,
            version,
            made: Made::Yes,
        }) = self
            .supervisor
            .as_ref()
            .and_then(|running| running.connection)
        else {
            return;
        };
        let lets_in = self.heroku.lets_in(version);
        let (lost, looks) = (Found::Gone, Found::Server);
        let (after, what) = match scene {
            Scene::Kick => (self.dice.ms(0, 100), lost),
            Scene::FailsOver | Scene::Moves if self.dice.one_in(4) => {
                (self.dice.ms(0, 30_000), looks)
            }
            Scene::FailsOver | Scene::Moves => (self.dice.ms(0, 2000), lost),
            Scene::TakesNoWrites | Scene::TakesWrites => (self.dice.ms(0, 30_000), looks),
            Scene::RoadCloses => (self.dice.ms(0, 60_000), lost),
            Scene::Reset | Scene::IssueAndReset if !lets_in && !self.dice.one_in(4) => {
                (self.dice.ms(0, 500), lost)
            }
            Scene::Reset
            | Scene::IssueAndReset
            | Scene::Show
            | Scene::OtherVariable
            | Scene::IssueAndShow
            | Scene::OldAgain
            | Scene::Gap
            | Scene::Release
            | Scene::NotKnownYet
            | Scene::KnownNow
            | Scene::RoadOpens => return,
        };
        self.agenda
            .plan(self.now + after, Happening::Connection { connection, what });
    }

    /// It is lost, at the worst moment.
    pub(super) fn kick_connection(&mut self, soon: Duration) {
        let scene = self
            .dice
            .pick(&[Scene::Kick, Scene::Kick, Scene::FailsOver]);
        self.agenda.plan(self.now + soon, Happening::Truth(scene));
    }
}
