//! The format of the cache: a head of a fixed length, and the values, encrypted.
//!
//! ```text
//!  0  "changeover cache"                         16
//! 16  version                                     4
//! 20  salt, drawn for each write                 32
//! 52  when Heroku said so, seconds since 1970     8
//! 60  check of the key                           16
//! 76  check of the source                        16
//! 92  the values, encrypted, and a tag           16 and more
//! ```
//!
//! Everything comes from one secret and the salt by HKDF-SHA-256: the key, which encrypts once and
//! never again, so that its nonce can be 0; and the two checks, by which another secret and another
//! source are told from damage. ChaCha20-Poly1305 authenticates the head along with the values.
//!
//! The values have their lengths before them. JSON would be no shorter here, and its reader and
//! writer grow buffers, which leaves copies of secrets behind.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::error::Unspecified;
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::credential::{LastGood, Reserved, Secret, Selection, Values};

pub(super) const MAGIC: &[u8; 16] = b"changeover cache";
const VERSION: u32 = 1;
const TAG: usize = 16;
const CHECK: usize = 16;
const SALT: usize = 32;
const COUNT: usize = size_of::<u32>();
const HEAD: usize = MAGIC.len() + COUNT + SALT + size_of::<u64>() + 2 * CHECK;
/// An answer of Heroku's may be this long, too.
pub(super) const BYTES_MAX: usize = 1024 * 1024;

const FOR_VALUES: &[u8] = b"changeover cache: the values";
const FOR_KEY: &[u8] = b"changeover cache: check of the key";
const FOR_SOURCE: &[u8] = b"changeover cache: check of the source";

/// What a cache stands for: values of one app, from one place, for one selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound(Vec<u8>);

/// Why bytes are not a cache that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    NotOurs,
    OtherVersion,
    OtherSecret,
    OtherSource,
    Damaged,
}

/// Why values cannot be encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Unsealable {
    #[error("its values are longer than {} KiB; watch fewer variables", BYTES_MAX / 1024)]
    TooLong,
    #[error("the system has no random numbers; see whether /dev/urandom is there")]
    NoRandomness,
    #[error("its values could not be encrypted; do without --cache")]
    Refused,
}

impl Bound {
    /// The API's address, the app and the variables as they were given, in whatever order.
    #[must_use]
    pub fn new(origin: &str, app: &str, selection: &Selection) -> Self {
        let watched = selection.watched.iter().map(|it| it.pattern.as_str());
        let databases = selection.databases.iter().map(|it| it.name.as_str());
        let (mut watched, mut databases): (Vec<_>, Vec<_>) =
            (watched.collect(), databases.collect());
        watched.sort_unstable();
        databases.sort_unstable();
        let all_vars = if selection.all_vars { "all" } else { "watched" };
        let reserved = match selection.reserved {
            Reserved::KeptOut => "kept out",
            Reserved::HandedOn => "handed on",
        };
        let mut bytes = Vec::new();
        for list in [vec![origin, app, all_vars, reserved], watched, databases] {
            put_count(&mut bytes, list.len());
            for text in list {
                put_text(&mut bytes, text);
            }
        }
        Self(bytes)
    }
}

/// The whole file.
pub(super) fn seal(
    secret: &Secret,
    bound: &Bound,
    good: &LastGood,
    at: u64,
) -> Result<Vec<u8>, Unsealable> {
    let length = HEAD + length_of(&good.watched) + length_of(&good.others) + TAG;
    if length > BYTES_MAX {
        return Err(Unsealable::TooLong);
    }
    let mut salt = [0; SALT];
    let drawn = SystemRandom::new().fill(&mut salt);
    drawn.map_err(|_| Unsealable::NoRandomness)?;
    let keys = Keys::derive(secret, &salt, bound).map_err(|_| Unsealable::Refused)?;
    // Its full length from the beginning: growing would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&salt);
    bytes.extend_from_slice(&at.to_be_bytes());
    bytes.extend_from_slice(&keys.secret_check);
    bytes.extend_from_slice(&keys.source_check);
    put_values(&mut bytes, &good.watched);
    put_values(&mut bytes, &good.others);
    let (head, values) = bytes.split_at_mut(HEAD);
    let aad = Aad::from(&*head);
    let sealed = keys.values.seal_in_place_separate_tag(once(), aad, values);
    let tag = sealed.map_err(|_| Unsealable::Refused)?;
    bytes.extend_from_slice(tag.as_ref());
    Ok(std::mem::take(&mut *bytes))
}

