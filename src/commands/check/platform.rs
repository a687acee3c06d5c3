//! What the token's source and the Platform API say: the first four lines.

use crate::credential::phrase;
use crate::heroku::{Answer, Diagnosis, FetchError, NoToken, Refused, Token};
use crate::supervisor::budget::ACCOUNT;

use super::report::{Name, Verdict};

type Lines = Vec<(Name, Verdict)>;

const NEW_TOKEN: &str = "make another with `heroku authorizations:create -s read-protected -S`, and put it where the \
                         old one is";
/// With less than this left polls are put off.
const BUDGET_LOW: u32 = ACCOUNT / 2;

/// Token, scope, app, budget. There is no answer where there is no token.
pub(super) fn lines(
    app: &str,
    token: &Result<Token, NoToken>,
    answer: Option<&Result<Answer, FetchError>>,
) -> Lines {
    let token = match token {
        Ok(token) => token,
        Err(error) => {
            let mend = "set HEROKU_API_KEY, or name a file with --token-file";
            return refused(Verdict::wrong(error.to_string(), mend));
        }
    };
    match answer {
        Some(Ok(Answer::Snapshot { diagnosis, .. } | Answer::NotModified { diagnosis })) => vec![
            (Name::Token, found(token)),
            (Name::Scope, scope(diagnosis)),
            (
                Name::App,
                Verdict::good(format!("{app} shows its config vars")),
            ),
            (Name::Budget, budget(diagnosis)),
        ],
        Some(Err(error)) => failed(app, token, error),
        None => vec![(Name::Token, found(token))],
    }
}

/// A token without which nothing else can be asked.
fn refused(verdict: Verdict) -> Lines {
    let behind = |name| (name, Verdict::Behind(Name::Token));
    let mut lines = vec![(Name::Token, verdict)];
    lines.extend([Name::Scope, Name::App, Name::Budget].map(behind));
    lines
}

fn found(token: &Token) -> Verdict {
    let place = format!("from {}", token.origin);
    match &token.warning {
        Some(warning) => Verdict::advice(place, warning),
        None => Verdict::good(place),
    }
}

fn failed(app: &str, token: &Token, error: &FetchError) -> Lines {
    let told = || error.to_string();
    let of_token = (Name::Token, found(token));
    let not_told = |name| (name, Verdict::unknown("Heroku did not say"));
    match error {
        FetchError::NoToken(_) | FetchError::TokenCommandFailed(_) => {
            refused(Verdict::wrong(told(), NEW_TOKEN))
        }
        FetchError::TokenRefused {
            status,
            fault,
            diagnosis,
            ..
        } => forbidden(app, token, error, (*status, *fault, diagnosis)),
        FetchError::AppNotFound { .. } => {
            let mend = "compare --app with `heroku apps --all`, and see that the token's owner has access to it";
            vec![
                of_token,
                not_told(Name::Scope),
                (Name::App, Verdict::wrong(told(), mend)),
                not_told(Name::Budget),
            ]
        }
        FetchError::Unavailable { detail, .. } if detail.starts_with("429") => {
            let mend = "wait: 75 calls a minute come back; and find out what else uses the account";
            vec![
                of_token,
                not_told(Name::Scope),
                (Name::App, Verdict::Behind(Name::Budget)),
                (Name::Budget, Verdict::away(told(), mend)),
            ]
        }
        FetchError::Unavailable { .. } => {
            let mend =
                "try again; see https://status.heroku.com, and this machine's way to the internet";
            let found = format!("Heroku's API does not answer: {}", told());
            vec![
                of_token,
                (Name::Scope, Verdict::Behind(Name::App)),
                (Name::App, Verdict::away(found, mend)),
                (Name::Budget, Verdict::Behind(Name::App)),
            ]
        }
    }
}

/// 401 or 403: the token itself, its scope, its owner, or the account.
fn forbidden(
    app: &str,
    token: &Token,
    error: &FetchError,
    (status, fault, diagnosis): (u16, Refused, &Diagnosis),
) -> Lines {
    let told = || error.to_string();
    let of_app = |mend: String| {
        vec![
            (Name::Token, found(token)),
            (Name::Scope, scope(diagnosis)),
            (Name::App, Verdict::wrong(told(), mend)),
            (Name::Budget, budget(diagnosis)),
        ]
    };
    match (fault, fits(diagnosis)) {
        (Refused::Account, _) => of_app("settle it with Heroku".to_owned()),
        (Refused::Token, Some(false)) if status != 401 => vec![
            (Name::Token, found(token)),
            (Name::Scope, Verdict::wrong(told(), NEW_TOKEN)),
            (Name::App, Verdict::Behind(Name::Scope)),
            (Name::Budget, budget(diagnosis)),
        ],
        (Refused::Token, Some(true)) if status != 401 => of_app(format!(
            "give the token's owner access: `heroku access:add OWNER -a {app}`"
        )),
        // A key that has expired may read as 403.
        (Refused::Token, _) => refused(Verdict::wrong(told(), NEW_TOKEN)),
    }
}

/// Whether one of the token's scopes is one that would do, when both are named.
fn fits(diagnosis: &Diagnosis) -> Option<bool> {
    let has = diagnosis.oauth_scope.as_deref()?;
    let accepted = diagnosis.oauth_scope_accepted.as_deref()?;
    let is_accepted = |scope: &str| accepted.split_whitespace().any(|one| one == scope);
    Some(has.split_whitespace().any(is_accepted))
}

fn scope(diagnosis: &Diagnosis) -> Verdict {
    let Some(scope) = diagnosis.oauth_scope.as_deref() else {
        return Verdict::unknown("Heroku did not say");
    };
    let is_wide = |scope| ["global", "write", "write-protected"].contains(&scope);
    if scope.split_whitespace().any(is_wide) {
        let found = format!(
            "{}: it may change what it reads; read-protected is enough",
            phrase(scope)
        );
        return Verdict::advice(found, NEW_TOKEN);
    }
    Verdict::good(phrase(scope))
}

fn budget(diagnosis: &Diagnosis) -> Verdict {
    let Some(left) = diagnosis.ratelimit_remaining else {
        return Verdict::unknown("Heroku did not say");
    };
    let found = format!("{left} of the account's {ACCOUNT} calls are left");
    if left < BUDGET_LOW {
        let mend = "changeover puts its polls off while less than half is left: find out what else uses this account, \
                    or give changeover one of its own; 75 calls a minute come back";
        return Verdict::advice(found, mend);
    }
    Verdict::good(found)
}
