//! What the API sends, on its way into our own types: config vars, error bodies, `Retry-After`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use crate::credential::{Attachment, RawValue, Secret, phrase};

use super::addon::Backup;

/// The config vars, each value a [`Secret`] from the moment it is read; `None` when the body is no
/// JSON object.
///
/// What a JSON parser has to say about a body is not passed on: it may quote a value.
pub(super) fn config_vars(body: &[u8]) -> Option<BTreeMap<String, RawValue>> {
    let values: BTreeMap<String, Value> = serde_json::from_slice(body).ok()?;
    Some(
        values
            .into_iter()
            .map(|(name, Value(raw))| (name, raw))
            .collect(),
    )
}

/// One page of the app's attachments; `None` when the body is no such list.
pub(super) fn attachments(body: &[u8]) -> Option<Vec<Attachment>> {
    let list: Vec<AttachmentBody> = serde_json::from_slice(body).ok()?;
    Some(list.into_iter().map(Attachment::from).collect())
}

/// What is needed of an attachment. `config_vars`, which only some answers have, is not.
#[derive(Deserialize)]
struct AttachmentBody {
    id: String,
    name: String,
    namespace: Option<String>,
    created_at: Option<String>,
    addon: AddonBody,
}

#[derive(Deserialize)]
struct AddonBody {
    id: String,
    name: String,
}

impl From<AttachmentBody> for Attachment {
    fn from(body: AttachmentBody) -> Self {
        Self {
            id: body.id,
            name: body.name,
            namespace: body.namespace,
            created_at: body.created_at.unwrap_or_default(),
            addon_id: body.addon.id,
            addon: body.addon.name,
        }
    }
}

/// An add-on's plan; `None` when the body is no add-on.
pub(super) fn plan(body: &[u8]) -> Option<String> {
    let PlanBody { plan } = serde_json::from_slice(body).ok()?;
    Some(plan.name)
}

#[derive(Deserialize)]
struct PlanBody {
    plan: Named,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// When a database is backed up; `None` when the body is no such list.
pub(super) fn backups(body: &[u8]) -> Option<Vec<Backup>> {
    let list: Vec<BackupBody> = serde_json::from_slice(body).ok()?;
    Some(list.into_iter().map(Backup::from).collect())
}

#[derive(Deserialize)]
struct BackupBody {
    hour: Hour,
    timezone: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Hour {
    Number(u8),
    Text(String),
}

impl From<BackupBody> for Backup {
    fn from(body: BackupBody) -> Self {
        let hour = match body.hour {
            Hour::Number(hour) => hour.to_string(),
            Hour::Text(hour) => hour,
        };
        Self {
            hour,
            timezone: body.timezone,
        }
    }
}

struct Value(RawValue);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(Self)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = RawValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<RawValue, E> {
        Ok(RawValue::Text(Secret::from(text)))
    }

    fn visit_string<E>(self, text: String) -> Result<RawValue, E> {
        Ok(RawValue::Text(Secret::new(text)))
    }

