//! What is to be started, found and laid out in memory before anything is stopped for its sake.

use std::env;
use std::ffi::{CString, OsStr, OsString, c_char};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, ptr};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};
use zeroize::Zeroizing;

use crate::credential::Environment;
use crate::supervisor::event::SpawnError;

use super::identity::{self, Identity};
use super::spawn::Inherited;

/// Where a command without a slash is looked for when nobody has a `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The child's own stack until `execve`: a few calls deep, never more.
const STACK_BYTES: usize = 32 * 1024;

/// The decimal digits of the longest process id.
pub(super) const PID_DIGITS: usize = 10;

/// The highest number at which a program can be given a descriptor.
pub const DESCRIPTOR_MAX: RawFd = 63;

/// What the user asked to run.
#[derive(Clone, Debug)]
pub struct Program {
    /// The command: a path when it has a slash, else a name that `PATH` finds.
    pub command: OsString,
    /// What follows the command.
    pub args: Vec<OsString>,
    /// `--user`; `None`: who we are.
    pub identity: Option<Identity>,
    /// `--chdir`; `None`: where we are.
    pub directory: Option<PathBuf>,
    /// The process group.
    pub group: Group,
    /// What the supervisor was started with.
    pub inherited: Inherited,
    /// What the program finds at descriptor 3, 4, …: each open above all of those numbers.
    pub sockets: Vec<Arc<OwnedFd>>,
}

/// The process group that a child lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Its own, which it leads.
    Own,
    /// The supervisor's: the terminal's signals reach both.
    Shared,
}

/// A program that needs nothing but the start itself. It holds the credentials, wiped on drop;
/// `Debug` shows the path.
///
/// It stays on the thread that made it (the raw pointers see to that), because a child's
/// parent-death signal comes when the *thread* that started it ends.
pub struct Prepared {
    pub(super) path: CString,
    pub(super) argv: CStrings,
    pub(super) envp: CStrings,
    pub(super) directory: Option<CString>,
    pub(super) identity: Option<Identity>,
    pub(super) group: Group,
    pub(super) inherited: Inherited,
    pub(super) sockets: Vec<Arc<OwnedFd>>,
    /// One more that the program finds open, and where.
    pub(super) descriptor: Option<(OwnedFd, RawFd)>,
    pub(super) stack: Vec<u8>,
}

/// Finds the program and builds everything that `spawn` and `exec` hand to the kernel, so that they
/// allocate nothing.
///
/// # Errors
/// When the command is not there, is not executable, or a text holds a NUL byte.
pub fn prepare(program: &Program, environment: &Environment) -> Result<Prepared, SpawnError> {
    let path = resolve(program, environment)?;
    let mut argv = vec![program.command.as_bytes()];
    argv.extend(program.args.iter().map(|arg| arg.as_bytes()));
    let mut envp = Vec::new();
    for (name, value) in environment.iter() {
        if name.as_bytes().contains(&0) || value.as_bytes().contains(&0) {
            let detail = format!("the value of {} holds a NUL byte", name.display());
            return Err(SpawnError::Failed { detail });
        }
        envp.push([name.as_bytes(), value.as_bytes()]);
    }
    let mut spare = 0;
    if !program.sockets.is_empty() {
        // Whose it is says the process itself, which does not exist yet.
        envp.push([b"LISTEN_PID".as_slice(), b""]);
        spare = PID_DIGITS;
    }
    let argv = CStrings::new(argv.iter().map(|arg| [*arg].into_iter()), 0);
    let envp = CStrings::new(envp.iter().map(|pair| pair.iter().copied()), spare);
    let directory = program.directory.as_ref().map(|path| path.as_os_str());
    Ok(Prepared {
        path: c_string(path.as_os_str())?,
        argv,
        envp,
        directory: directory.map(c_string).transpose()?,
        identity: program
            .identity
            .clone()
            .filter(|identity| !identity::is_current(identity)),
        group: program.group,
        inherited: program.inherited,
        sockets: program.sockets.clone(),
        descriptor: None,
        // Written to, so that the child meets no page that is still to be found.
        stack: vec![0xAA; STACK_BYTES],
    })
}

