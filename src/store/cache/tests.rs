//! What opens, what does not, and where, on a real file system.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use tempfile::TempDir;

use super::*;
use crate::credential::snapshot::Watched;
use crate::credential::{Followed, Reserved, Selection, Values};

const AT: Duration = Duration::from_secs(1_700_000_000);
/// What the encryption adds: see the format.
const HEAD_AND_TAG: usize = 92 + 16;

fn selection(patterns: &[&str]) -> Selection {
    let watched = patterns.iter().map(|pattern| Watched {
        pattern: (*pattern).to_owned(),
        export_as: None,
    });
    Selection {
        watched: watched.collect(),
        databases: Vec::new(),
        all_vars: false,
        reserved: Reserved::KeptOut,
    }
}

fn bound() -> Bound {
    let selection = selection(&["DATABASE_URL", "REDIS_*"]);
    Bound::new("https://api.heroku.com", "myapp", &selection)
}

fn secret() -> Secret {
    Secret::from("HRKU-the-token")
}

fn good() -> LastGood {
    let values = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), Secret::from(*value)))
            .collect::<Values>()
    };
    LastGood {
        watched: values(&[
            ("DATABASE_URL", "postgres://u:CANARY@h/d"),
            ("REDIS_URL", "ü\"\\\n"),
        ]),
        others: values(&[("RELEASE", "v7"), ("EMPTY", "")]),
    }
}

fn room() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn in_room(room: &TempDir) -> Cache {
    Cache::new(room.path().join("cache"), bound())
}

fn write(cache: &Cache) {
    cache.write(&secret(), &good(), UNIX_EPOCH + AT).unwrap();
}

fn sealed() -> Vec<u8> {
    sealed::seal(&secret(), &bound(), &good(), AT.as_secs()).unwrap()
}

fn opened(mut bytes: Vec<u8>) -> Result<(LastGood, u64), Flaw> {
    sealed::open(&secret(), &bound(), &mut bytes)
}

#[test]
fn what_was_written_is_read_and_nobody_else_can() {
    let room = room();
    let cache = in_room(&room);
    for _ in 0..2 {
        write(&cache);
        let (read, at) = cache.read(&secret()).unwrap();
        assert_eq!((read, at), (good(), UNIX_EPOCH + AT));
        let metadata = fs::metadata(cache.path()).unwrap();
        assert_eq!(metadata.mode() & 0o7777, 0o600);
    }
    assert_eq!(fs::read_dir(room.path()).unwrap().count(), 1);
    let bytes = fs::read(cache.path()).unwrap();
    for name in ["CANARY", "DATABASE_URL", "HRKU", "myapp"] {
        let found = bytes.windows(name.len()).any(|at| at == name.as_bytes());
        assert!(!found, "{name} can be read in it");
    }
}

#[test]
fn no_values_are_values_too() {
    let none = LastGood::default();
    let bytes = sealed::seal(&secret(), &bound(), &none, 0).unwrap();
    assert_eq!(bytes.len(), HEAD_AND_TAG + 8);
    assert_eq!(opened(bytes), Ok((none, 0)));
}

#[test]
fn each_write_has_its_own_key() {
    let (one, two) = (sealed(), sealed());
    assert_ne!(one[20..52], two[20..52], "the salt");
    assert_ne!(one[60..92], two[60..92], "the checks");
    assert_ne!(one[92..], two[92..], "the values");
    assert_eq!(one.len(), two.len());
}

