//! What is written, where, and what is refused, on a real file system.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use nix::unistd::{Gid, Uid, mkfifo};
use tempfile::TempDir;

use super::*;
use crate::credential::environment::SslPolicy;
use crate::credential::{EnvironmentSpec, Reserved, Secret, Selection, Values};

const NEW: &str = "env.changeover-new";

fn environment(value: &str) -> Environment {
    let spec = EnvironmentSpec {
        base: BTreeMap::from([("PATH".into(), "/bin".into())]),
        clear: false,
        keep: Vec::new(),
        unset: Vec::new(),
        given: BTreeMap::new(),
        sockets: Vec::new(),
        selection: Selection {
            watched: Vec::new(),
            databases: Vec::new(),
            all_vars: false,
            reserved: Reserved::KeptOut,
        },
        sslmode: SslPolicy::Env,
        scheme: None,
        expand: Vec::new(),
    };
    let values = Values::from([("DATABASE_URL".to_owned(), Secret::from(value))]);
    spec.build(Some("m.i1"), &values, &Values::new())
}

/// A directory of ours.
fn room() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn in_room(room: &TempDir) -> EnvFile {
    EnvFile::new(room.path().join("env"), None)
}

fn refused(file: &mut EnvFile) -> String {
    let early = file.check().map_err(|error| error.to_string());
    let late = file.replace(&environment("v")).unwrap_err().to_string();
    assert!(early.is_ok() || early == Err(late.clone()), "{early:?}");
    late
}

#[test]
fn what_was_fetched_and_nothing_else_for_one_reader() {
    let room = room();
    let mut file = in_room(&room);
    for value in ["first", "second, which is longer", "3"] {
        file.replace(&environment(value)).unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        assert_eq!(text, format!("{HEAD}DATABASE_URL='{value}'\n"));
        let metadata = fs::metadata(file.path()).unwrap();
        assert_eq!(metadata.mode() & 0o7777, 0o600);
        assert_eq!(metadata.uid(), Uid::effective().as_raw());
    }
    assert_eq!(fs::read_dir(room.path()).unwrap().count(), 1);
}

#[test]
fn the_reader_owns_it() {
    if !Uid::effective().is_root() {
        return;
    }
    let room = room();
    let owner = Owner {
        uid: 54_321,
        gid: 54_322,
    };
    let mut file = EnvFile::new(room.path().join("env"), Some(owner));
    file.replace(&environment("v")).unwrap();
    let metadata = fs::metadata(file.path()).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (54_321, 54_322));
    // A directory of the reader's will do: what is in it is the reader's anyway.
    nix::unistd::chown(room.path(), Some(Uid::from_raw(54_321)), None).unwrap();
    file.replace(&environment("v")).unwrap();
    nix::unistd::chown(room.path(), Some(Uid::from_raw(54_323)), None).unwrap();
    let told = refused(&mut file);
    assert!(told.contains("belongs to uid 54323"), "{told}");
    // But nothing above it: whoever owns that can put another directory there.
    let inner = room.path().join("inner");
    fs::create_dir(&inner).unwrap();
    nix::unistd::chown(room.path(), Some(Uid::from_raw(54_321)), None).unwrap();
    let mut file = EnvFile::new(inner.join("env"), Some(owner));
    let told = refused(&mut file);
    assert!(told.contains("belongs to uid 54321"), "{told}");
    nix::unistd::chown(room.path(), Some(Uid::effective()), Some(Gid::effective())).unwrap();
}

#[test]
fn removed_at_the_end_and_whatever_the_end() {
    let room = room();
    let mut file = in_room(&room);
    let path = file.path().to_owned();
    file.remove().unwrap();
    file.replace(&environment("v")).unwrap();
    file.remove().unwrap();
    assert!(!path.exists());
    file.replace(&environment("v")).unwrap();
    drop(file);
    assert!(!path.exists());
}

#[test]
fn what_another_has_put_in_its_place_is_not_removed() {
    let room = room();
    let mut file = in_room(&room);
    file.replace(&environment("v")).unwrap();
    let mut next = in_room(&room);
    next.replace(&environment("w")).unwrap();
    let path = file.path().to_owned();
    drop(file);
    assert!(fs::read_to_string(path).unwrap().contains("'w'"));
}

