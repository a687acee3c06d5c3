//! What holds of database URLs, whatever text they are.

use crate::credential::database_url::Malformed;
use crate::credential::{DatabaseUrl, Secret, SslMode};
use crate::postgres;

use super::{Held, law};

const MODES: [SslMode; 6] = [
    SslMode::Disable,
    SslMode::Allow,
    SslMode::Prefer,
    SslMode::Require,
    SslMode::VerifyCa,
    SslMode::VerifyFull,
];

/// Holds a text against every law.
///
/// # Errors
/// The law that is broken.
pub fn hold(text: &str) -> Held {
    let whole = Secret::from(text);
    let parsed = DatabaseUrl::parse(text);
    let usable = postgres::is_usable(&whole, None);
    law(
        usable.is_err() || parsed.is_ok(),
        "a login is tried only with a good URL",
    )?;
    law(
        DatabaseUrl::is_postgres(text) == (parsed != Err(Malformed::Scheme)),
        "what is no postgres URL is none for everybody",
    )?;
    scheme(text, &whole)?;
    let Ok(url) = parsed else { return Ok(()) };
    law(*url.text() == whole, "every byte is kept")?;
    MODES.into_iter().try_for_each(|mode| sslmode(&url, mode))?;
    redaction(text, &url)?;
    if usable.is_ok() {
        let is_known = url.settings().user.is_some() && url.settings().host.is_some();
        law(is_known, "a login has a user and a host")?;
    }
    Ok(())
}

/// Only the scheme is another one, and only of a postgres URL.
fn scheme(text: &str, whole: &Secret) -> Held {
    let rewritten = DatabaseUrl::with_scheme(whole, "postgresql+asyncpg");
    let expected = match text.split_once("://") {
        Some((_, rest)) if DatabaseUrl::is_postgres(text) => format!("postgresql+asyncpg://{rest}"),
        Some(_) | None => text.to_owned(),
    };
    law(
        rewritten.expose() == expected,
        "only the scheme is replaced",
    )
}

/// A mode that is appended is read again, and nothing else is read otherwise.
fn sslmode(url: &DatabaseUrl, mode: SslMode) -> Held {
    let appended = url.with_sslmode(mode);
    if url.parameter("sslmode").is_some() {
        return law(appended == *url.text(), "a mode that is named stays");
    }
    let text = url.text().expose();
    let is_kept = appended.expose().starts_with(text);
    law(is_kept, "a mode is appended, and nothing else is touched")?;
    let Ok(again) = DatabaseUrl::parse(appended.expose()) else {
        return law(false, "a URL with a mode appended is a good one");
    };
    law(
        again.sslmode() == Some(mode),
        "the mode is the one appended",
    )?;
    law(
        again.settings() == url.settings(),
        "a mode changes no other setting",
    )?;
    law(
        again.with_sslmode(SslMode::Disable) == appended,
        "a mode is appended once",
    )
}

/// What is shown does not depend on what is secret.
fn redaction(text: &str, url: &DatabaseUrl) -> Held {
    let shown = url.redacted();
    law(format!("{url:?}") == shown, "Debug shows no more")?;
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let Some((login, hosts)) = rest[..end].rsplit_once('@') else {
        return Ok(());
    };
    let Some((user, _)) = login.split_once(':') else {
        return Ok(());
    };
    let other = format!("{scheme}://{user}:another@{hosts}{}", &rest[end..]);
    let Ok(other) = DatabaseUrl::parse(&other) else {
        return law(false, "another password makes no bad URL of a good one");
    };
    law(
        other.redacted() == shown,
        "what is shown does not depend on the password",
    )?;
    let without_query = text.split('?').next().unwrap_or_default();
    match DatabaseUrl::parse(without_query) {
        Ok(bare) if !text.contains('?') || !rest[end..].contains('@') => law(
            bare.redacted() == shown,
            "what is shown does not depend on the query",
        ),
        Ok(_) | Err(_) => Ok(()),
    }
}
