//! Where the API token comes from: what was named, else every place that the Heroku CLI looks at,
//! in its order.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::credential::Secret;

use super::command::{HelperEnds, Prepare, Silent};
use super::error::SetupError;
use super::token_file::{self, Unreadable};
use super::{ApiUrl, Variables, command, netrc, variable};

const TOKEN_BYTES_MAX: usize = 4096;
const NETRC_BYTES_MAX: usize = 64 * 1024;
const MISNOMER: &str = "HEROKU_API_TOKEN is set, but you mean HEROKU_API_KEY";
const HOW_TO: &str = "give one with --token-file PATH (CHANGEOVER_TOKEN_FILE) or HEROKU_API_KEY";

/// `--token-file` and `--token-command`. When both are there, the file wins.
#[derive(Clone, Debug, Default)]
pub struct TokenOptions {
    /// A file that holds the token.
    pub file: Option<PathBuf>,
    /// A command line that prints it.
    pub command: Option<String>,
    /// How that, and whatever else is asked for a token, is started.
    pub prepare: Prepare,
}

/// Where to look. [`TokenSource::read`] looks there anew each time.
pub struct TokenSource {
    named: Option<Named>,
    variables: Arc<Variables>,
    machine: String,
    prepare: Prepare,
    helpers: HelperEnds,
}

enum Named {
    File(PathBuf),
    Command(Vec<String>),
}

/// An API token.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token itself.
    pub secret: Secret,
    /// Where it was found.
    pub origin: Origin,
    /// One sentence, when the file that holds it can be read by others.
    pub warning: Option<String>,
}

/// Where a token was found. `Display` is how a log names the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `--token-file`.
    File(PathBuf),
    /// `--token-command`: its first word, for the others may hold a secret.
    Command(String),
    /// `HEROKU_API_KEY`.
    ApiKey,
    /// systemd's credential `heroku-token`.
    Credential(PathBuf),
    /// The desktop's keychain, as the Heroku CLI keeps it.
    Keychain,
    /// A netrc file.
    Netrc(PathBuf),
}

/// Why there is no token: one sentence that lists every place that was looked at, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoToken {
    /// No place has one, or one has something that is none: waiting will not help.
    #[error("{0}")]
    Nowhere(String),
    /// The program that should print it failed: it may not the next time.
    #[error("{0}")]
    CommandFailed(String),
}

/// The places that are looked at when none is named.
enum Place {
    ApiKey,
    Credential,
    Keychain,
    Netrc,
}

/// What one place had to offer.
enum Found {
    Token(Token),
    /// Nothing: the next place is asked. The text names this one.
    Nothing(String),
    /// Something that is no token: no other place is asked, for it would be a surprise.
    Spoiled(String),
}

impl TokenSource {
    /// The places to look at, given the options and the environment.
    ///
    /// # Errors
    /// When the command line cannot be split into words.
    pub fn new(
        options: &TokenOptions,
        variables: Arc<Variables>,
        api_url: &ApiUrl,
    ) -> Result<Self, SetupError> {
        let named = match (&options.file, &options.command) {
            (Some(path), _) => Some(Named::File(path.clone())),
            (None, Some(line)) => Some(Named::Command(words(line)?)),
            (None, None) => None,
        };
        Ok(Self {
            named,
            variables,
            machine: api_url.machine(),
            prepare: options.prepare,
            helpers: HelperEnds::default(),
        })
    }

    async fn line(&self, words: &[String]) -> Result<Zeroizing<Vec<u8>>, Silent> {
        command::line(words, &self.variables, self.prepare, &self.helpers).await
    }

    /// Where the one reaper of the process tells how helper programs ended.
    #[must_use]
    pub fn helpers(&self) -> HelperEnds {
        self.helpers.clone()
    }

    /// Looks for the token. It takes 10 s at most for each program that has to be asked.
    ///
    /// # Errors
    /// When there is none; trying again later may find one.
    pub async fn read(&self) -> Result<Token, NoToken> {
        match &self.named {
            Some(Named::File(path)) => self.in_file(path).await,
            Some(Named::Command(words)) => self.in_command(words).await,
            None => self.look_around().await,
        }
    }

    async fn in_file(&self, path: &Path) -> Result<Token, NoToken> {
        let origin = Origin::File(path.to_owned());
        let sentence = |why| {
            NoToken::Nowhere(format!(
                "--token-file (CHANGEOVER_TOKEN_FILE): {why}, so there is no API token"
            ))
        };
        match token_in(path, origin).await {
            Found::Token(token) => Ok(token),
            Found::Nothing(why) | Found::Spoiled(why) => Err(sentence(why)),
        }
    }

