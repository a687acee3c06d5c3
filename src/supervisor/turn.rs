//! One turn of the core: what every machine may read, and where its decisions go.

use std::collections::VecDeque;

use crate::exit_code::ExitCode;

use super::action::Action;
use super::config::Config;
use super::hold::Hold;
use super::id::{CacheId, ConnectionId, FetchId, InstanceId, LoginId};
use super::notice::Notice;
use super::rng::Rng;
use super::source::Fallen;
use super::time::Time;

/// Lent to a machine for the length of one call.
pub(super) struct Turn<'a> {
    pub(super) now: Time,
    pub(super) config: &'a Config,
    pub(super) hold: &'a mut Hold,
    pub(super) ids: &'a mut Ids,
    pub(super) rng: &'a mut Rng,
    pub(super) actions: &'a mut Vec<Action>,
    pub(super) wants: &'a mut VecDeque<Want>,
}

/// What one machine wants of another; the supervisor passes it on before the turn ends.
#[derive(Clone, Debug)]
pub(super) enum Want {
    /// A fetch that starts from now on.
    Fetch,
    /// The same for a child's failed end; spared where too many of them would use the account up.
    FetchForEnd,
    /// The same, followed by a burst.
    FetchOften,
    /// One more of those, where there was no burst.
    FetchOnceMore,
    /// The last answer was unusable where it matters: a burst, without another fetch right now.
    LookOften,
    /// Heroku gives no answer: a start on the fallback, which works.
    FallBack(Fallen),
    /// Nothing lives any more: this ends the life, and is its last action.
    Exit(ExitCode),
}

/// The next free id of each kind.
#[derive(Debug)]
pub(super) struct Ids {
    fetch: FetchId,
    instance: InstanceId,
    login: LoginId,
    connection: ConnectionId,
    cache: CacheId,
}

impl Turn<'_> {
    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn announce(&mut self, notice: Notice) {
        self.act(Action::Announce(notice));
    }

    pub(super) fn want(&mut self, want: Want) {
        self.wants.push_back(want);
    }
}

impl Ids {
    pub(super) const fn new() -> Self {
        Self {
            fetch: FetchId(0),
            instance: InstanceId(0),
            login: LoginId(0),
            connection: ConnectionId(0),
            cache: CacheId(0),
        }
    }

    pub(super) fn fetch(&mut self) -> FetchId {
        self.fetch = self.fetch.next();
        self.fetch
    }

    pub(super) fn instance(&mut self) -> InstanceId {
        self.instance = self.instance.next();
        self.instance
    }

    pub(super) fn login(&mut self) -> LoginId {
        self.login = self.login.next();
        self.login
    }

    pub(super) fn connection(&mut self) -> ConnectionId {
        self.connection = self.connection.next();
        self.connection
    }

    pub(super) fn cache(&mut self) -> CacheId {
        self.cache = self.cache.next();
        self.cache
    }
}
