//! The secret that webhooks are signed with, in a file with the rules of the token's.

use std::path::PathBuf;

use crate::credential::Secret;
use crate::heroku::token_file::{self, Contents, Unreadable};

const BYTES_MAX: usize = 4096;

/// Read for each webhook anew, so that another secret needs no restart.
#[derive(Debug)]
pub(super) struct SecretFile(pub(super) PathBuf);

impl SecretFile {
    /// Whether there is a secret in it; one sentence if others can read it.
    pub(super) fn check(&self) -> Result<Option<String>, String> {
        let contents = token_file::read_now(&self.0, BYTES_MAX);
        let contents = contents.map_err(|why| self.told(why))?;
        self.secret(&contents)?;
        Ok(contents.warning)
    }

    pub(super) async fn read(&self) -> Result<Secret, String> {
        let contents = token_file::read(&self.0, BYTES_MAX).await;
        self.secret(&contents.map_err(|why| self.told(why))?)
    }

    /// Without the white space around it.
    fn secret(&self, contents: &Contents) -> Result<Secret, String> {
        match str::from_utf8(contents.bytes.trim_ascii()) {
            Ok("") => Err(self.unusable("is empty")),
            Ok(secret) => Ok(Secret::from(secret)),
            Err(_) => Err(self.unusable("is not UTF-8")),
        }
    }

    fn told(&self, why: Unreadable) -> String {
        match why {
            Unreadable::Missing => self.unusable("does not exist"),
            Unreadable::Unusable(why) => self.unusable(&why),
        }
    }

    fn unusable(&self, why: &str) -> String {
        format!(
            "--webhook-secret-file (CHANGEOVER_WEBHOOK_SECRET_FILE): {} {why}, so nobody can tell whose webhooks these \
             are: write the secret into it that `heroku webhooks:add` was given with -s",
            self.0.display()
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::heroku::webhook::secret::SecretFile;

    #[tokio::test]
    async fn what_is_a_secret() {
        let directory = tempfile::tempdir().unwrap();
        let file = SecretFile(directory.path().join("secret"));
        assert!(file.check().unwrap_err().contains("does not exist"));
        for (bytes, expected) in [
            (&b" \n"[..], Err("is empty")),
            (b"\xff", Err("is not UTF-8")),
            (b"a b\n", Ok("a b")),
        ] {
            std::fs::write(&file.0, bytes).unwrap();
            match (file.read().await, expected) {
                (Ok(secret), Ok(expected)) => assert_eq!(secret.expose(), expected),
                (Err(told), Err(part)) => assert!(told.contains(part), "{told}"),
                (read, _) => panic!("{bytes:?}: {read:?}"),
            }
            assert_eq!(file.check().is_ok(), expected.is_ok(), "{bytes:?}");
        }
    }
}