    async fn in_command(&self, words: &[String]) -> Result<Token, NoToken> {
        let program = words.first().cloned().unwrap_or_default();
        let origin = Origin::Command(program);
        let no_token = |why: &str| {
            NoToken::CommandFailed(format!(
                "{origin} (CHANGEOVER_TOKEN_COMMAND) {why}, so there is no API token"
            ))
        };
        let output = self.line(words).await;
        let output = output.map_err(|silent| match &silent {
            Silent::Hopeless(why) => NoToken::Nowhere(format!(
                "{origin} (CHANGEOVER_TOKEN_COMMAND) {why}, so there is no API token: name a program that this machine has"
            )),
            Silent::Failed(why) => no_token(why),
        })?;
        let secret = clean(&output).map_err(|why| no_token(&format!("printed what {why}")))?;
        Ok(Token::without_warning(secret, origin))
    }

    async fn look_around(&self) -> Result<Token, NoToken> {
        let mut looked_at = Vec::new();
        for place in [
            Place::ApiKey,
            Place::Credential,
            Place::Keychain,
            Place::Netrc,
        ] {
            let found = match place {
                Place::ApiKey => self.in_api_key(),
                Place::Credential => self.in_credentials().await,
                Place::Keychain => self.in_keychain().await,
                Place::Netrc => self.in_netrc().await,
            };
            match found {
                Found::Token(token) => return Ok(self.beside_a_misnomer(token)),
                Found::Nothing(place) => looked_at.push(place),
                Found::Spoiled(why) => {
                    return Err(NoToken::Nowhere(format!(
                        "{why}, so there is no API token: {HOW_TO}"
                    )));
                }
            }
        }
        Err(NoToken::Nowhere(self.nothing_found(&looked_at)))
    }

    /// Whoever sets `HEROKU_API_TOKEN` means another token than the one that was found elsewhere.
    fn beside_a_misnomer(&self, token: Token) -> Token {
        if token.origin == Origin::ApiKey || !self.has_misnomer() {
            return token;
        }
        let told = format!("{MISNOMER}, and the token from {} is used", token.origin);
        let told = [Some(told), token.warning].into_iter().flatten();
        let warning = Some(told.collect::<Vec<_>>().join("; "));
        Token { warning, ..token }
    }

    fn has_misnomer(&self) -> bool {
        variable(&self.variables, "HEROKU_API_TOKEN").is_some()
    }

    fn nothing_found(&self, looked_at: &[String]) -> String {
        let hint = match self.has_misnomer() {
            true => format!("{MISNOMER}; "),
            false => String::new(),
        };
        format!(
            "there is no API token: {hint}looked at {}; {HOW_TO}",
            looked_at.join(", ")
        )
    }

    fn in_api_key(&self) -> Found {
        let name = Origin::ApiKey;
        let Some(value) = variable(&self.variables, "HEROKU_API_KEY") else {
            return Found::Nothing(format!("{name} (not set)"));
        };
        match clean(value.as_encoded_bytes()) {
            Ok(secret) => Found::Token(Token::without_warning(secret, name)),
            Err(why) => Found::Spoiled(format!("{name} {why}")),
        }
    }

    async fn in_credentials(&self) -> Found {
        match variable(&self.variables, "CREDENTIALS_DIRECTORY") {
            Some(directory) => {
                let path = Path::new(directory).join("heroku-token");
                token_in(&path, Origin::Credential(path.clone())).await
            }
            None => Found::Nothing("$CREDENTIALS_DIRECTORY/heroku-token (not set)".to_owned()),
        }
    }

