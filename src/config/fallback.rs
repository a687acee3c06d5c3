//! What there is to start on without Heroku, and where it is kept.

use std::sync::Arc;
use std::time::Duration;

use crate::cli;
use crate::credential::EnvironmentSpec;

use super::given::{Given, Lookup, UsageError};
use super::{Cache, Fallback, words};

/// A shorter age would be over before the start timeout is.
const AGE_MIN: Duration = Duration::from_secs(60);

/// What `--fallback` names.
#[derive(Clone, Copy)]
enum Choice {
    None,
    Inherited,
    Cache,
}

impl Lookup<'_> {
    /// `--fallback`, and for `cache` what belongs to it.
    pub(super) fn fallback(
        &self,
        typed: &cli::Start,
        environment: &EnvironmentSpec,
    ) -> Result<(Fallback, Option<Cache>), UsageError> {
        let given = self.text_or_default("fallback", typed.fallback.clone())?;
        let choices = [
            ("none", Choice::None),
            ("inherited", Choice::Inherited),
            ("cache", Choice::Cache),
        ];
        match words::choice(&given, &choices)? {
            Choice::Cache => self.cache(typed, &given),
            Choice::None => {
                self.without_cache(typed)?;
                Ok((Fallback::None, None))
            }
            Choice::Inherited => {
                self.without_cache(typed)?;
                Ok((inherited(&given, environment)?, None))
            }
        }
    }

    fn cache(
        &self,
        typed: &cli::Start,
        given: &Given<String>,
    ) -> Result<(Fallback, Option<Cache>), UsageError> {
        let Some(path) = self.path("cache", typed.cache.clone()) else {
            let why = "and nothing says where that is";
            return Err(given.wrong(why, "add --cache with a file's path, or leave it out"));
        };
        let max_age = self.text_or_default("cache-max-age", typed.cache_max_age.clone())?;
        let max_age = words::duration(&max_age, AGE_MIN)?;
        let key_file = self.path("cache-key-file", typed.cache_key_file.clone());
        let cache = Cache {
            path: words::file(&path)?,
            key_file: key_file.map(|path| path.value),
        };
        Ok((Fallback::Cached { max_age }, Some(cache)))
    }

    /// Secrets in a file that nobody will ever read serve nobody.
    fn without_cache(&self, typed: &cli::Start) -> Result<(), UsageError> {
        let why = "and without --fallback cache nothing is ever started on a cache";
        let mend = "add --fallback cache, or leave it out";
        let path = self.path("cache", typed.cache.clone());
        let key_file = self.path("cache-key-file", typed.cache_key_file.clone());
        for given in [path, key_file].into_iter().flatten() {
            given.idle(why, mend)?;
        }
        let max_age = self.text_or_default("cache-max-age", typed.cache_max_age.clone())?;
        max_age.idle(why, mend)
    }
}

/// The values that we were started with, in the place of an answer.
fn inherited(given: &Given<String>, environment: &EnvironmentSpec) -> Result<Fallback, UsageError> {
    match environment.selection.inherited(&environment.base) {
        Ok(values) => Ok(Fallback::Inherited(Arc::new(values))),
        Err(name) => {
            let why = format!(
                "and there is no usable {name} in the environment, so there is nothing to fall back on"
            );
            Err(given.wrong(&why, "start changeover with one, or leave the option out"))
        }
    }
}
