//! What holds of Heroku's answers, whatever is in their bodies: config vars on their way into the
//! child's environment, the lists beside them, and errors.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use serde_json::Value;

use crate::credential::environment::SslPolicy;
use crate::credential::phrase::PHRASE_BYTES_MAX;
use crate::credential::snapshot::Watched;
use crate::credential::{
    EnvironmentSpec, Following, RawValue, RawValues, Reserved, Secret, Selection, Snapshot,
};
use crate::heroku::for_laws;

use super::{Held, law};

/// Without the mark by which every token of Heroku's is masked. Its first letter is no escape's
/// (`\t`).
const TOKEN: &str = "k3y-0f-the-laws";

/// Holds a body against every law.
///
/// # Errors
/// The law that is broken.
pub fn hold(body: &[u8]) -> Held {
    let values = for_laws::config_vars(body);
    let theirs = serde_json::from_slice::<Value>(body).ok();
    as_another_reads_it(body, values.as_ref(), theirs.as_ref())?;
    if let Some(values) = values {
        written(&values)?;
        shown(&values)?;
        exported(&values)?;
    }
    let came = for_laws::what_came(body);
    law(
        ["200 (empty)", "200 (HTML)", "200, but not a list"].contains(&came.as_str()),
        "what is told of a body is no part of it",
    )?;
    complaint(body)?;
    theirs.map_or(Ok(()), |theirs| lists(body, &theirs))
}

/// An environment of everything that was fetched, as it was fetched.
pub(super) fn plain_environment() -> EnvironmentSpec {
    EnvironmentSpec {
        base: BTreeMap::new(),
        clear: false,
        keep: Vec::new(),
        unset: Vec::new(),
        given: BTreeMap::new(),
        sockets: Vec::new(),
        selection: Selection {
            watched: ["DATABASE_URL", "*_URL"].map(watched).into(),
            databases: Vec::new(),
            all_vars: true,
            reserved: Reserved::HandedOn,
        },
        sslmode: SslPolicy::Keep,
        scheme: None,
        expand: Vec::new(),
    }
}

fn watched(pattern: &str) -> Watched {
    Watched {
        pattern: pattern.to_owned(),
        export_as: None,
    }
}

/// Another reader of JSON, which keeps all of it, agrees.
fn as_another_reads_it(body: &[u8], ours: Option<&RawValues>, theirs: Option<&Value>) -> Held {
    match (ours, theirs) {
        (Some(ours), Some(Value::Object(theirs))) => {
            let read = theirs.iter().map(|(name, value)| (name, raw(value)));
            law(
                ours.len() == theirs.len()
                    && ours.iter().zip(read).all(|(our, it)| our == (it.0, &it.1)),
                "each name has its value",
            )
        }
        (None, Some(Value::Object(_))) => law(false, "an object is read"),
        (ours, Some(_)) => law(ours.is_none(), "what is no object is no answer"),
        (Some(_), None) => {
            let is_deep = body.contains(&b'[') || body.iter().filter(|it| **it == b'{').count() > 1;
            law(is_deep, "only lists and objects are passed over unread")
        }
        (None, None) => Ok(()),
    }
}

fn raw(value: &Value) -> RawValue {
    match value {
        Value::String(text) => RawValue::Text(Secret::from(text.as_str())),
        Value::Null => RawValue::Null,
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => RawValue::NotText,
    }
}

/// What is written as JSON is read again.
fn written(values: &RawValues) -> Held {
    let write = |value: &RawValue| match value {
        RawValue::Text(text) => Value::from(text.expose()),
        RawValue::Null => Value::Null,
        RawValue::NotText => Value::from(0),
    };
    let names = values.iter();
    let object: Value = names
        .map(|(name, value)| (name.clone(), write(value)))
        .collect();
    let again = for_laws::config_vars(object.to_string().as_bytes());
    law(
        again.as_ref() == Some(values),
        "what is written is read again",
    )
}