/// What it holds, and of when. The values are decrypted where they are.
pub(super) fn open(
    secret: &Secret,
    bound: &Bound,
    bytes: &mut [u8],
) -> Result<(LastGood, u64), Flaw> {
    if !bytes.starts_with(MAGIC) {
        return Err(Flaw::NotOurs);
    }
    let Some((head, values)) = bytes.split_at_mut_checked(HEAD) else {
        return Err(Flaw::Damaged);
    };
    let mut rest = &head[MAGIC.len()..];
    let version = take::<4>(&mut rest).map(u32::from_be_bytes);
    let salt = take::<SALT>(&mut rest).unwrap_or([0; SALT]);
    let at = take::<8>(&mut rest).map_or(0, u64::from_be_bytes);
    if version != Some(VERSION) {
        return Err(Flaw::OtherVersion);
    }
    let keys = Keys::derive(secret, &salt, bound).map_err(|_| Flaw::Damaged)?;
    if take(&mut rest) != Some(keys.secret_check) {
        return Err(Flaw::OtherSecret);
    }
    if take(&mut rest) != Some(keys.source_check) {
        return Err(Flaw::OtherSource);
    }
    let opened = keys
        .values
        .open_in_place(once(), Aad::from(&*head), values)
        .map_err(|_| Flaw::Damaged)?;
    let mut rest: &[u8] = opened;
    let watched = take_values(&mut rest).ok_or(Flaw::Damaged)?;
    let others = take_values(&mut rest).ok_or(Flaw::Damaged)?;
    Ok((LastGood { watched, others }, at))
}

/// All that is derived for one file.
struct Keys {
    values: LessSafeKey,
    secret_check: [u8; CHECK],
    source_check: [u8; CHECK],
}

/// Of a length that HKDF can yield.
struct Check;

impl KeyType for Check {
    fn len(&self) -> usize {
        CHECK
    }
}

impl Keys {
    fn derive(secret: &Secret, salt: &[u8], bound: &Bound) -> Result<Self, Unspecified> {
        let derived = Salt::new(HKDF_SHA256, salt).extract(secret.expose().as_bytes());
        let key = UnboundKey::from(derived.expand(&[FOR_VALUES], &CHACHA20_POLY1305)?);
        Ok(Self {
            values: LessSafeKey::new(key),
            secret_check: check(&derived, &[FOR_KEY])?,
            source_check: check(&derived, &[FOR_SOURCE, &bound.0])?,
        })
    }
}

fn check(derived: &Prk, info: &[&[u8]]) -> Result<[u8; CHECK], Unspecified> {
    let mut check = [0; CHECK];
    derived.expand(info, Check)?.fill(&mut check)?;
    Ok(check)
}

fn once() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

fn length_of(values: &Values) -> usize {
    let each = values.iter();
    let each = each.map(|(name, value)| name.len() + value.expose().len() + 2 * COUNT);
    COUNT + each.sum::<usize>()
}

fn put_values(bytes: &mut Vec<u8>, values: &Values) {
    put_count(bytes, values.len());
    for (name, value) in values {
        put_text(bytes, name);
        put_text(bytes, value.expose());
    }
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_count(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

/// What is longer is refused before it comes to this.
fn put_count(bytes: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&count.to_be_bytes());
}

fn take_values(rest: &mut &[u8]) -> Option<Values> {
    let mut values = Values::new();
    for _ in 0..take_count(rest)? {
        let name = take_text(rest)?.to_owned();
        values.insert(name, Secret::from(take_text(rest)?));
    }
    Some(values)
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = take_count(rest)?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    str::from_utf8(text).ok()
}

fn take_count(rest: &mut &[u8]) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(take(rest)?)).ok()
}

fn take<const LENGTH: usize>(rest: &mut &[u8]) -> Option<[u8; LENGTH]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}