    fn visit_unit<E>(self) -> Result<RawValue, E> {
        Ok(RawValue::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<RawValue, E> {
        Ok(RawValue::NotText)
    }

    fn visit_i64<E>(self, _: i64) -> Result<RawValue, E> {
        Ok(RawValue::NotText)
    }

    fn visit_u64<E>(self, _: u64) -> Result<RawValue, E> {
        Ok(RawValue::NotText)
    }

    fn visit_f64<E>(self, _: f64) -> Result<RawValue, E> {
        Ok(RawValue::NotText)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RawValue, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(RawValue::NotText)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawValue, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(RawValue::NotText)
    }
}

/// An answer's body, zeroed when dropped, and never moved without zeroing what it leaves.
#[derive(Default)]
pub(super) struct Body(Zeroizing<Vec<u8>>);

impl Body {
    /// Adds a piece; `false`, and nothing is added, when the body would grow beyond the limit.
    #[must_use]
    pub(super) fn push(&mut self, piece: &[u8], bytes_max: usize) -> bool {
        let length = self.0.len() + piece.len();
        if length > bytes_max {
            return false;
        }
        if length > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(length.next_power_of_two()));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(piece);
        true
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// An error's body: JSON as the API's reference has it, the `error` key of old traces, or a page of
/// HTML.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    /// The error id, such as `rate_limit`.
    pub(super) id: Option<String>,
    /// What the body says, in brackets when it is not the API's own word.
    pub(super) text: String,
}

#[derive(Deserialize)]
struct ErrorBody {
    id: Option<String>,
    message: Option<String>,
    error: Option<String>,
}

impl Complaint {
    pub(super) fn read(body: &[u8], token: &Secret) -> Self {
        if let Ok(error) = serde_json::from_slice::<ErrorBody>(body) {
            let text = error.message.or(error.error).unwrap_or_default();
            let clean = |text: String| phrase(&text.replace(token.expose(), "***"));
            return Self {
                id: error.id.map(clean),
                text: clean(text),
            };
        }
        let text = String::from_utf8_lossy(body);
        let kind = match text.trim_start() {
            "" => "(empty)",
            text if text.starts_with('<') => "(HTML)",
            _ => "(not JSON)",
        };
        Self {
            id: None,
            text: kind.to_owned(),
        }
    }

    /// `429 rate_limit: Your account reached…`, `503 (HTML)`.
    pub(super) fn told(&self, status: u16) -> String {
        let told = match (&self.id, self.text.as_str()) {
            (None, "") => status.to_string(),
            (Some(id), "") => format!("{status} {id}"),
            (Some(id), text) => format!("{status} {id}: {text}"),
            (None, text) if text.starts_with('(') => format!("{status} {text}"),
            (None, text) => format!("{status}: {text}"),
        };
        phrase(&told)
    }
}

/// `Retry-After`, in seconds or as a date. A date is measured against the answer's own `Date`: no
/// clock of ours, which may be wrong, has a say.
pub(super) fn retry_after(value: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = httpdate::parse_http_date(value.trim()).ok()?;
    let now = httpdate::parse_http_date(date?.trim()).ok()?;
    Some(then.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_have_names_and_an_add_on_and_the_rest_is_passed_over() {
        let body = br#"[{"id":"i","name":"DATABASE","namespace":null,"created_at":"2026","web_url":null,
            "addon":{"id":"a","name":"postgresql-round-12345","app":{"name":"billed"}},"app":{"name":"x"}}]"#;
        let list = attachments(body).unwrap();
        assert_eq!(list[0].config_var(), "DATABASE_URL");
        assert_eq!(list[0].addon, "postgresql-round-12345");
        for body in [
            "",
            "{}",
            "[{}]",
            r#"[{"id":"i","name":"X","addon":null}]"#,
            "<html>",
        ] {
            assert!(attachments(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn plans_and_backups() {
        let body = br#"{"id":"a","plan":{"id":"p","name":"heroku-postgresql:private-0"}}"#;
        assert_eq!(plan(body).unwrap(), "heroku-postgresql:private-0");
        let body = br#"[{"uuid":"u","name":"DATABASE_URL","hour":2,"timezone":"UTC"},
            {"hour":"3","timezone":"America/Los_Angeles"}]"#;
        let list = backups(body).unwrap();
        let hours: Vec<_> = list.iter().map(|one| one.hour.as_str()).collect();
        assert_eq!(hours, ["2", "3"]);
        assert_eq!(backups(b"[]"), Some(Vec::new()));
        for body in ["", "{}", "[{}]", "<html>", r#"{"plan":"x"}"#] {
            assert_eq!(plan(body.as_bytes()), None, "{body}");
            assert_eq!(backups(body.as_bytes()), None, "{body}");
        }
    }

    fn complaint(body: &str) -> String {
        Complaint::read(body.as_bytes(), &Secret::from("T0KEN")).told(503)
    }

    #[test]
    fn each_json_type_has_its_raw_value() {
        let body = br#"{"A":"a","B":"\u00e9\n","C":null,"D":1,"E":-1.5,"F":true,"G":[1,[2]],"H":{"x":{}},"A":"z"}"#;
        let vars = config_vars(body).unwrap();
        assert_eq!(vars["A"], RawValue::Text(Secret::from("z")));
        assert_eq!(vars["B"], RawValue::Text(Secret::from("é\n")));
        assert_eq!(vars["C"], RawValue::Null);
        for name in ["D", "E", "F", "G", "H"] {
            assert_eq!(vars[name], RawValue::NotText, "{name}");
        }
    }

    #[test]
    fn what_is_no_object_is_no_answer() {
        for body in [
            "",
            "[]",
            "null",
            "\"x\"",
            "{\"A\":\"x\"",
            "<html>",
            "{} {}",
            "{\"A\":\"\u{0}\"}",
        ] {
            assert!(config_vars(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn complaints() {
        for (body, expected) in [
            (
                r#"{"id":"maintenance","message":"Down."}"#,
                "503 maintenance: Down.",
            ),
            (r#"{"error":"Down."}"#, "503: Down."),
            (r#"{"id":"maintenance"}"#, "503 maintenance"),
            ("{}", "503"),
            ("", "503 (empty)"),
            (" \n<!DOCTYPE html>", "503 (HTML)"),
            ("upstream connect error", "503 (not JSON)"),
            (r#"{"message":"bad T0KEN\n"}"#, "503: bad ***"),
        ] {
            assert_eq!(complaint(body), expected);
        }
        let long = format!(r#"{{"id":"x","message":"{}"}}"#, "y".repeat(9000));
        assert!(complaint(&long).len() <= 256);
    }

    #[test]
    fn a_body_has_a_limit() {
        let mut body = Body::default();
        assert!(body.push(b"abc", 5) && body.push(b"de", 5) && !body.push(b"f", 5));
        assert_eq!(body.bytes(), b"abcde");
    }

    #[test]
    fn retry_after_in_seconds_or_as_a_date() {
        let date = Some("Sun, 22 Nov 2026 10:00:00 GMT");
        for (value, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 22 Nov 2026 10:01:30 GMT", Some(90)),
            ("Sun, 22 Nov 2026 09:00:00 GMT", Some(0)),
            ("-5", None),
            ("soon", None),
        ] {
            assert_eq!(
                retry_after(value, date),
                expected.map(Duration::from_secs),
                "{value}"
            );
        }
        assert_eq!(retry_after("Sun, 22 Nov 2026 10:01:30 GMT", None), None);
    }
}
