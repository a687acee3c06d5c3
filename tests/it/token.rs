//! Where the API token is looked for, in which order, and what is said when it is not there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use changeover::heroku::{ApiUrl, SetupError, Token, TokenOptions, TokenSource, Variables};
use tempfile::TempDir;

use crate::support;

/// A home directory and the variables that lead to it.
struct Home {
    directory: TempDir,
    variables: Variables,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = format!("{}:/usr/bin:/bin", directory.path().join("bin").display());
        let variables = Variables::from([
            ("HOME".into(), directory.path().into()),
            ("PATH".into(), path.into()),
        ]);
        Self {
            directory,
            variables,
        }
    }

    fn set(&mut self, name: &str, value: impl AsRef<Path>) {
        let value = value.as_ref().as_os_str().to_owned();
        self.variables.insert(name.into(), value);
    }

    fn write(&self, name: &str, mode: u32, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        support::write(&path, mode, text);
        path
    }

    fn source(&self, options: &TokenOptions) -> Result<TokenSource, SetupError> {
        let api_url = ApiUrl::resolve(None, &self.variables)?;
        TokenSource::new(options, Arc::new(self.variables.clone()), &api_url)
    }

    async fn read(&self, options: TokenOptions) -> Result<Token, String> {
        let source = self.source(&options).map_err(|error| error.to_string())?;
        source.read().await.map_err(|error| error.to_string())
    }

    /// `token from place`, or the error.
    async fn found(&self) -> String {
        told(self.read(TokenOptions::default()).await)
    }

    async fn found_in_file(&self, path: &Path) -> String {
        let options = TokenOptions {
            file: Some(path.to_owned()),
            ..TokenOptions::default()
        };
        told(self.read(options).await)
    }

    async fn printed_by(&self, command: &str) -> String {
        let options = TokenOptions {
            command: Some(command.to_owned()),
            ..TokenOptions::default()
        };
        told(self.read(options).await)
    }
}

fn told(read: Result<Token, String>) -> String {
    match read {
        Ok(token) => format!("{} from {}", token.secret.expose(), token.origin),
        Err(error) => error,
    }
}

#[tokio::test]
async fn the_places_are_asked_in_the_order_of_the_heroku_cli() {
    let mut home = Home::new();
    let netrc = home.write(
        ".netrc",
        0o600,
        "machine api.heroku.com login a@b password N\n",
    );
    assert_eq!(home.found().await, format!("N from {}", netrc.display()));

    home.write(
        ".local/share/heroku/login.json",
        0o600,
        r#"{"account":"a@b"}"#,
    );
    let asked = r#"[ "$*" = "lookup service heroku-cli account a@b" ] && echo K"#;
    home.write("bin/secret-tool", 0o755, &format!("#!/bin/sh\n{asked}\n"));
    assert_eq!(home.found().await, "K from the keychain");

    let credential = home.write("credentials/heroku-token", 0o400, "C\n");
    home.set("CREDENTIALS_DIRECTORY", credential.parent().unwrap());
    assert_eq!(
        home.found().await,
        format!("C from {}", credential.display())
    );

    home.set("HEROKU_API_KEY", " A ");
    assert_eq!(home.found().await, "A from HEROKU_API_KEY");

    assert_eq!(
        home.printed_by("sh -c 'echo $HEROKU_API_KEY'").await,
        "A from --token-command sh"
    );

    let file = home.write("token", 0o600, "F\r\n");
    assert_eq!(
        home.found_in_file(&file).await,
        format!("F from {}", file.display())
    );
}

#[tokio::test]
async fn a_keychain_that_has_nothing_is_passed_over() {
    let home = Home::new();
    home.write(".netrc", 0o600, "machine api.heroku.com password N");
    home.write(
        ".local/share/heroku/login.json",
        0o600,
        r#"{"account":"a@b"}"#,
    );
    home.write("bin/secret-tool", 0o755, "#!/bin/sh\nexit 1\n");
    assert!(home.found().await.starts_with("N from "));
}

/// As `credential-storage-selector.js` and `login-state.js` of the CLI's have it.
#[tokio::test]
async fn the_keychain_is_asked_as_the_heroku_cli_asks_it() {
    let mut home = Home::new();
    home.write(".netrc", 0o600, "machine api.heroku.com password N");
    home.write("bin/secret-tool", 0o755, "#!/bin/sh\necho K\n");
    let login = |place: &str, text: &str| {
        home.write(&format!("{place}/login.json"), 0o600, text);
        home.directory.path().join(place)
    };
    // Without a login there is nothing to ask for, and an empty name is none.
    for text in ["", "{}", r#"{"account":""}"#, r#"{"account":7}"#] {
        login(".local/share/heroku", text);
        assert!(home.found().await.starts_with("N from "), "{text}");
    }
    let account = "{\"account\":\"a@b\"}\n";
    let data_home = login("data/heroku", account).parent().unwrap().to_owned();
    let data_dir = login("elsewhere", account);
    home.set("XDG_DATA_HOME", &data_home);
    assert_eq!(home.found().await, "K from the keychain");
    home.set("XDG_DATA_HOME", "/nonexistent");
    assert!(home.found().await.starts_with("N from "));
    home.set("HEROKU_DATA_DIR", &data_dir);
    assert_eq!(home.found().await, "K from the keychain");
    // Told to write to netrc, the CLI passes the keychain over.
    home.set("HEROKU_NETRC_WRITE", "True");
    assert!(home.found().await.starts_with("N from "));
    home.set("HEROKU_NETRC_WRITE", "false");
    assert_eq!(home.found().await, "K from the keychain");
}

