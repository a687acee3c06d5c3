//! Where webhooks come in, and what they ask of the poll interval.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::given::{Given, Lookup, UsageError};
use super::{Webhook, listen, words};

/// A webhook reaches one host, and Heroku skips some: polling is what finds every change.
const INTERVAL_MAX: Duration = Duration::from_secs(600);

impl Lookup<'_> {
    /// `once`: nothing is asked after the start.
    pub(super) fn webhook(
        &self,
        address: Option<OsString>,
        secret_file: Option<PathBuf>,
        once: bool,
    ) -> Result<Option<Webhook>, UsageError> {
        let address = self.text("webhook-listen", address)?;
        let secret_file = self.path("webhook-secret-file", secret_file);
        let (address, secret_file) = match (address, secret_file) {
            (None, None) => return Ok(None),
            (Some(address), Some(secret_file)) => (address, secret_file),
            (Some(address), None) => {
                let why = "and without a secret everybody who reaches it could send webhooks";
                let mend = "add --webhook-secret-file with the secret that `heroku webhooks:add -s` was given";
                return Err(address.wrong(why, mend));
            }
            (None, Some(secret_file)) => {
                let why = "and without --webhook-listen no webhook comes in";
                let given = secret_file.map(|path| path.display().to_string());
                given.idle(why, "add --webhook-listen, or leave it out")?;
                return Ok(None);
            }
        };
        if once {
            let why = "and with --no-watch Heroku is asked only once";
            address.idle(why, "leave one of the two out")?;
            return Ok(None);
        }
        Ok(Some(Webhook {
            address: listen::address(&address)?,
            secret_file: secret_file.value,
        }))
    }
}

/// With webhooks polling may be rarer, but not as rare as one likes.
pub(super) fn check_interval(interval: &Given<String>) -> Result<(), UsageError> {
    if words::duration(interval, Duration::ZERO)? <= INTERVAL_MAX {
        return Ok(());
    }
    Err(interval.wrong(
        "and with --webhook-listen it may be 10 minutes at most, because a webhook reaches only one host and may be \
         skipped, and then the next poll is what finds the change",
        "write 10m or less",
    ))
}
