//! Where the control socket is: for the supervisor that listens on it, and for who asks it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::cli;

use super::given::{Inherited, Lookup, UsageError};
use super::words;

/// The option of `run`, by its variable: `CHANGEOVER_CONTROL` is what the program finds.
pub(super) const LISTEN: &str = "control-listen";

/// Where `run` listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlSocket {
    /// Nowhere: `--control none`, or there is no usual place.
    Off,
    /// At this path, and nowhere else.
    Chosen(PathBuf),
    /// At the usual place, if it is free.
    Usual(PathBuf),
}

/// Whom `status`, `refresh` and their like ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Who listens at this path.
    At {
        /// The path.
        path: PathBuf,
        /// The app that it must be, if one was typed beside it.
        app: Option<String>,
    },
    /// The only one in these directories: any, or that of this app.
    In {
        /// Where sockets are looked for.
        directories: Vec<PathBuf>,
        /// The app, if one was named.
        app: Option<String>,
    },
}

impl Lookup<'_> {
    pub(super) fn control(
        &self,
        typed: Option<PathBuf>,
        source: &cli::Source,
    ) -> Result<ControlSocket, UsageError> {
        let given = self.path(LISTEN, typed);
        match given.map(|given| given.value) {
            Some(path) if path == Path::new("none") => return Ok(ControlSocket::Off),
            Some(path) => return Ok(ControlSocket::Chosen(path)),
            None => {}
        }
        let app = self.text("app", source.app.clone())?;
        let app = app.as_ref().map(words::app).transpose()?;
        let usual = app.and_then(|app| usual(&app, self.0));
        Ok(usual.map_or(ControlSocket::Off, ControlSocket::Usual))
    }
}

/// Where a supervisor of this app listens unless it is told where, if there is such a place.
pub(super) fn usual(app: &str, inherited: &Inherited) -> Option<PathBuf> {
    let directory = directories(inherited).into_iter().next()?;
    Some(directory.join(file(app)))
}

impl Whom {
    /// Whom these options mean in this environment.
    ///
    /// # Errors
    /// One sentence: what is wrong, why it matters, what to do.
    pub fn new(typed: cli::Target, inherited: &Inherited) -> Result<Self, UsageError> {
        let lookup = Lookup(inherited);
        let named = lookup.path("control", typed.control);
        // In a container both ends have one environment.
        let listens = || {
            lookup
                .path(LISTEN, None)
                .filter(|given| given.value != *Path::new("none"))
        };
        if let Some(path) = named.or_else(listens) {
            let app = typed.app.filter(|app| !app.is_empty());
            let app = app.map(|app| lookup.text("app", Some(app))).transpose()?;
            let app = app.flatten();
            return Ok(Self::At {
                path: path.value,
                app: app.as_ref().map(words::app).transpose()?,
            });
        }
        let app = lookup.text("app", typed.app)?;
        let mut directories = directories(inherited);
        // Where systemd puts those of its units, for a person who is root.
        directories.extend([PathBuf::from(RUN), Path::new(RUN).join("*")]);
        Ok(Self::In {
            directories,
            app: app.as_ref().map(words::app).transpose()?,
        })
    }
}

const RUN: &str = "/run/changeover";

/// The file of an app's socket.
#[must_use]
pub fn file(app: &str) -> String {
    format!("{app}.sock")
}

/// Where a supervisor with this environment listens: the first one.
fn directories(inherited: &Inherited) -> Vec<PathBuf> {
    let value = |name: &str| {
        let value: &OsString = inherited.get(OsStr::new(name))?;
        let path = Path::new(value);
        path.is_absolute().then(|| value.clone())
    };
    // systemd names several when there are several.
    let first = |value: OsString| {
        let first = value.to_str()?.split(':').next()?;
        Some(PathBuf::from(first))
    };
    let own = value("RUNTIME_DIRECTORY").and_then(first);
    let users = value("XDG_RUNTIME_DIR").map(|directory| Path::new(&directory).join("changeover"));
    own.into_iter().chain(users).collect()
}
