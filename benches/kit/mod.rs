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
