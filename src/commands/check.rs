//! `changeover check`: one line for each thing that must be right, and what to do about each that
//! is not.

use std::fmt;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{CheckLogin, Config, Inherited};
use crate::credential::{DatabaseUrl, Fault, Secret, Snapshot, phrase};
use crate::exit_code::ExitCode;
use crate::heroku::{Answer, ApiUrl, Diagnosis, FetchError, NoToken, Refused, Token, TokenSource};
use crate::postgres::{self, Login};
use crate::runtime;

use super::failure::Failure;
use super::parts;

const LOGIN_TIMEOUT: Duration = Duration::from_secs(5);
const NEW_TOKEN: &str =
    "heroku authorizations:create -s read-protected, and put the new token where the old one is";

/// Everything that was looked at, in order.
#[derive(Debug, Default)]
struct Report(Vec<Finding>);

/// One thing that was looked at.
#[derive(Debug)]
struct Finding {
    subject: String,
    verdict: Verdict,
}

#[derive(Debug)]
enum Verdict {
    /// What was found is right.
    Good(String),
    /// What was found, what to do, and the code that `run` would end with.
    Bad(String, String, ExitCode),
    /// Why it could not be looked at.
    Unknown(String),
}

/// Looks at everything once and prints the report; the code is that of the first thing that is
/// wrong.
pub(super) fn check(config: &Config, inherited: &Inherited) -> Result<ExitCode, Failure> {
    let event_loop = runtime::event_loop()?;
    let report = event_loop.block_on(look(config, inherited));
    // A name lookup that hangs in the system's resolver must not hold the end up.
    event_loop.shutdown_background();
    let report = report?;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(report.to_string().as_bytes())?;
    stdout.flush()?;
    Ok(report.code())
}

async fn look(config: &Config, inherited: &Inherited) -> Result<Report, Failure> {
    let variables = Arc::new(inherited.clone());
    let api_url = ApiUrl::resolve(config.source.api_url.as_deref(), &variables)?;
    let source = TokenSource::new(&parts::token_options(config), variables, &api_url)?;
    let client = parts::client(config, inherited)?;
    let token = source.read().await;
    let mut report = Report::default();
    report.token(&token);
    if token.is_err() {
        return Ok(report);
    }
    let answer = client.config_vars(None).await;
    report.answer(&config.source.app, &answer);
    let Ok(Answer::Snapshot { snapshot, .. }) = answer else {
        return Ok(report);
    };
    report.variables(&config.source.app, &snapshot);
    for (name, value) in &snapshot.watched {
        let Ok(Ok(url)) = value
            .as_ref()
            .map(|value| DatabaseUrl::parse(value.expose()))
        else {
            continue;
        };
        if config.check_login == CheckLogin::Never {
            let why = "not tried: --check-login is never".to_owned();
            report.add(format!("{name} login"), Verdict::Unknown(why));
            continue;
        }
        let sslmode = config.environment.login_sslmode(&url);
        let login = postgres::login(url.text(), sslmode, LOGIN_TIMEOUT).await;
        report.login(&config.source.app, name, &login);
    }
    Ok(report)
}

/// A scope that is too small, or an owner who may not see the app.
fn mend_scope(app: &str, diagnosis: &Diagnosis) -> String {
    let Some(scope) = diagnosis.oauth_scope.as_deref() else {
        return NEW_TOKEN.to_owned();
    };
    let accepted = diagnosis
        .oauth_scope_accepted
        .as_deref()
        .unwrap_or_default();
    if accepted.split(' ').any(|name| name == scope) {
        return format!("give the token's owner access: heroku access:add OWNER -a {app}");
    }
    format!(
        "its scope is {}, and read-protected is needed: {NEW_TOKEN}",
        phrase(scope)
    )
}

impl Report {
    fn add(&mut self, subject: impl Into<String>, verdict: Verdict) {
        self.0.push(Finding {
            subject: subject.into(),
            verdict,
        });
    }

    fn token(&mut self, token: &Result<Token, NoToken>) {
        let verdict = match token {
            Ok(Token {
                origin,
                warning: Some(warning),
                ..
            }) => Verdict::Good(format!("from {origin}; but {warning}")),
            Ok(token) => Verdict::Good(format!("from {}", token.origin)),
            Err(error) => {
                let mend = "set HEROKU_API_KEY, or name a file with --token-file".to_owned();
                Verdict::Bad(error.to_string(), mend, ExitCode::Config)
            }
        };
        self.add("token", verdict);
    }

