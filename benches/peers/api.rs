//! What a credential is asked of, as the rows see it: it has another one, and it can misbehave.

use anyhow::{Context, Result};
use changeover::testing::heroku::{Fault, Simulator};

/// An API that hands out one credential.
pub(crate) trait Api {
    /// Another credential from now on. Whoever is told of such things is told.
    fn change(&self) -> Result<()>;

    /// The credential as it is now.
    fn value(&self) -> Result<String>;

    /// How often it was asked for it.
    fn asked(&self) -> usize;

    /// How it answers from now on; `None`: as it should.
    fn misbehave(&self, trouble: Option<Trouble>);
}

/// A way to answer that is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 429.
    RateLimited,
    /// 500, in JSON.
    ServerError,
    /// 503, a page of a router.
    Unavailable,
    /// 200 with something else than JSON.
    Garbage,
    /// 200 with an empty credential.
    Empty,
    /// Nothing, for ever.
    Hang,
    /// The connection is reset.
    Reset,
}

impl Api for Simulator {
    fn change(&self) -> Result<()> {
        Ok(self.rotate("default")?)
    }

    fn value(&self) -> Result<String> {
        self.config_var("DATABASE_URL").context("no DATABASE_URL")
    }

    fn asked(&self) -> usize {
        self.request_count()
    }

    fn misbehave(&self, trouble: Option<Trouble>) {
        let Some(trouble) = trouble else {
            return self.clear_faults();
        };
        self.fault(match trouble {
            Trouble::Unauthorized => Fault::Unauthorized,
            Trouble::Forbidden => Fault::Forbidden,
            Trouble::NotFound => Fault::NotFound,
            Trouble::RateLimited => Fault::RateLimited,
            Trouble::ServerError => Fault::ServerError,
            Trouble::Unavailable => Fault::Unavailable,
            Trouble::Garbage => Fault::Garbage,
            Trouble::Empty => Fault::EmptyString,
            Trouble::Hang => Fault::Hang,
            Trouble::Reset => Fault::Reset,
        });
    }
}
