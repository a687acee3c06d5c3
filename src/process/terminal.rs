//! The terminal that we were started on: whether there is one, and giving it back as it was.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;
use nix::libc::O_NOCTTY;
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, getpid, getsid, tcgetpgrp, tcsetpgrp};

/// Whether this process has a controlling terminal; then the child shares our process group.
#[must_use]
pub fn has_controlling_terminal() -> bool {
    open().is_some()
}

/// Whether this process leads its session: then a terminal that hangs up tells it, and nobody else.
#[must_use]
pub fn leads_session() -> bool {
    getsid(None) == Ok(getpid())
}

/// The terminal as it was before an instance ran on it.
#[derive(Debug)]
pub struct Terminal {
    file: File,
    settings: Termios,
    foreground: bool,
}

impl Terminal {
    /// Remembers how the terminal is; `None` without one.
    #[must_use]
    pub fn save() -> Option<Self> {
        let file = open()?;
        let settings = tcgetattr(&file).ok()?;
        let foreground = tcgetpgrp(&file).ok()? == getpgrp();
        Some(Self {
            file,
            settings,
            foreground,
        })
    }

    /// Puts back what an instance may have left behind: raw mode, no echo, a foreground group that
    /// is gone. Only where we are in the foreground, or were and nobody is now: otherwise the
    /// terminal is the shell's to arrange.
    pub fn restore(&self) {
        // A background process that changes its terminal is stopped by TTOU, unless it blocks it.
        let mut ttou = SigSet::empty();
        ttou.add(Signal::SIGTTOU);
        let before = ttou.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK);
        let mut holder = tcgetpgrp(&self.file).unwrap_or(nix::unistd::Pid::from_raw(0));
        let nobody = killpg(holder, None) == Err(Errno::ESRCH);
        if self.foreground && nobody && tcsetpgrp(&self.file, getpgrp()).is_ok() {
            holder = getpgrp();
        }
        if holder == getpgrp() {
            // At once: waiting for the output to drain would hang on a stopped terminal.
            let _ = tcsetattr(&self.file, SetArg::TCSANOW, &self.settings);
        }
        if let Ok(before) = before {
            let _ = before.thread_set_mask();
        }
    }
}

fn open() -> Option<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(O_NOCTTY)
        .open("/dev/tty")
        .ok()
}