#[tokio::test]
async fn the_netrc_is_the_one_named_and_its_machine_has_a_port() {
    let mut home = Home::new();
    let netrc = home.write("elsewhere", 0o600, "machine 127.0.0.1:5000 password P");
    home.set("NETRC", netrc);
    assert!(
        home.found()
            .await
            .contains("no password for api.heroku.com")
    );
    home.set("HEROKU_HOST", "http://127.0.0.1:5000");
    assert!(home.found().await.starts_with("P from "));
}

#[tokio::test]
async fn without_a_token_every_place_is_listed() {
    let mut home = Home::new();
    let error = home.found().await;
    let netrc = home.directory.path().join(".netrc");
    for part in [
        "HEROKU_API_KEY (not set)",
        "$CREDENTIALS_DIRECTORY/heroku-token (not set)",
        "the keychain (no login of the Heroku CLI)",
        netrc.to_str().unwrap(),
        "--token-file PATH (CHANGEOVER_TOKEN_FILE)",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    home.set("HEROKU_API_TOKEN", "T0KEN");
    home.set("HEROKU_API_KEY", "");
    let error = home.found().await;
    assert!(error.contains("you mean HEROKU_API_KEY"), "{error}");
    assert!(!error.contains("T0KEN"), "{error}");

    // Another token than the one that is meant: that is no error, and has to be told.
    home.write(".netrc", 0o600, "machine api.heroku.com password N");
    let token = home.read(TokenOptions::default()).await.unwrap();
    let warning = token.warning.unwrap();
    assert!(warning.contains("you mean HEROKU_API_KEY"), "{warning}");
    assert!(!warning.contains("T0KEN"), "{warning}");
    home.set("HEROKU_API_KEY", "A");
    let token = home.read(TokenOptions::default()).await.unwrap();
    assert_eq!(token.warning, None);
}

#[tokio::test]
async fn an_encrypted_netrc_is_named() {
    let home = Home::new();
    home.write(".netrc.gpg", 0o600, "");
    let error = home.found().await;
    assert!(
        error.contains(".netrc (no such file, and .gpg is not read)"),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_no_token_is_an_error_and_no_reason_to_look_elsewhere() {
    let mut home = Home::new();
    home.write(".netrc", 0o600, "machine api.heroku.com password N");
    for value in ["a b", "a\nb", "a\x1bb", "naïve"] {
        home.set("HEROKU_API_KEY", value);
        let error = home.found().await;
        assert!(error.starts_with("HEROKU_API_KEY holds a blank"), "{error}");
    }
    for text in ["", " \n", "a\nb"] {
        let file = home.write("token", 0o600, text);
        let error = home.found_in_file(&file).await;
        assert!(
            error.starts_with("--token-file (CHANGEOVER_TOKEN_FILE): "),
            "{error}"
        );
    }
    let missing = home.found_in_file(Path::new("/nonexistent/token")).await;
    assert!(
        missing.contains("/nonexistent/token (no such file)"),
        "{missing}"
    );
}

#[tokio::test]
async fn a_token_that_others_can_replace_is_refused() {
    let home = Home::new();
    let file = home.write("token", 0o622, "F");
    let error = home.found_in_file(&file).await;
    assert!(
        error.contains("can be written by others (mode 0622)"),
        "{error}"
    );
}

#[tokio::test]
async fn a_command_that_does_not_print_a_token() {
    let home = Home::new();
    for (command, expected) in [
        (
            "false SECRET",
            "--token-command false (CHANGEOVER_TOKEN_COMMAND) exited with code 1",
        ),
        (
            "/nonexistent/vault SECRET",
            "--token-command vault (CHANGEOVER_TOKEN_COMMAND) was not found",
        ),
        ("true SECRET", "printed what is empty"),
        ("printf 'a\\nb'", "printed more than one line"),
        ("'unclosed SECRET", "has a quote that is not closed"),
        ("", "names no program"),
    ] {
        let error = home.printed_by(command).await;
        assert!(error.contains(expected), "{command}: {error}");
        assert!(!error.contains("SECRET"), "{command}: {error}");
    }
    assert_eq!(
        home.printed_by("echo '$HOME;x'").await,
        "$HOME;x from --token-command echo"
    );
}
