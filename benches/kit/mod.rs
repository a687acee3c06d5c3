//! What several benches read of `/proc`.

use std::fs;

use anyhow::{Context, Result};

/// One process, by its number.
#[derive(Clone, Copy)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// A file of its directory in `/proc`.
    pub(crate) fn file(self, name: &str) -> Result<String> {
        let path = format!("/proc/{}/{name}", self.0);
        fs::read_to_string(&path).with_context(|| path)
    }

    /// How many entries a directory of it has: `fd`, `task`.
    pub(crate) fn count(self, name: &str) -> Result<usize> {
        let path = format!("/proc/{}/{name}", self.0);
        Ok(fs::read_dir(&path).with_context(|| path)?.count())
    }

    /// Its children, those that have ended and are not reaped among them.
    pub(crate) fn children(self) -> Result<Vec<Self>> {
        let mut children = Vec::new();
        for task in fs::read_dir(format!("/proc/{}/task", self.0))? {
            // A thread may end meanwhile.
            let all = fs::read_to_string(task?.path().join("children")).unwrap_or_default();
            for number in all.split_whitespace() {
                children.push(Self(number.parse()?));
            }
        }
        Ok(children)
    }

    /// The page faults of all processes that it has reaped: each had some.
    pub(crate) fn reaped_faults(self) -> Result<u64> {
        let stat = self.file("stat")?;
        let (_, fields) = stat.rsplit_once(") ").context("no fields")?;
        let faults = fields.split(' ').nth(8).context("no faults")?;
        Ok(faults.parse()?)
    }

    /// Whether it has ended, and its parent has not asked how.
    pub(crate) fn is_zombie(self) -> bool {
        let stat = self.file("stat").unwrap_or_default();
        let state = stat.rsplit_once(") ").map(|(_, state)| state);
        state.is_some_and(|state| state.starts_with('Z'))
    }

    /// A field of `smaps_rollup`, in KiB. Only root may read it: a supervisor is not dumpable.
    pub(crate) fn memory_kib(self, field: &str) -> Result<f64> {
        number(&self.file("smaps_rollup")?, field)
    }

    /// The processor's time of all its threads that live, in seconds.
    pub(crate) fn cpu_s(self) -> Result<f64> {
        let mut sum = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.0))? {
            let stat = fs::read_to_string(task?.path().join("schedstat"))?;
            let nanoseconds: f64 = stat.split(' ').next().unwrap_or_default().parse()?;
            sum += nanoseconds / 1e9;
        }
        Ok(sum)
    }
}

/// The number behind a field's name.
pub(crate) fn number(text: &str, field: &str) -> Result<f64> {
    let line = text
        .lines()
        .find(|line| line.starts_with(field))
        .with_context(|| format!("no {field}"))?;
    let value = line
        .split_whitespace()
        .nth(1)
        .with_context(|| format!("{line} has no value"))?;
    Ok(value.parse()?)
}
