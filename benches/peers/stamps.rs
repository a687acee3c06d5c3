//! What the measured child says, read from its file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{now, pause};

/// Between two looks at the file. The child wakes nobody while something is measured.
const LOOK: Duration = Duration::from_millis(5);

/// One line of a child.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stamp {
    /// `began`, `serves`, `signal`, `ended`.
    pub(crate) what: String,
    pub(crate) pid: u32,
    /// By the monotonic clock.
    pub(crate) at: Duration,
    /// Of `began` the value that it has, of `signal` the number.
    pub(crate) more: String,
}

/// The file that all children write to.
pub(crate) struct Stamps {
    path: PathBuf,
    file: File,
    unread: String,
}

impl Stamps {
    pub(crate) fn new(path: &Path) -> Result<Self> {
        File::create(path).with_context(|| path.display().to_string())?;
        Ok(Self {
            path: path.to_owned(),
            file: File::open(path)?,
            unread: String::new(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Passes over what was said until now.
    pub(crate) fn forget(&mut self) -> Result<()> {
        self.file.seek(SeekFrom::End(0))?;
        self.unread.clear();
        Ok(())
    }

    /// The next line; `None` when there is none in time.
    pub(crate) fn next(&mut self, within: Duration) -> Result<Option<Stamp>> {
        let begin = now();
        loop {
            self.file.read_to_string(&mut self.unread)?;
            if let Some((line, rest)) = self.unread.split_once('\n') {
                let stamp = Stamp::parse(line)?;
                self.unread = rest.to_owned();
                return Ok(Some(stamp));
            }
            if now() - begin > within {
                return Ok(None);
            }
            pause(LOOK);
        }
    }

    /// The next line of this kind; others are passed over.
    pub(crate) fn wait_for(&mut self, what: &str, within: Duration) -> Result<Stamp> {
        while let Some(stamp) = self.next(within)? {
            if stamp.what == what {
                return Ok(stamp);
            }
        }
        bail!("no child {what} within {within:?}")
    }
}

impl Stamp {
    fn parse(line: &str) -> Result<Self> {
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default();
        Ok(Self {
            what: word().to_owned(),
            pid: word().parse().with_context(|| line.to_owned())?,
            at: Duration::from_nanos(word().parse().with_context(|| line.to_owned())?),
            more: word().trim_end().to_owned(),
        })
    }
}
