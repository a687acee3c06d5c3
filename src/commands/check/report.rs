//! What a check has found: line by line, in the order in which a person follows it.

use crate::exit_code::ExitCode;

/// Everything that was looked at. A line is added once, and none is ever taken back.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) app: String,
    pub(super) lines: Vec<Line>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) name: Name,
    /// The config var, or the database, that it is about.
    pub(super) variable: Option<String>,
    pub(super) verdict: Verdict,
}

/// What there is to look at, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Token,
    Scope,
    App,
    Budget,
    Variable,
    Url,
    Dns,
    Tcp,
    Tls,
    Login,
    Writable,
    Slots,
    Backups,
    Promoted,
}

impl Name {
    /// What scripts know it by: it never changes.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Scope => "scope",
            Self::App => "app",
            Self::Budget => "budget",
            Self::Variable => "variable",
            Self::Url => "url",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Login => "login",
            Self::Writable => "writable",
            Self::Slots => "slots",
            Self::Backups => "backups",
            Self::Promoted => "promoted",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// What was found is right.
    Good(String),
    /// `run` works with it, and something would be better.
    Advice { found: String, mend: String },
    /// `run`, or its program, cannot work like this.
    Failed {
        found: String,
        mend: String,
        /// What the check ends with, when this is the first failure.
        code: ExitCode,
    },
    /// It was not found out.
    Unknown { why: String, mend: Option<String> },
    /// It was not looked at, because this failed first.
    Behind(Name),
}

impl Verdict {
    pub(super) fn good(found: impl Into<String>) -> Self {
        Self::Good(found.into())
    }

    pub(super) fn advice(found: impl Into<String>, mend: impl Into<String>) -> Self {
        let (found, mend) = (found.into(), mend.into());
        Self::Advice { found, mend }
    }

    /// Trying again does not help: 78.
    pub(super) fn wrong(found: impl Into<String>, mend: impl Into<String>) -> Self {
        let code = ExitCode::Config;
        let (found, mend) = (found.into(), mend.into());
        Self::Failed { found, mend, code }
    }

    /// Trying again may help: 75.
    pub(super) fn away(found: impl Into<String>, mend: impl Into<String>) -> Self {
        let code = ExitCode::NoAnswer;
        let (found, mend) = (found.into(), mend.into());
        Self::Failed { found, mend, code }
    }

    pub(super) fn unknown(why: impl Into<String>) -> Self {
        let why = why.into();
        Self::Unknown { why, mend: None }
    }

    /// Something else can tell.
    pub(super) fn elsewhere(why: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::Unknown {
            why: why.into(),
            mend: Some(mend.into()),
        }
    }

    /// One word of four, the same for people and for scripts.
    pub(super) fn status(&self) -> &'static str {
        match self {
            Self::Good(_) => "ok",
            Self::Advice { .. } => "advice",
            Self::Failed { .. } => "failed",
            Self::Unknown { .. } | Self::Behind(_) => "unknown",
        }
    }

    pub(super) fn found(&self) -> String {
        match self {
            Self::Good(found) | Self::Advice { found, .. } | Self::Failed { found, .. } => {
                found.clone()
            }
            Self::Unknown { why, .. } => why.clone(),
            Self::Behind(name) => format!("not looked at, because {} failed", name.text()),
        }
    }

    pub(super) fn mend(&self) -> Option<&str> {
        match self {
            Self::Advice { mend, .. } | Self::Failed { mend, .. } => Some(mend),
            Self::Unknown { mend, .. } => mend.as_deref(),
            Self::Good(_) | Self::Behind(_) => None,
        }
    }
}

impl Report {
    pub(super) fn new(app: &str) -> Self {
        Self {
            app: app.to_owned(),
            lines: Vec::new(),
        }
    }

    /// Adds lines that are about the app, or about one of its variables.
    pub(super) fn add(
        &mut self,
        variable: Option<&str>,
        lines: impl IntoIterator<Item = (Name, Verdict)>,
    ) {
        self.lines
            .extend(lines.into_iter().map(|(name, verdict)| Line {
                name,
                variable: variable.map(str::to_owned),
                verdict,
            }));
    }

    /// That of the first failure.
    pub(super) fn code(&self) -> ExitCode {
        let code = |line: &Line| match line.verdict {
            Verdict::Failed { code, .. } => Some(code),
            Verdict::Good(_)
            | Verdict::Advice { .. }
            | Verdict::Unknown { .. }
            | Verdict::Behind(_) => None,
        };
        self.lines
            .iter()
            .find_map(code)
            .unwrap_or(ExitCode::Success)
    }
}