    /// The Heroku CLI keeps the token of a desktop login in the keychain, under the account of
    /// `login.json`. Told to write to netrc, it looks at nothing else.
    async fn in_keychain(&self) -> Found {
        #[derive(Deserialize)]
        struct Login {
            account: String,
        }
        let nothing = |why: &str| Found::Nothing(format!("{} ({why})", Origin::Keychain));
        let only_netrc = variable(&self.variables, "HEROKU_NETRC_WRITE");
        if only_netrc.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return nothing("HEROKU_NETRC_WRITE is true");
        }
        let Some(path) = self.cli_data().map(|data| data.join("login.json")) else {
            return nothing("HOME is not set");
        };
        let Ok(contents) = token_file::read(&path, TOKEN_BYTES_MAX).await else {
            return nothing("no login of the Heroku CLI");
        };
        let login = serde_json::from_slice(&contents.bytes).ok();
        let login = login.filter(|Login { account }| !account.is_empty());
        let Some(Login { account }) = login else {
            return nothing(&format!("{} names no account", path.display()));
        };
        let words = [
            "secret-tool",
            "lookup",
            "service",
            "heroku-cli",
            "account",
            &account,
        ];
        match self.line(&words.map(str::to_owned)).await {
            Err(silent) => nothing(&format!("secret-tool {}", silent.why())),
            Ok(output) => match clean(&output) {
                Ok(secret) => Found::Token(Token::without_warning(secret, Origin::Keychain)),
                Err(why) => nothing(&format!("secret-tool printed what {why}")),
            },
        }
    }

    async fn in_netrc(&self) -> Found {
        let named = variable(&self.variables, "NETRC").map(PathBuf::from);
        let Some(path) = named.or_else(|| Some(self.home()?.join(".netrc"))) else {
            return Found::Nothing("~/.netrc (HOME is not set)".to_owned());
        };
        let shown = path.display();
        let contents = match token_file::read(&path, NETRC_BYTES_MAX).await {
            Ok(contents) => contents,
            Err(Unreadable::Missing) => {
                let encrypted = Path::new(&format!("{shown}.gpg")).exists();
                let beside = if encrypted {
                    ", and .gpg is not read"
                } else {
                    ""
                };
                return Found::Nothing(format!("{shown} (no such file{beside})"));
            }
            Err(Unreadable::Unusable(why)) => return Found::Spoiled(format!("{shown} {why}")),
        };
        let Ok(text) = str::from_utf8(&contents.bytes) else {
            return Found::Spoiled(format!("{shown} is not UTF-8"));
        };
        let Some(password) = netrc::password(text, &self.machine) else {
            return Found::Nothing(format!("{shown} (no password for {})", self.machine));
        };
        match clean(password.as_bytes()) {
            Ok(secret) => Found::Token(Token {
                secret,
                warning: contents.warning,
                origin: Origin::Netrc(path),
            }),
            Err(why) => Found::Spoiled(format!(
                "the password for {} in {shown} {why}",
                self.machine
            )),
        }
    }

    fn home(&self) -> Option<&Path> {
        variable(&self.variables, "HOME").map(Path::new)
    }

    /// Where the Heroku CLI keeps what it knows.
    fn cli_data(&self) -> Option<PathBuf> {
        let of = |name| variable(&self.variables, name).map(PathBuf::from);
        let data = || of("XDG_DATA_HOME").or_else(|| Some(self.home()?.join(".local/share")));
        of("HEROKU_DATA_DIR").or_else(|| Some(data()?.join("heroku")))
    }
}

async fn token_in(path: &Path, origin: Origin) -> Found {
    let shown = path.display();
    let contents = match token_file::read(path, TOKEN_BYTES_MAX).await {
        Ok(contents) => contents,
        Err(Unreadable::Missing) => return Found::Nothing(format!("{shown} (no such file)")),
        Err(Unreadable::Unusable(why)) => return Found::Spoiled(format!("{shown} {why}")),
    };
    match clean(&contents.bytes) {
        Ok(secret) => Found::Token(Token {
            secret,
            origin,
            warning: contents.warning,
        }),
        Err(why) => Found::Spoiled(format!("{shown} {why}")),
    }
}

/// A token without the white space around it. Its length and shape are Heroku's business.
fn clean(bytes: &[u8]) -> Result<Secret, &'static str> {
    let bytes = bytes.trim_ascii();
    if bytes.is_empty() {
        return Err("is empty");
    }
    if !bytes.iter().all(u8::is_ascii_graphic) {
        return Err(
            "holds a blank, a control character or a letter that no token has (one line with the token alone will do)",
        );
    }
    let text = str::from_utf8(bytes).unwrap_or_default();
    Ok(Secret::from(text))
}

fn words(line: &str) -> Result<Vec<String>, SetupError> {
    let spoiled = |why| SetupError::TokenCommand { why };
    let words = shell_words::split(line).map_err(|_| spoiled("has a quote that is not closed"))?;
    match words.first() {
        Some(program) if !program.is_empty() => Ok(words),
        Some(_) | None => Err(spoiled("names no program")),
    }
}

impl Token {
    fn without_warning(secret: Secret, origin: Origin) -> Self {
        Self {
            secret,
            origin,
            warning: None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) | Self::Credential(path) | Self::Netrc(path) => path.display().fmt(f),
            Self::Command(program) => {
                let name = Path::new(program)
                    .file_name()
                    .unwrap_or(OsStr::new(program));
                write!(f, "--token-command {}", name.display())
            }
            Self::ApiKey => f.write_str("HEROKU_API_KEY"),
            Self::Keychain => f.write_str("the keychain"),
        }
    }
}