    fn answer(&mut self, app: &str, answer: &Result<Answer, FetchError>) {
        let bad = |found: &FetchError, mend: &str, code| {
            Verdict::Bad(found.to_string(), mend.to_owned(), code)
        };
        match answer {
            Ok(Answer::Snapshot { diagnosis, .. } | Answer::NotModified { diagnosis }) => {
                self.add("app", Verdict::Good(format!("{app} shows its config vars")));
                self.diagnosis(diagnosis);
            }
            Err(error @ (FetchError::NoToken(_) | FetchError::TokenCommandFailed(_))) => {
                self.add("token", bad(error, NEW_TOKEN, ExitCode::Config));
            }
            Err(error @ FetchError::TokenRefused { status: 401, .. }) => {
                // It was found, and that is all the good there is to say of it.
                self.0.retain(|finding| finding.subject != "token");
                self.add("token", bad(error, NEW_TOKEN, ExitCode::Config));
            }
            Err(
                error @ FetchError::TokenRefused {
                    fault: Refused::Account,
                    ..
                },
            ) => {
                self.add("app", bad(error, "settle it with Heroku", ExitCode::Config));
            }
            Err(error @ FetchError::TokenRefused { diagnosis, .. }) => {
                self.add(
                    "scope",
                    bad(error, &mend_scope(app, diagnosis), ExitCode::Config),
                );
            }
            Err(error @ FetchError::AppNotFound { .. }) => {
                let mend = "check --app against `heroku apps --all`, and that the token's owner has access to it";
                self.add("app", bad(error, mend, ExitCode::Config));
            }
            Err(error @ FetchError::Unavailable { .. }) => {
                let mend = if error.to_string().starts_with("429") {
                    "the account's 4500 calls an hour are used up: find out what else uses them, or wait"
                } else {
                    "try again; see https://status.heroku.com, and this machine's way to the internet"
                };
                self.add("API", bad(error, mend, ExitCode::NoAnswer));
            }
        }
    }

    fn diagnosis(&mut self, diagnosis: &Diagnosis) {
        let scope = match diagnosis.oauth_scope.as_deref().map(phrase) {
            Some(scope) if scope == "global" => {
                Verdict::Good("global, more than needed: read-protected is enough".to_owned())
            }
            Some(scope) => Verdict::Good(scope),
            None => Verdict::Unknown("Heroku did not name it".to_owned()),
        };
        self.add("scope", scope);
        let budget = match diagnosis.ratelimit_remaining {
            Some(left) => Verdict::Good(format!("{left} requests left to the account")),
            None => Verdict::Unknown("Heroku did not name it".to_owned()),
        };
        self.add("budget", budget);
    }

    fn variables(&mut self, app: &str, snapshot: &Snapshot) {
        for (name, value) in &snapshot.watched {
            let verdict = match value {
                Ok(value) => Verdict::Good(describe(value)),
                Err(fault) => Verdict::Bad(fault.to_string(), mend(app, *fault), ExitCode::Config),
            };
            self.add(phrase(name), verdict);
        }
        if snapshot.watched.is_empty() {
            let mend = format!("`heroku config -a {app}` shows what there is; name it with --var");
            let found = "no config var matches --var".to_owned();
            self.add("variables", Verdict::Bad(found, mend, ExitCode::Config));
        }
    }

    fn login(&mut self, app: &str, name: &str, login: &Login) {
        let verdict = match login {
            Login::Accepted => Verdict::Good("the database lets us in".to_owned()),
            Login::Refused { code } => Verdict::Bad(
                format!("the database refuses it ({})", phrase(code)),
                format!("`heroku pg:credentials -a {app}` shows whether a rotation is under way"),
                ExitCode::Config,
            ),
            Login::Unreachable { why } => Verdict::Unknown(format!(
                "not possible from here ({why}); the program may have another way"
            )),
        };
        self.add(format!("{} login", phrase(name)), verdict);
    }

    fn code(&self) -> ExitCode {
        let bad = |finding: &Finding| match finding.verdict {
            Verdict::Bad(_, _, code) => Some(code),
            Verdict::Good(_) | Verdict::Unknown(_) => None,
        };
        self.0.iter().find_map(bad).unwrap_or(ExitCode::Success)
    }
}

/// A usable value, without what is secret in it.
fn describe(value: &Secret) -> String {
    DatabaseUrl::parse(value.expose()).map_or("usable".to_owned(), |url| url.redacted())
}

