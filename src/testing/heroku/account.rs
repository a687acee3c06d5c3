//! The account behind the tokens: which tokens are good for what, and its budget of API calls.

use std::time::Duration;

use axum::http::{HeaderMap, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::made_up;
use super::problem::Problem;

/// Heroku's bucket: so many calls at most, refilled at so many a minute.
const BUDGET_MAX: f64 = 4500.0;
const REFILL_PER_SECOND: f64 = 75.0 / 60.0;

/// The calls that the account has left. Time is since the simulator's start.
pub(super) struct Budget {
    left: f64,
    as_of: Duration,
}

impl Budget {
    pub(super) fn full() -> Self {
        Self {
            left: BUDGET_MAX,
            as_of: Duration::ZERO,
        }
    }

    pub(super) fn set(&mut self, now: Duration, calls: u32) {
        self.left = f64::from(calls).min(BUDGET_MAX);
        self.as_of = now;
    }

    pub(super) fn remaining(&mut self, now: Duration) -> u32 {
        let refill = now.saturating_sub(self.as_of).as_secs_f64() * REFILL_PER_SECOND;
        self.left = (self.left + refill).min(BUDGET_MAX);
        self.as_of = now;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 4500"
        )]
        {
            self.left as u32
        }
    }

    /// Takes one call; false when there is none left.
    pub(super) fn take(&mut self, now: Duration) -> bool {
        let some = self.remaining(now) > 0;
        if some {
            self.left -= 1.0;
        }
        some
    }
}

/// A token and what it is good for.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) scope: Vec<String>,
}

/// The tokens that are accepted.
pub(super) struct Tokens(Vec<Token>);

impl Tokens {
    pub(super) fn only(text: &str) -> Self {
        Self(vec![Token {
            text: text.to_owned(),
            scope: vec!["global".to_owned()],
        }])
    }

    /// A new token, accepted from now on beside the others.
    pub(super) fn issue(&mut self, scope: Vec<String>) -> Token {
        let token = Token {
            text: format!("HRKU-AA{}", made_up::alphanumeric(58)),
            scope,
        };
        self.0.push(token.clone());
        token
    }

    /// The token that these headers carry, when it is a good one.
    pub(super) fn presented(&self, headers: &HeaderMap) -> Result<Token, Problem> {
        let text = token_in(headers).ok_or_else(Problem::unauthorized)?;
        let known = self.0.iter().find(|token| token.text == text);
        known.cloned().ok_or_else(Problem::unauthorized)
    }
}

/// The scopes that a call takes, as `Oauth-Scope-Accepted` names them.
pub(super) fn scopes_accepted(method: &Method, path: &str) -> &'static [&'static str] {
    let protected = path.contains("/config-vars") || path.contains("/releases");
    match (method == Method::GET, protected) {
        _ if path.starts_with("/account") => &[
            "global",
            "identity",
            "read",
            "write",
            "read-protected",
            "write-protected",
        ],
        (true, true) => &["global", "read-protected", "write-protected"],
        (true, false) => &[
            "global",
            "read",
            "read-protected",
            "write",
            "write-protected",
        ],
        (false, true) => &["global", "write-protected"],
        (false, false) => &["global", "write", "write-protected"],
    }
}

/// `Bearer TOKEN`, or the password of `Basic`, which the CLI still sends to the data API.
fn token_in(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    if let Some(token) = value.strip_prefix("Bearer ") {
        return Some(token.to_owned());
    }
    let decoded = BASE64.decode(value.strip_prefix("Basic ")?).ok()?;
    let (_user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_refills_at_75_a_minute_and_never_overflows() {
        let mut budget = Budget::full();
        assert!(budget.take(Duration::ZERO));
        assert_eq!(budget.remaining(Duration::ZERO), 4499);
        assert_eq!(budget.remaining(Duration::from_secs(60)), 4500);
        budget.set(Duration::from_secs(60), 0);
        assert!(!budget.take(Duration::from_secs(60)));
        assert_eq!(budget.remaining(Duration::from_secs(120)), 75);
    }

    #[test]
    fn bearer_and_basic_both_carry_the_token() {
        let tokens = Tokens::only("HRKU-goodtoken");
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            tokens.presented(&headers).is_ok()
        };
        assert!(with("Bearer HRKU-goodtoken"));
        assert!(with("Basic OkhSS1UtZ29vZHRva2Vu"));
        assert!(!with("Bearer undefined"));
        assert!(tokens.presented(&HeaderMap::new()).is_err());
    }

    #[test]
    fn config_vars_need_a_protected_scope() {
        let accepted = scopes_accepted(&Method::GET, "/apps/myapp/config-vars");
        assert!(accepted.contains(&"read-protected"));
        assert!(!accepted.contains(&"read"));
    }
}
