//! The first usable answer, for commands that fetch once: asked for until it comes or `--start-timeout` is over.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::config::{CheckLogin, Config, Inherited};
use crate::credential::{DatabaseUrl, Environment, Fault, Snapshot, Values};
use crate::heroku::{Answer, Client, FetchError};
use crate::postgres::{self, Login};
use crate::runtime::{self, telemetry};

use super::failure::Failure;
use super::parts;

const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(30);
const LOGIN_TIMEOUT: Duration = Duration::from_secs(5);
/// A refusal that repeats will go on: waiting longer helps nobody.
const REFUSALS_MAX: u32 = 2;

/// Why an attempt did not do.
struct Miss {
    failure: Failure,
    /// How long the server asked us to stay away.
    retry_after: Option<Duration>,
}

/// Fetches, and builds the environment that a program would get.
///
/// # Errors
/// When no usable answer came in time, or none will come.
pub(super) fn environment(config: &Config, inherited: &Inherited) -> Result<Environment, Failure> {
    let client = parts::client(config, inherited)?;
    let event_loop = runtime::event_loop()?;
    let found = event_loop.block_on(first(&client, config));
    // A name lookup that hangs in the system's resolver must not hold the end up.
    event_loop.shutdown_background();
    let (values, others) = found?;
    Ok(config.environment.build(None, &values, &others))
}

async fn first(client: &Client, config: &Config) -> Result<(Values, Values), Failure> {
    let mut last = None;
    match timeout(config.start_timeout, attempts(client, config, &mut last)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(give_up(last, config.start_timeout)),
    }
}

/// What the last attempt met, and what to do when time itself is what was missing.
fn give_up(last: Option<Failure>, start_timeout: Duration) -> Failure {
    let time = telemetry::human(start_timeout);
    let mend = format!(
        "within {time}, so there is nothing to go on with: start again later, or raise --start-timeout"
    );
    match last {
        Some(Failure::NoAnswer(text)) => {
            Failure::NoAnswer(format!("{text}; no good answer came {mend}"))
        }
        Some(failure) => failure,
        None => Failure::NoAnswer(format!("no answer came from Heroku {mend}")),
    }
}

async fn attempts(
    client: &Client,
    config: &Config,
    last: &mut Option<Failure>,
) -> Result<(Values, Values), Failure> {
    let mut backoff = BACKOFF_MIN;
    let mut refusals = 0;
    loop {
        let outcome = attempt(client, config).await;
        if let Some(warning) = client.take_warning() {
            tracing::warn!("{warning}");
        }
        let Miss {
            failure,
            retry_after,
        } = match outcome {
            Ok(found) => return Ok(found),
            Err(miss) => miss,
        };
        if let Failure::Fetch(
            FetchError::NoToken(_)
            | FetchError::TokenRefused { .. }
            | FetchError::AppNotFound { .. },
        ) = failure
        {
            refusals += 1;
            if refusals == REFUSALS_MAX {
                return Err(failure);
            }
        }
        let wait = backoff.max(retry_after.unwrap_or_default());
        backoff = (backoff * 2).min(BACKOFF_MAX);
        tracing::warn!("{failure}; trying again in {}", telemetry::human(wait));
        *last = Some(failure);
        sleep(wait).await;
    }
}

async fn attempt(client: &Client, config: &Config) -> Result<(Values, Values), Miss> {
    let miss = |failure| Miss {
        failure,
        retry_after: None,
    };
    let snapshot = match client.config_vars(None).await {
        Ok(Answer::Snapshot { snapshot, .. }) => snapshot,
        Ok(Answer::NotModified { .. }) => {
            let text = "Heroku answered 304 to a request without a tag, so no value is known";
            return Err(miss(Failure::NoAnswer(text.to_owned())));
        }
        Err(FetchError::Unavailable {
            detail,
            retry_after,
        }) => {
            return Err(Miss {
                failure: Failure::NoAnswer(format!("Heroku API not answering: {detail}")),
                retry_after,
            });
        }
        Err(error) => return Err(miss(Failure::Fetch(error))),
    };
    let (values, others) = judge(&config.source.app, snapshot).map_err(miss)?;
    if config.check_login == CheckLogin::Always {
        check_logins(config, &values).await.map_err(miss)?;
    }
    Ok((values, others))
}

/// Every watched variable must be usable: half an environment is none.
fn judge(app: &str, snapshot: Snapshot) -> Result<(Values, Values), Failure> {
    let mut values = Values::new();
    let mut faults: Vec<(String, Fault)> = Vec::new();
    for (name, value) in snapshot.watched {
        match value {
            Ok(value) => drop(values.insert(name, value)),
            Err(fault) => faults.push((name, fault)),
        }
    }
    if faults.is_empty() {
        return Ok((values, snapshot.others));
    }
    let one = |(name, fault): &(String, Fault)| format!("{name} of app {app} is {fault}");
    let faults: Vec<String> = faults.iter().map(one).collect();
    Err(Failure::Unusable(format!(
        "{}, so a program could not work with it: `heroku config -a {app}` shows what there is; name it with --var",
        faults.join(", ")
    )))
}

/// `--check-login always`: each watched postgres URL must let us in. There is no child to protect, so `auto` asks nothing.
async fn check_logins(config: &Config, values: &Values) -> Result<(), Failure> {
    for (name, value) in values {
        let Ok(url) = DatabaseUrl::parse(value.expose()) else {
            continue;
        };
        let sslmode = config.environment.login_sslmode(&url);
        match postgres::login(value, sslmode, LOGIN_TIMEOUT).await {
            Login::Accepted => {}
            Login::Refused { code } => {
                return Err(Failure::Unusable(format!(
                    "the database refuses the login with {name} ({code}), so a program could not use it: it may be in \
                     the middle of a rotation; see `heroku pg:credentials -a {}`",
                    config.source.app
                )));
            }
            Login::Unreachable { detail } => {
                return Err(Failure::NoAnswer(format!(
                    "no login with {name} could be made ({detail}), and --check-login always wants one: check the way \
                     to the database, or write --check-login auto"
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::credential::Secret;

    #[test]
    fn one_bad_variable_spoils_all() {
        let mut watched = BTreeMap::from([("A".to_owned(), Ok(Secret::from("1")))]);
        let snapshot = |watched: &BTreeMap<_, _>| Snapshot {
            watched: watched.clone(),
            others: Values::from([("C".to_owned(), Secret::from("3"))]),
        };
        let (values, others) = judge("acme", snapshot(&watched)).unwrap();
        assert_eq!((values.len(), others.len()), (1, 1));
        watched.insert("B".to_owned(), Err(Fault::Missing));
        let failure = judge("acme", snapshot(&watched)).unwrap_err();
        assert!(
            failure
                .to_string()
                .starts_with("B of app acme is missing, so"),
            "{failure}"
        );
        assert_eq!(failure.code(), crate::exit_code::ExitCode::Config);
    }
}