fn mend(app: &str, fault: Fault) -> String {
    match fault {
        Fault::Missing => {
            format!("`heroku config -a {app}` shows what there is; name it with --var")
        }
        Fault::Null | Fault::Empty | Fault::NotText | Fault::HasNul | Fault::NotAUrl => {
            format!("set it anew with `heroku config:set -a {app}`, or attach the add-on again")
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |finding: &Finding| finding.subject.chars().count();
        let width = self.0.iter().map(width).max().unwrap_or(0);
        for Finding { subject, verdict } in &self.0 {
            match verdict {
                Verdict::Good(found) => writeln!(f, "✓ {subject:width$}  {found}")?,
                Verdict::Unknown(why) => writeln!(f, "– {subject:width$}  {why}")?,
                Verdict::Bad(found, mend, _) => {
                    writeln!(f, "✗ {subject:width$}  {found}")?;
                    writeln!(f, "  {:width$}  → {mend}", "")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::credential::Values;
    use crate::heroku::Origin;
    use crate::postgres::Obstacle;

    fn snapshot(watched: &[(&str, Result<&str, Fault>)]) -> Snapshot {
        let one = |(name, value): &(&str, Result<&str, Fault>)| {
            ((*name).to_owned(), (*value).map(Secret::from))
        };
        Snapshot {
            watched: watched.iter().map(one).collect::<BTreeMap<_, _>>(),
            others: Values::new(),
        }
    }

    fn token() -> Result<Token, NoToken> {
        Ok(Token {
            secret: Secret::from("CANARY"),
            origin: Origin::ApiKey,
            warning: None,
        })
    }

    #[test]
    fn all_is_well() {
        let snapshot = snapshot(&[
            ("DATABASE_URL", Ok("postgres://u:CANARY@h:5432/d")),
            ("OTHER", Ok("CANARY")),
        ]);
        let diagnosis = Diagnosis {
            ratelimit_remaining: Some(4499),
            oauth_scope: Some("global".to_owned()),
            oauth_scope_accepted: None,
        };
        let mut report = Report::default();
        report.token(&token());
        report.variables("acme", &snapshot);
        let answer = Answer::Snapshot {
            snapshot,
            etag: None,
            diagnosis,
        };
        report.answer("acme", &Ok(answer));
        report.login("acme", "DATABASE_URL", &Login::Accepted);
        let origin = Origin::ApiKey;
        assert_eq!(
            report.to_string(),
            format!(
                "✓ token               from {origin}\n\
                 ✓ DATABASE_URL        postgres://u:***@h:5432/d\n\
                 ✓ OTHER               usable\n\
                 ✓ app                 acme shows its config vars\n\
                 ✓ scope               global, more than needed: read-protected is enough\n\
                 ✓ budget              4499 requests left to the account\n\
                 ✓ DATABASE_URL login  the database lets us in\n"
            )
        );
        assert_eq!(report.code(), ExitCode::Success);
    }

    #[test]
    fn what_is_wrong_is_followed_by_what_to_do() {
        let mut report = Report::default();
        report.variables("acme", &snapshot(&[("DATABASE_URL", Err(Fault::Missing))]));
        assert_eq!(
            report.to_string(),
            "✗ DATABASE_URL  missing\n\
             \x20               → `heroku config -a acme` shows what there is; name it with --var\n"
        );
        assert_eq!(report.code(), ExitCode::Config);

        let mut report = Report::default();
        report.token(&Err(NoToken::Nowhere("no source has one".to_owned())));
        assert!(
            report
                .to_string()
                .starts_with("✗ token  no source has one\n         → set HEROKU_API_KEY")
        );
        assert_eq!(report.code(), ExitCode::Config);

        let mut report = Report::default();
        report.variables("acme", &snapshot(&[]));
        assert!(report.to_string().contains("no config var matches"));
    }

    #[test]
    fn each_failure_has_its_code() {
        let refused = FetchError::TokenRefused {
            status: 403,
            origin: Origin::ApiKey,
            fault: Refused::Token,
            message: "403 forbidden".to_owned(),
            diagnosis: Diagnosis {
                oauth_scope: Some("identity".to_owned()),
                ..Diagnosis::default()
            },
        };
        let not_found = FetchError::AppNotFound {
            app: "acme".to_owned(),
            origin: "HEROKU_API_KEY".to_owned(),
            message: "404".to_owned(),
        };
        let unavailable = FetchError::Unavailable {
            detail: "503 (HTML)".to_owned(),
            retry_after: None,
        };
        for (error, code, part) in [
            (refused, ExitCode::Config, "→ its scope is identity"),
            (not_found, ExitCode::Config, "→ check --app"),
            (unavailable, ExitCode::NoAnswer, "→ try again"),
        ] {
            let mut report = Report::default();
            report.answer("acme", &Err(error));
            assert_eq!(report.code(), code);
            assert!(report.to_string().contains(part), "{report}");
        }
    }

    #[test]
    fn a_login_that_is_not_possible_proves_nothing() {
        let mut report = Report::default();
        let why = Obstacle::ConnectionRefused;
        report.login("acme", "A", &Login::Unreachable { why });
        assert!(
            report
                .to_string()
                .starts_with("– A login  not possible from here (connection refused);"),
            "{report}"
        );
        assert_eq!(report.code(), ExitCode::Success);
        let code = "28P01".to_owned();
        report.login("acme", "A", &Login::Refused { code });
        assert_eq!(report.code(), ExitCode::Config);
    }
}