#[test]
fn nothing_stays_behind_when_the_path_leads_elsewhere() {
    let room = room();
    let [old, new] = ["old", "new"].map(|name| room.path().join(name));
    for directory in [&old, &new] {
        fs::create_dir(directory).unwrap();
    }
    let link = room.path().join("link");
    let lead_to = |directory: &Path| {
        let _ = fs::remove_file(&link);
        symlink(directory, &link).unwrap();
    };
    let count = |directory: &Path| fs::read_dir(directory).unwrap().count();
    lead_to(&old);
    let mut file = EnvFile::new(link.join("env"), None);
    file.replace(&environment("v")).unwrap();
    // At the end,
    lead_to(&new);
    file.remove().unwrap();
    assert_eq!((count(&old), count(&new)), (0, 0));
    // at the next write, and not before that one can be made,
    file.replace(&environment("v")).unwrap();
    lead_to(&old);
    mode(&old, 0o777);
    file.replace(&environment("w")).unwrap_err();
    assert_eq!((count(&old), count(&new)), (0, 1));
    mode(&old, 0o700);
    file.replace(&environment("w")).unwrap();
    assert_eq!((count(&old), count(&new)), (1, 0));
    // when the directory itself was moved.
    let moved = room.path().join("moved");
    fs::rename(&old, &moved).unwrap();
    assert_eq!(count(&moved), 1);
    drop(file);
    assert_eq!(count(&moved), 0);
}

#[test]
fn a_directory_where_others_can_rename() {
    let room = room();
    let mut file = in_room(&room);
    for (bits, fits) in [
        (0o777, false),
        (0o720, false),
        (0o702, false),
        (0o1777, true),
        (0o755, true),
    ] {
        mode(room.path(), bits);
        let written = file.replace(&environment("v"));
        assert_eq!(written.is_ok(), fits, "{bits:o}: {written:?}");
    }
    // Above, it is the same.
    let inner = room.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let link = room.path().join("link");
    symlink(&inner, &link).unwrap();
    for directory in [inner, link] {
        let mut file = EnvFile::new(directory.join("env"), None);
        mode(room.path(), 0o777);
        let told = refused(&mut file);
        assert!(told.contains("mode 0777"), "{told}");
        mode(room.path(), 0o700);
        file.replace(&environment("v")).unwrap();
    }
}

#[test]
fn no_directory() {
    let room = room();
    let mut file = EnvFile::new(room.path().join("nowhere/env"), None);
    let told = refused(&mut file);
    assert!(told.contains("its directory does not exist"), "{told}");
    let mut file = EnvFile::new("/".into(), None);
    assert!(refused(&mut file).contains("no regular file"));
}

#[test]
fn what_is_somebodys_own_is_neither_followed_nor_lost() {
    let room = room();
    let mut file = in_room(&room);
    let (path, other) = (file.path().to_owned(), room.path().join("other"));
    fs::write(&other, "precious").unwrap();
    symlink(&other, &path).unwrap();
    assert!(refused(&mut file).contains("links are not followed"));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(refused(&mut file).contains("no regular file"));
    fs::remove_dir(&path).unwrap();
    mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(refused(&mut file).contains("no regular file"));
    fs::remove_file(&path).unwrap();
    fs::write(&path, "precious").unwrap();
    assert!(refused(&mut file).contains("would be lost"));
    drop(file);
    for precious in [other, path] {
        assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
    }
    assert!(!room.path().join(NEW).exists());
}

#[test]
fn empty_files_and_those_of_a_killed_predecessor_are_replaced() {
    let room = room();
    let mut file = in_room(&room);
    fs::write(file.path(), "").unwrap();
    file.replace(&environment("v")).unwrap();
    std::mem::forget(file);
    let mut next = in_room(&room);
    next.replace(&environment("w")).unwrap();
    assert!(fs::read_to_string(next.path()).unwrap().contains("'w'"));
}

#[test]
fn what_a_crash_has_left_and_traps_in_its_place_are_taken_away() {
    let room = room();
    let mut file = in_room(&room);
    let (new, other) = (room.path().join(NEW), room.path().join("other"));
    fs::write(&other, "precious").unwrap();
    let traps: [&dyn Fn(); 4] = [
        &|| fs::write(&new, "half of it").unwrap(),
        &|| symlink(&other, &new).unwrap(),
        &|| symlink("/nowhere/at/all", &new).unwrap(),
        &|| fs::hard_link(&other, &new).unwrap(),
    ];
    for trap in traps {
        trap();
        file.replace(&environment("v")).unwrap();
        assert!(fs::symlink_metadata(file.path()).unwrap().is_file());
        assert!(!new.exists() && !new.is_symlink());
        assert_eq!(fs::read_to_string(&other).unwrap(), "precious");
    }
    fs::create_dir(&new).unwrap();
    refused(&mut file);
}

#[test]
fn what_cannot_be_written_leaves_what_was_there() {
    let room = room();
    let mut file = in_room(&room);
    file.replace(&environment("good")).unwrap();
    let before = fs::read_to_string(file.path()).unwrap();
    let told = file.replace(&environment("CANARY\r")).unwrap_err();
    let told = told.to_string();
    assert!(told.contains("DATABASE_URL cannot be in it"), "{told}");
    assert!(!told.contains("CANARY"), "{told}");
    assert_eq!(fs::read_to_string(file.path()).unwrap(), before);
}
