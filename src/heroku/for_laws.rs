//! What `testing::laws` holds against its laws (feature `testing`), and nobody else needs.

use hyper::header::{HeaderMap, HeaderValue};
use std::time::Duration;

use crate::credential::{Attachment, RawValues, Secret};

use super::Backup;
use super::model::{self, Body, Complaint};
use super::questions;
use super::{netrc, webhook};

pub(crate) fn config_vars(body: &[u8]) -> Option<RawValues> {
    model::config_vars(body)
}

pub(crate) fn attachments(body: &[u8]) -> Option<Vec<Attachment>> {
    model::attachments(body)
}

pub(crate) fn plan(body: &[u8]) -> Option<String> {
    model::plan(body)
}

pub(crate) fn backups(body: &[u8]) -> Option<Vec<Backup>> {
    model::backups(body)
}

/// What is told of a body that is not what was asked for.
pub(crate) fn what_came(bytes: &[u8]) -> String {
    let mut body = Body::default();
    let _ = body.push(bytes, usize::MAX);
    questions::what_came(&body, "a list")
}

/// What is told of an error.
pub(crate) fn complaint(body: &[u8], token: &Secret, status: u16) -> String {
    Complaint::read(body, token).told(status)
}

pub(crate) fn retry_after(value: &str, date: Option<&str>) -> Option<Duration> {
    model::retry_after(value, date)
}

pub(crate) fn netrc_password<'a>(text: &'a str, machine: &str) -> Option<&'a str> {
    netrc::password(text, machine)
}

/// Whether a webhook with these signatures would be believed.
pub(crate) fn is_webhook_signed(
    body: &[u8],
    signatures: Vec<HeaderValue>,
    secret: &Secret,
) -> bool {
    let mut head = HeaderMap::new();
    for signature in signatures {
        head.append(webhook::SIGNATURE, signature);
    }
    webhook::believes(&head, body, secret)
}