#[test]
fn every_bit_counts() {
    let sealed = sealed();
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut bytes = sealed.clone();
            bytes[at] ^= 1 << bit;
            let expected = match at {
                0..16 => Flaw::NotOurs,
                16..20 => Flaw::OtherVersion,
                // The salt: everything that is derived is another.
                20..52 | 60..76 => Flaw::OtherSecret,
                76..92 => Flaw::OtherSource,
                _ => Flaw::Damaged,
            };
            assert_eq!(opened(bytes), Err(expected), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn every_length_counts() {
    let room = room();
    let cache = in_room(&room);
    let sealed = sealed();
    for length in 0..sealed.len() {
        opened(sealed[..length].to_vec()).unwrap_err();
        fs::write(cache.path(), &sealed[..length]).unwrap();
        cache.read(&secret()).unwrap_err();
    }
    let longer = [sealed.as_slice(), b"\0"].concat();
    assert_eq!(opened(longer), Err(Flaw::Damaged));
    fs::write(cache.path(), &sealed).unwrap();
    cache.read(&secret()).unwrap();
}

#[test]
fn another_secret_opens_nothing() {
    let mut bytes = sealed();
    let other = Secret::from("HRKU-the-token2");
    let opened = sealed::open(&other, &bound(), &mut bytes);
    assert_eq!(opened, Err(Flaw::OtherSecret));
}

#[test]
fn what_is_bound() {
    let origin = "https://api.heroku.com";
    let usual = selection(&["DATABASE_URL", "REDIS_*"]);
    let with = |change: &dyn Fn(&mut Selection)| {
        let mut selection = usual.clone();
        change(&mut selection);
        Bound::new(origin, "myapp", &selection)
    };
    let database = |selection: &mut Selection| {
        selection.databases.push(Followed {
            name: "DATABASE_URL".to_owned(),
            export_as: "DATABASE_URL".to_owned(),
        });
    };
    let others = [
        Bound::new("https://api.example.com", "myapp", &usual),
        Bound::new(origin, "otherapp", &usual),
        Bound::new(origin, "myapp", &selection(&["DATABASE_URL"])),
        Bound::new(origin, "myapp", &selection(&["DATABASE_URLREDIS_*"])),
        with(&|selection| selection.all_vars = true),
        with(&|selection| selection.reserved = Reserved::HandedOn),
        with(&database),
        with(&|selection| {
            selection.watched.remove(0);
            database(selection);
        }),
    ];
    for other in others {
        let opened = sealed::open(&secret(), &other, &mut sealed());
        assert_eq!(opened, Err(Flaw::OtherSource), "{other:?}");
    }
    // Neither the order nor the names that the program sees them by.
    let turned = selection(&["REDIS_*", "DATABASE_URL"]);
    assert_eq!(Bound::new(origin, "myapp", &turned), bound());
    let renamed = with(&|selection| selection.watched[0].export_as = Some("URL".to_owned()));
    assert_eq!(renamed, bound());
}

#[test]
fn what_is_too_long_is_refused_and_not_read() {
    let room = room();
    let cache = in_room(&room);
    let of = |length: usize| LastGood {
        watched: Values::from([("V".to_owned(), Secret::new("x".repeat(length)))]),
        others: Values::new(),
    };
    let around = HEAD_AND_TAG + 2 * 4 + 2 * 4 + 1;
    let write = |length| cache.write(&secret(), &of(length), UNIX_EPOCH + AT);
    write(BYTES_MAX - around).unwrap();
    cache.read(&secret()).unwrap();
    let told = write(BYTES_MAX - around + 1).unwrap_err().to_string();
    assert!(told.contains("longer than 1024 KiB"), "{told}");
    cache.read(&secret()).unwrap();
    let file = fs::OpenOptions::new().append(true).open(cache.path());
    file.unwrap().write_all(b"x").unwrap();
    let told = cache.read(&secret()).unwrap_err();
    assert!(matches!(told, Unreadable::Damaged), "{told}");
}

#[test]
fn none_yet_and_not_ours() {
    let room = room();
    let cache = in_room(&room);
    cache.remove().unwrap();
    for prepare in [
        &|| (),
        &(|| fs::write(cache.path(), "").unwrap()) as &dyn Fn(),
    ] {
        prepare();
        let told = cache.read(&secret()).unwrap_err();
        assert!(matches!(told, Unreadable::Missing), "{told}");
    }
    write(&cache);
    fs::write(cache.path(), "precious").unwrap();
    for told in [
        cache.read(&secret()).unwrap_err().to_string(),
        cache.check().unwrap_err().to_string(),
    ] {
        assert!(told.contains("would be lost"), "{told}");
    }
    cache.remove().unwrap_err();
    assert_eq!(fs::read_to_string(cache.path()).unwrap(), "precious");
    fs::remove_file(cache.path()).unwrap();
    write(&cache);
    cache.remove().unwrap();
    assert_eq!(fs::read_dir(room.path()).unwrap().count(), 0);
}

#[test]
fn where_others_can_put_files_nothing_is_written_or_read() {
    let room = room();
    let cache = in_room(&room);
    write(&cache);
    for (mode, fits) in [
        (0o777, false),
        (0o770, false),
        (0o1777, true),
        (0o755, true),
    ] {
        fs::set_permissions(room.path(), fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(cache.check().is_ok(), fits, "{mode:o}");
        assert_eq!(cache.read(&secret()).is_ok(), fits, "{mode:o}");
        let written = cache.write(&secret(), &good(), UNIX_EPOCH + AT);
        assert_eq!(written.is_ok(), fits, "{mode:o}");
    }
}

#[test]
fn links_are_not_followed() {
    let room = room();
    let (cache, other) = (in_room(&room), room.path().join("other"));
    fs::write(&other, sealed()).unwrap();
    symlink(&other, cache.path()).unwrap();
    let told = cache.read(&secret()).unwrap_err().to_string();
    assert!(told.contains("links are not followed"), "{told}");
    let told = cache.write(&secret(), &good(), UNIX_EPOCH + AT);
    let told = told.unwrap_err().to_string();
    assert!(told.contains("links are not followed"), "{told}");
    cache.remove().unwrap_err();
    assert!(cache.path().is_symlink());
}