/// What is shown does not depend on the values.
fn shown(values: &RawValues) -> Held {
    let other = |value: &RawValue| match value {
        RawValue::Text(_) => RawValue::Text(Secret::from("another")),
        other @ (RawValue::Null | RawValue::NotText) => other.clone(),
    };
    let others = values.iter();
    let others: RawValues = others
        .map(|(name, value)| (name.clone(), other(value)))
        .collect();
    law(
        format!("{values:?}") == format!("{others:?}"),
        "what is shown of an answer does not depend on its values",
    )
}

/// What an environment cannot hold never comes there, and everything else as it is.
fn exported(values: &RawValues) -> Held {
    let spec = plain_environment();
    let snapshot = spec
        .selection
        .snapshot(values.clone(), &Following::default());
    judged(values, &snapshot)?;
    let good = snapshot.good();
    let environment = spec.build(None, &good.watched, &good.others);
    let mut count = 0;
    for (name, value) in environment.iter() {
        count += 1;
        let bytes = [name.as_encoded_bytes(), value.as_encoded_bytes()];
        law(
            !bytes.iter().any(|it| it.contains(&0)) && !bytes[0].contains(&b'='),
            "an environment holds no NUL, and its names no sign",
        )?;
        let raw = name.to_str().and_then(|name| values.get(name));
        law(
            matches!(raw, Some(RawValue::Text(text)) if OsStr::new(text.expose()) == value),
            "a value is exported as it is",
        )?;
    }
    law(
        count == good.watched.len() + good.others.len(),
        "each good value is exported",
    )
}

/// A value that is lost is lost for a reason.
fn judged(values: &RawValues, snapshot: &Snapshot) -> Held {
    for (name, raw) in values {
        let fate = snapshot.watched.get(name).map(Result::is_ok);
        let good = fate.unwrap_or_else(|| snapshot.others.contains_key(name));
        let RawValue::Text(text) = raw else {
            law(!good, "what is no text is no value")?;
            continue;
        };
        let text = text.expose();
        let is_possible = !text.contains('\0') && !text.trim().is_empty();
        law(!good || is_possible, "a NUL or nothing is no value")?;
        let is_kept_out = snapshot.kept_out.contains(name);
        let claims = text.contains("postgres") || name.ends_with("_URL");
        law(
            good || is_kept_out || !is_possible || claims,
            "a plain value is good",
        )?;
        law(
            !is_kept_out || name.is_empty() || name.contains(['=', '\0']) || is_own(name),
            "only what no environment can hold is kept out when all is handed on",
        )?;
    }
    Ok(())
}

fn is_own(name: &str) -> bool {
    crate::credential::environment::is_own(name)
}

/// What Heroku complains of is told in one phrase, without the token.
fn complaint(body: &[u8]) -> Held {
    let told = for_laws::complaint(body, &Secret::from(TOKEN), 503);
    law(told.len() <= PHRASE_BYTES_MAX, "a complaint is a phrase")?;
    law(
        told.starts_with("503"),
        "a complaint begins with its status",
    )?;
    law(!told.contains(TOKEN), "a complaint does not tell the token")?;
    law(
        !told.chars().any(char::is_control),
        "a complaint steers no terminal",
    )
}

/// Attachments, plans and backups are what another reader finds there.
fn lists(body: &[u8], theirs: &Value) -> Held {
    let length = theirs.as_array().map(Vec::len);
    if let Some(attachments) = for_laws::attachments(body) {
        law(length == Some(attachments.len()), "each attachment is read")?;
        let named = |(at, ours): (usize, &crate::credential::Attachment)| {
            let theirs = &theirs[at];
            !theirs.is_object() || theirs["name"] == ours.name.as_str()
        };
        law(
            attachments.iter().enumerate().all(named),
            "each attachment has its name",
        )?;
    }
    if let Some(plan) = for_laws::plan(body) {
        let name = &theirs["plan"]["name"];
        law(
            name.is_null() || *name == plan.as_str(),
            "a plan has its name",
        )?;
    }
    match for_laws::backups(body) {
        Some(backups) => law(length == Some(backups.len()), "each backup is read"),
        None => Ok(()),
    }
}
