//! Signals by number and name (Linux on x86-64 and ARM64), and where one came from.

use core::fmt;

/// A signal's number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signal(pub i32);

/// Linux's standard signals. `IO` is also known as `POLL`.
const NAMES: [(i32, &str); 31] = [
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (4, "ILL"),
    (5, "TRAP"),
    (6, "ABRT"),
    (7, "BUS"),
    (8, "FPE"),
    (9, "KILL"),
    (10, "USR1"),
    (11, "SEGV"),
    (12, "USR2"),
    (13, "PIPE"),
    (14, "ALRM"),
    (15, "TERM"),
    (16, "STKFLT"),
    (17, "CHLD"),
    (18, "CONT"),
    (19, "STOP"),
    (20, "TSTP"),
    (21, "TTIN"),
    (22, "TTOU"),
    (23, "URG"),
    (24, "XCPU"),
    (25, "XFSZ"),
    (26, "VTALRM"),
    (27, "PROF"),
    (28, "WINCH"),
    (29, "IO"),
    (30, "PWR"),
    (31, "SYS"),
];

impl Signal {
    /// The numbers of the real-time signals that a program may use (glibc keeps 32 and 33).
    pub const REAL_TIME: core::ops::RangeInclusive<i32> = 34..=64;
    /// Hang-up.
    pub const HUP: Self = Self(1);
    /// The interrupt key.
    pub const INT: Self = Self(2);
    /// The quit key; a JVM's thread dump.
    pub const QUIT: Self = Self(3);
    /// Abort: a core, or a trace.
    pub const ABRT: Self = Self(6);
    /// Cannot be caught.
    pub const KILL: Self = Self(9);
    /// The polite request to end.
    pub const TERM: Self = Self(15);
    /// A child of the receiver changed.
    pub const CHLD: Self = Self(17);
    /// Go on after a stop.
    pub const CONT: Self = Self(18);
    /// Cannot be caught either.
    pub const STOP: Self = Self(19);
    /// The suspend key.
    pub const TSTP: Self = Self(20);
    /// A job in the background reads the terminal.
    pub const TTIN: Self = Self(21);
    /// A job in the background changes the terminal.
    pub const TTOU: Self = Self(22);

    /// Reads `TERM`, `SIGTERM`, `15`, `RTMIN`, `RTMIN+3` or `RTMAX-1`, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if let Ok(number) = name.parse::<i32>() {
            return ((1..=31).contains(&number) || Self::REAL_TIME.contains(&number))
                .then_some(Self(number));
        }
        let upper = name.to_ascii_uppercase();
        let short = upper.strip_prefix("SIG").unwrap_or(&upper);
        let real_time = |base: i32, offset: &str| -> Option<i32> {
            let offset = if offset.is_empty() {
                0
            } else {
                offset.parse::<i32>().ok()?
            };
            Some(base.saturating_add(offset)).filter(|number| Self::REAL_TIME.contains(number))
        };
        if let Some(offset) = short.strip_prefix("RTMIN") {
            return real_time(*Self::REAL_TIME.start(), offset).map(Self);
        }
        if let Some(offset) = short.strip_prefix("RTMAX") {
            return real_time(*Self::REAL_TIME.end(), offset).map(Self);
        }
        let short = if short == "POLL" { "IO" } else { short };
        NAMES
            .iter()
            .find(|(_, known)| *known == short)
            .map(|(number, _)| Self(*number))
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => f.write_str(name),
            None if Self::REAL_TIME.contains(&self.0) => {
                write!(f, "RTMIN+{}", self.0 - Self::REAL_TIME.start())
            }
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Who raised a signal that reached the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The kernel, on behalf of the terminal: the child in our process group has it already.
    Terminal,
    /// A process outside the child's tree.
    Process,
    /// The supervisor itself, or a process of the child's tree: not echoed back to the child.
    OwnTree,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (name, number) in [
            ("TERM", 15),
            ("sigterm", 15),
            ("15", 15),
            ("RTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("RTMAX-1", 63),
            ("POLL", 29),
        ] {
            assert_eq!(Signal::from_name(name), Some(Signal(number)), "{name}");
        }
        for name in [
            "", "SIG", "TREM", "0", "32", "65", "-1", "RTMIN+31", "RTMAX+1", "RTMIN+x",
        ] {
            assert_eq!(Signal::from_name(name), None, "{name}");
        }
        assert_eq!(Signal(15).to_string(), "TERM");
        assert_eq!(Signal(37).to_string(), "RTMIN+3");
        assert_eq!(Signal(32).to_string(), "signal 32");
        assert_eq!(format!("{:?}", Signal(15)), "TERM");
    }
}
