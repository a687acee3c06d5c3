//! The floor of a restart: a blocking wait, then `posix_spawn` (vfork and exec, nothing else).

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::Result;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

/// A program that is started anew by hand. Its arguments and environment are made once.
pub(crate) struct Bare {
    path: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    child: Option<Pid>,
}

impl Bare {
    pub(crate) fn new<'a>(
        path: &Path,
        arguments: &[&str],
        environment: impl IntoIterator<Item = (&'a OsStr, &'a OsStr)>,
    ) -> Result<Self> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        let arguments = arguments.iter().map(|word| CString::new(*word));
        let arguments: Vec<_> = arguments.collect::<Result<_, _>>()?;
        let pairs = environment.into_iter();
        let pairs = pairs.map(|(name, value)| [name.as_bytes(), value.as_bytes()].join(&b'='));
        Ok(Self {
            arguments: [vec![path.clone()], arguments].concat(),
            path,
            environment: pairs.map(CString::new).collect::<Result<_, _>>()?,
            child: None,
        })
    }

    pub(crate) fn start(&mut self) -> Result<()> {
        let actions = PosixSpawnFileActions::init()?;
        let attributes = PosixSpawnAttr::init()?;
        let child = posix_spawn(
            &*self.path,
            &actions,
            &attributes,
            &self.arguments,
            &self.environment,
        )?;
        self.child = Some(child);
        Ok(())
    }

    /// TERM, and the next one as soon as the old one has ended.
    pub(crate) fn replace(&mut self) -> Result<()> {
        self.end(Signal::SIGTERM)?;
        self.start()
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        self.child.map_or(Ok(()), |child| Ok(kill(child, signal)?))
    }

    /// Sends a signal that ends it, and waits for that.
    pub(crate) fn end(&mut self, signal: Signal) -> Result<()> {
        self.signal(signal)?;
        if let Some(child) = self.child.take() {
            waitpid(child, None)?;
        }
        Ok(())
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.end(Signal::SIGKILL);
    }
}
