//! What a client makes of each of the simulator's faults: by this the core's own simulations go,
//! and `tests/it/client/faults.rs` holds the real client against it.

use crate::credential::Fault as Unusable;
use crate::supervisor::event::FailureKind;

use super::heroku::Fault;

/// What the core gets to see of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// No usable answer, and soon.
    Failure(FailureKind),
    /// 429, so that the account has nothing left; `true`: it says how long to stay away.
    Limited {
        /// With `Retry-After`.
        stay_away: bool,
    },
    /// No usable answer until the request is given up.
    Silence,
    /// A good answer, in which the variable has no usable value.
    Variable(Unusable),
    /// A good answer without any variable.
    NoVariables,
    /// The true answer, late.
    Late,
    /// 304 to a request with a tag, whatever the truth is; the true answer to any other.
    FalseNotModified,
}

/// What comes of a request that suffers this fault.
#[must_use]
pub fn seen(fault: Fault) -> Seen {
    match fault {
        Fault::Unauthorized | Fault::Forbidden => Seen::Failure(FailureKind::TokenRefused),
        Fault::NotFound => Seen::Failure(FailureKind::AppNotFound),
        Fault::RateLimited => Seen::Limited { stay_away: false },
        Fault::RetryAfterSeconds | Fault::RetryAfterDate => Seen::Limited { stay_away: true },
        Fault::ServerError
        | Fault::Unavailable
        | Fault::Garbage
        | Fault::EmptyBody
        | Fault::HugeBody
        | Fault::TruncatedBody
        | Fault::Reset
        | Fault::Redirect => Seen::Failure(FailureKind::Unavailable),
        Fault::SlowBody | Fault::Hang => Seen::Silence,
        Fault::EmptyMap => Seen::NoVariables,
        Fault::MissingKey => Seen::Variable(Unusable::Missing),
        Fault::Null => Seen::Variable(Unusable::Null),
        Fault::EmptyString => Seen::Variable(Unusable::Empty),
        Fault::Number => Seen::Variable(Unusable::NotText),
        Fault::MalformedUrl => Seen::Variable(Unusable::NotAUrl),
        Fault::Late => Seen::Late,
        Fault::FalseNotModified => Seen::FalseNotModified,
    }
}