/// The point at which a start failed.
#[derive(Clone, Copy)]
pub(super) enum Step {
    Group,
    Identity,
    Directory,
    ParentDeath,
    Descriptors,
    Exec,
}

impl Prepared {
    /// The program will find this open at that number, which is at least 3 and at most
    /// [`DESCRIPTOR_MAX`]. Ours is closed when this is dropped.
    pub fn give(&mut self, descriptor: OwnedFd, number: RawFd) {
        self.descriptor = Some((descriptor, number));
    }

    /// What that errno means at that [`Step`], which is all that a child can leave behind.
    pub(super) fn explain(&self, step: i32, errno: Errno) -> SpawnError {
        let doing = if step == Step::Exec as i32 {
            return self.refused(errno);
        } else if step == Step::Group as i32 {
            "cannot lead a process group".to_owned()
        } else if step == Step::Identity as i32 {
            "cannot become the user of --user (only root can)".to_owned()
        } else if step == Step::Directory as i32 {
            format!(
                "cannot enter the directory of --chdir, {:?}",
                self.directory.as_deref().unwrap_or_default()
            )
        } else if step == Step::Descriptors as i32 {
            "cannot hand on the descriptors of --listen and --ready".to_owned()
        } else {
            "cannot set the parent-death signal".to_owned()
        };
        SpawnError::Failed {
            detail: format!("{doing}: {}", errno.desc()),
        }
    }

