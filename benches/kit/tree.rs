//! Who descends from a process, as `/proc` shows it.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

/// The numbers of all processes below this one, zombies too.
pub(crate) fn descendants(root: u32) -> Result<Vec<u32>> {
    let mut children = BTreeMap::<u32, Vec<u32>>::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(parent) = open.pop() {
        let below = children.remove(&parent).unwrap_or_default();
        found.extend(&below);
        open.extend(&below);
    }
    Ok(found)
}

/// Whether it lives: neither gone nor a zombie.
pub(crate) fn lives(pid: u32) -> bool {
    let state = stat(pid).and_then(|fields| fields.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

/// Who started it, or has taken it over.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    stat(pid)?.split(' ').nth(1)?.parse().ok()
}

/// What stands behind the name in its `stat`: the state, the parent.
fn stat(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ").context("no fields").ok()?;
    Some(fields.to_owned())
}
