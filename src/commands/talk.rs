//! `changeover status`, `refresh`, `restart` and their like: what is asked of a supervisor that
//! runs.

mod status;

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::admin::protocol::RESPONSE_BYTES_MAX;
use crate::admin::{Request, Response, View, Word};
use crate::cli::{Talk, Target};
use crate::config::{Inherited, Whom, socket_file};
use crate::credential::phrase::{harmless, phrase};
use crate::exit_code::ExitCode;

use super::failure::Failure;
use status::Shape;

/// The supervisor answers within 5 s, or it hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks, and prints the answer.
pub(super) fn talk(talk: Talk, inherited: &Inherited) -> Result<ExitCode, Failure> {
    let (target, request) = match talk {
        Talk::Status {
            target,
            json,
            check,
        } => {
            let shape = if json { Shape::Json } else { Shape::Table };
            let look = exchange(target, Request::new(Word::Status), inherited)?;
            return status::show(look.status.as_deref(), shape, check);
        }
        Talk::Refresh(target) => (target, Request::new(Word::Refresh)),
        Talk::Restart { target, force } => {
            let request = Request::new(Word::Restart);
            (target, Request { force, ..request })
        }
        Talk::Stop(target) => (target, Request::new(Word::Stop)),
        Talk::Hold(target) => (target, Request::new(Word::Hold)),
        Talk::Resume(target) => (target, Request::new(Word::Resume)),
    };
    let response = exchange(target, request, inherited)?;
    let message = response.message.unwrap_or_default();
    writeln!(io::stdout(), "{}", harmless(&message))?;
    Ok(ExitCode::Success)
}

/// The answer of who is meant, if it is a good one.
fn exchange(target: Target, request: Request, inherited: &Inherited) -> Result<Response, Failure> {
    let path = find(Whom::new(target, inherited)?)?;
    let response = ask(&path, request).map_err(|error| unreachable(&path, &error))?;
    if response.ok {
        return Ok(response);
    }
    Err(Failure::Refused(response.error.unwrap_or_default()))
}

fn ask(path: &Path, request: Request) -> io::Result<Response> {
    let mut stream = connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(&request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let limit = u64::try_from(RESPONSE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut answer = Vec::new();
    BufReader::new(stream.take(limit)).read_until(b'\n', &mut answer)?;
    Response::read(&answer)
}

/// One that is stopped lets nobody in once enough wait: the system itself would wait without end.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let (path, (done, connected)) = (path.to_owned(), mpsc::sync_channel(1));
    thread::spawn(move || done.send(UnixStream::connect(path)));
    let connected = connected.recv_timeout(PATIENCE);
    connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn unreachable(path: &Path, error: &io::Error) -> Failure {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, InvalidInput, NotFound};
    use io::ErrorKind::{PermissionDenied, TimedOut, UnexpectedEof, WouldBlock};
    let metadata = path.metadata();
    let is_socket = metadata.is_ok_and(|found| found.file_type().is_socket());
    let path = phrase(&path.display().to_string());
    let is = |kinds: &[io::ErrorKind]| kinds.contains(&error.kind());
    Failure::Refused(if is(&[InvalidInput]) {
        format!(
            "{path} is longer than the 107 bytes that a unix socket's path can have, so nobody listens there: name \
             the one that changeover run was given with --control"
        )
    } else if is(&[ConnectionRefused]) && !is_socket {
        format!(
            "{path} is no socket, so nobody listens there: name the one that changeover run was given with --control"
        )
    } else if is(&[NotFound, ConnectionRefused]) {
        format!(
            "no changeover listens at {path} ({error}): is it running, and was it started with this --control?"
        )
    } else if is(&[PermissionDenied]) {
        format!(
            "{path} may not be used by you ({error}): ask as root, or as the user of that changeover"
        )
    } else if is(&[WouldBlock, TimedOut]) {
        format!(
            "the changeover at {path} does not answer within {} s: it hangs, or is stopped, and forgets what was asked",
            PATIENCE.as_secs()
        )
    } else if is(&[UnexpectedEof, BrokenPipe, ConnectionReset]) {
        format!(
            "the changeover at {path} hung up without a whole answer ({error}): it has ended meanwhile, and its log says \
             whether what was asked was done"
        )
    } else {
        format!(
            "what listens at {path} does not answer as this changeover does ({error}): if it is one of another version, \
             ask with that one"
        )
    })
}

/// Who listens there must be of this app.
fn is_of(path: &Path, app: &str) -> Result<(), Failure> {
    let look = look(path).map_err(|error| unreachable(path, &error))?;
    if look.app == app {
        return Ok(());
    }
    Err(Failure::Refused(format!(
        "the changeover at {} is of the app {}, not of {app}, so nothing was asked of it: leave out -a or --control",
        phrase(&path.display().to_string()),
        phrase(&look.app)
    )))
}

fn look(path: &Path) -> io::Result<View> {
    let response = ask(path, Request::new(Word::Status))?;
    let nothing = || io::Error::other("it shows nothing");
    response.status.map(|view| *view).ok_or_else(nothing)
}

/// Who listens there, for people.
fn introduced(path: &Path) -> String {
    let place = phrase(&path.display().to_string());
    match look(path) {
        Ok(view) => format!(
            "{}, pid {}, at {place}",
            phrase(&view.app),
            view.changeover.pid
        ),
        Err(_) => place,
    }
}

/// The one socket that is meant.
fn find(whom: Whom) -> Result<PathBuf, Failure> {
    let (directories, app) = match whom {
        Whom::At { path, app: None } => return Ok(path),
        Whom::At {
            path,
            app: Some(app),
        } => return is_of(&path, &app).map(|()| path),
        Whom::In { directories, app } => (directories, app),
    };
    let wanted = app.as_deref().map(socket_file);
    let mut found: Vec<PathBuf> = directories
        .iter()
        .flat_map(|place| sockets(place))
        .collect();
    found.retain(|path| {
        let wanted = wanted.as_ref().map(String::as_bytes);
        wanted.is_none_or(|wanted| path.file_name().map(OsStrExt::as_bytes) == Some(wanted))
    });
    found.sort();
    found.dedup();
    if found.len() > 1 {
        // One that was killed leaves its socket behind.
        let is_dead = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        found.retain(|path| !connect(path).is_err_and(is_dead));
    }
    let shown = |paths: &[PathBuf]| {
        let paths: Vec<_> = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        phrase(&paths.join(", "))
    };
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => Err(Failure::Refused(format!(
            "no control socket{} is in {}, so nobody can be asked: name it with --control PATH; a changeover run that has none is started with one by the same \
             option",
            app.map(|app| format!(" of {app}")).unwrap_or_default(),
            shown(&directories)
        ))),
        several => Err(Failure::Refused(format!(
            "several changeovers run here, and one must be meant: name it with --control, or its app with -a ({})",
            several
                .iter()
                .map(|path| introduced(path))
                .collect::<Vec<_>>()
                .join("; ")
        ))),
    }
}

/// The sockets in a directory; in all that are in one, when its last part is `*`.
fn sockets(place: &Path) -> Vec<PathBuf> {
    if place.file_name().is_some_and(|name| name == "*") {
        let above = place.parent().map(entries).unwrap_or_default();
        return above.iter().flat_map(|below| sockets(below)).collect();
    }
    let mut found = entries(place);
    found.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "sock")
    });
    found
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