    /// What `execve` means by that errno, for the person who reads it.
    fn refused(&self, errno: Errno) -> SpawnError {
        let path = Path::new(OsStr::from_bytes(self.path.to_bytes()));
        let directory = self
            .directory
            .as_ref()
            .map(|path| Path::new(OsStr::from_bytes(path.to_bytes())));
        let seen = from_directory(directory, path);
        let not_executable = |detail: String| SpawnError::NotExecutable { detail };
        if errno == Errno::ENOENT {
            return match missing_interpreter(&seen, directory) {
                Some(detail) => not_executable(detail),
                None if seen.exists() => {
                    let seen = seen.display();
                    not_executable(format!("the loader (ELF interpreter) of {seen} is missing"))
                }
                None => SpawnError::NotFound,
            };
        }
        if errno == Errno::ENOEXEC {
            let seen = seen.display();
            return not_executable(format!(
                "{seen} is no program for this machine; if it is a script, begin it with a line such as #!/bin/sh"
            ));
        }
        if errno == Errno::EACCES {
            return not_executable(format!("{}: {}", seen.display(), errno.desc()));
        }
        SpawnError::Failed {
            detail: format!("execve: {}", errno.desc()),
        }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// An array of C strings as `execve` takes it, in one piece of memory that is wiped on drop.
pub(super) struct CStrings {
    pointers: Vec<*const c_char>,
    end: *mut u8,
    spare: usize,
    /// What the pointers point into. Never touched after it was built, so it never moves.
    _bytes: Zeroizing<Vec<u8>>,
}

impl CStrings {
    /// Each item is a string in parts, joined with `=`. No part holds a NUL byte. Behind the last
    /// one there is room for `spare` more bytes.
    fn new<'a, I>(items: impl Iterator<Item = I> + Clone, spare: usize) -> Self
    where
        I: Iterator<Item = &'a [u8]>,
    {
        let length: usize = items.clone().flatten().map(|part| part.len() + 1).sum();
        let mut bytes = Zeroizing::new(Vec::with_capacity(length + spare));
        let mut starts = Vec::new();
        for parts in items {
            starts.push(bytes.len());
            for (number, part) in parts.enumerate() {
                if number > 0 {
                    bytes.push(b'=');
                }
                bytes.extend_from_slice(part);
            }
            bytes.push(0);
        }
        let end = bytes.len().saturating_sub(1);
        bytes.extend(std::iter::repeat_n(0, spare));
        // All from one, so that what is written through `end` is read through the others.
        let first = bytes.as_mut_ptr();
        let at = |start: &usize| first.wrapping_add(*start).cast_const().cast();
        let mut pointers: Vec<*const c_char> = starts.iter().map(at).collect();
        pointers.push(ptr::null());
        Self {
            pointers,
            end: first.wrapping_add(end),
            spare,
            _bytes: bytes,
        }
    }

    /// Where the last string ends, if anything can be appended: at its closing NUL byte, with as
    /// many more of them as were asked for.
    pub(super) fn end(&self) -> Option<*mut u8> {
        (self.spare > 0).then_some(self.end)
    }

    /// The array, closed by a null pointer.
    pub(super) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}

fn c_string(text: &OsStr) -> Result<CString, SpawnError> {
    CString::new(text.as_bytes()).map_err(|_| SpawnError::Failed {
        detail: format!("{} holds a NUL byte", text.display()),
    })
}

/// The path that `execve` gets: relative ones count from the directory that the child will be in.
fn resolve(program: &Program, environment: &Environment) -> Result<PathBuf, SpawnError> {
    let command = Path::new(&program.command);
    if program.command.is_empty() {
        return Err(SpawnError::NotFound);
    }
    if program.command.as_bytes().contains(&b'/') {
        return check(program, command).map(|()| command.to_owned());
    }
    let path = environment.get("PATH").map(OsStr::to_owned);
    let path = path
        .or_else(|| env::var_os("PATH"))
        .unwrap_or_else(|| DEFAULT_PATH.into());
    let mut error = SpawnError::NotFound;
    for directory in path.as_bytes().split(|byte| *byte == b':') {
        let directory = if directory.is_empty() {
            b"."
        } else {
            directory
        };
        let candidate = PathBuf::from(OsString::from_vec(directory.to_vec())).join(command);
        match check(program, &candidate) {
            Ok(()) => return Ok(candidate),
            Err(SpawnError::NotFound) => {}
            Err(other) if error == SpawnError::NotFound => error = other,
            Err(_) => {}
        }
    }
    Err(error)
}

/// Whether the kernel would take this path for a program, as far as can be seen before.
fn check(program: &Program, path: &Path) -> Result<(), SpawnError> {
    let directory = program.directory.as_deref();
    let seen = from_directory(directory, path);
    let not_executable = |detail: String| Err(SpawnError::NotExecutable { detail });
    let metadata = match fs::metadata(&seen) {
        Ok(metadata) => metadata,
        Err(error) if is_absence(&error) => return Err(SpawnError::NotFound),
        Err(error) => return not_executable(error.to_string()),
    };
    if !metadata.is_file() {
        return not_executable(format!("{} is not a file", seen.display()));
    }
    // With another identity only the kernel can say, at the start; without any x bit it is certain
    // already.
    let other = program
        .identity
        .as_ref()
        .is_some_and(|identity| !identity::is_current(identity));
    let allowed = if other {
        metadata.permissions().mode() & 0o111 != 0
    } else {
        access(&seen, AccessFlags::X_OK).is_ok()
    };
    if !allowed {
        return not_executable(format!("no permission to execute {}", seen.display()));
    }
    missing_interpreter(&seen, directory).map_or(Ok(()), not_executable)
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn from_directory(directory: Option<&Path>, path: &Path) -> PathBuf {
    directory.map_or_else(|| path.to_owned(), |directory| directory.join(path))
}

/// Says which interpreter a script asks for when there is no such file.
fn missing_interpreter(script: &Path, directory: Option<&Path>) -> Option<String> {
    let mut head = Vec::new();
    File::open(script)
        .ok()?
        .take(256)
        .read_to_end(&mut head)
        .ok()?;
    let line = head
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let name = line
        .split(|byte| matches!(byte, b' ' | b'\t'))
        .find(|word| !word.is_empty())?;
    let interpreter = Path::new(OsStr::from_bytes(name));
    let missing = !from_directory(directory, interpreter).exists();
    missing.then(|| {
        let windows = if name.ends_with(b"\r") {
            " (the file has Windows line ends)"
        } else {
            ""
        };
        let (script, name) = (script.display(), name.escape_ascii());
        format!("{script} asks for the interpreter {name}, which does not exist{windows}")
    })
}
