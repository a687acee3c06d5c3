//! What holds of webhooks, whatever they hold and however they are signed. An input is a line with
//! the secret, a line with a signature, and the body.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use hyper::header::HeaderValue;
use ring::hmac;

use crate::credential::Secret;
use crate::heroku::for_laws::is_webhook_signed;

use super::{Held, first_line, law};

/// Holds a webhook against every law.
///
/// # Errors
/// The law that is broken.
pub fn hold(input: &[u8]) -> Held {
    let (secret, rest) = first_line(input);
    let (signature, body) = first_line(rest);
    let Ok(secret) = str::from_utf8(secret) else {
        return Ok(());
    };
    let right = sign(secret, body);
    let is_signed = |body: &[u8], signatures: &[&[u8]]| accepts(secret, body, signatures);
    law(
        is_signed(body, &[right.as_bytes()]),
        "the right signature is accepted",
    )?;
    law(
        is_signed(body, &[signature]) == (signature == right.as_bytes()),
        "what is given as a signature is accepted only if it is the right one",
    )?;
    law(!is_signed(body, &[]), "one without a signature is refused")?;
    for two in [signature, right.as_bytes()] {
        law(
            !is_signed(body, &[right.as_bytes(), two]),
            "of two signatures none counts",
        )?;
    }
    for body in others(body) {
        law(
            !is_signed(&body, &[right.as_bytes()]),
            "the signature of one body is none of another",
        )?;
    }
    let another = format!("{secret}x");
    law(
        !accepts(&another, body, &[right.as_bytes()]),
        "another secret's signature is refused",
    )?;
    variants(&right).iter().try_for_each(|wrong| {
        law(
            !is_signed(body, &[wrong.as_bytes()]),
            "the right signature is written in one way",
        )
    })
}

/// By another library than the one that is tried.
fn sign(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, body))
}

/// What no header can hold is no signature.
fn accepts(secret: &str, body: &[u8], signatures: &[&[u8]]) -> bool {
    let signatures = signatures.iter().copied().map(HeaderValue::from_bytes);
    let Ok(signatures) = signatures.collect::<Result<Vec<_>, _>>() else {
        return false;
    };
    is_webhook_signed(body, signatures, &Secret::from(secret))
}

/// Bodies that are almost this one.
fn others(body: &[u8]) -> Vec<Vec<u8>> {
    let mut others = vec![[body, b"x"].concat(), [b"x", body].concat()];
    let Some(last) = body.len().checked_sub(1) else {
        return others;
    };
    others.push(body[..last].to_vec());
    for at in [0, last / 2, last] {
        let mut other = body.to_vec();
        other[at] ^= 1;
        others.push(other);
    }
    others
}

/// What is like the right signature, and is not it.
fn variants(right: &str) -> Vec<String> {
    let bytes = BASE64_STANDARD.decode(right).unwrap_or_default();
    let mut variants = vec![
        String::new(),
        right.trim_end_matches('=').to_owned(),
        format!("{right}="),
        format!(" {right}"),
        format!("sha256={right}"),
        right.to_lowercase(),
        right.to_uppercase(),
        BASE64_URL_SAFE.encode(&bytes),
        BASE64_STANDARD.encode(&bytes[..bytes.len().saturating_sub(1)]),
        BASE64_STANDARD.encode([&bytes[..], &[0]].concat()),
    ];
    variants.retain(|variant| variant != right);
    variants
}
