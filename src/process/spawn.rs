//! Starts a program, and holds the few other system calls that `nix` cannot express: all of the
//! crate's `unsafe`.
//!
//! The start is `clone(CLONE_VM | CLONE_VFORK)` on a stack of its own, as in `posix_spawn`, which
//! cannot set a parent-death signal. Nothing is copied, so a large supervisor starts a child as
//! quickly as a small one. Until `execve` the child lives in the supervisor's memory: it makes
//! system calls and nothing else.
//!
//! Tried and lost: `std::process::Command` with `pre_exec` (a real fork: twice the dead time, 80
//! times with 512 MiB), a child parked before the stop (no gain, and it copies page tables).
//! `clone3` with `CLONE_CLEAR_SIGHAND` saves the 62 `sigaction` calls, some microseconds, for
//! assembly on each architecture and a fallback where seccomp forbids it.
#![expect(
    unsafe_code,
    reason = "clone, and system calls that nix has no safe form of"
)]

use std::ffi::{c_int, c_void};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use nix::errno::Errno;
use nix::sys::prctl;

use crate::supervisor::event::{Ended, SpawnError};
use crate::supervisor::signal::Signal;

use super::program::{Group, PID_DIGITS, Prepared, Step};
use super::reaper::Change;

/// A running program. Its status is the reaper's to collect.
#[derive(Debug)]
pub struct Child {
    /// Its process id.
    pub pid: u32,
    /// The process itself: readable when it has ended.
    pub pidfd: OwnedFd,
}

/// The signal state that a program starts with; bit n-1 stands for signal n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inherited {
    /// The blocked signals.
    pub mask: u64,
    /// The ignored signals.
    pub ignored: u64,
}

/// The descriptor at which a program finds its first socket.
pub(super) const FIRST_SOCKET: RawFd = 3;

const LAST_SIGNAL: i32 = 64;
const MASK_BYTES: usize = size_of::<u64>();

/// Rust's runtime ignores SIGPIPE before `main`; this is how it was before that.
static PIPE_WAS_IGNORED: AtomicBool = AtomicBool::new(false);

extern "C" fn record_pipe() {
    PIPE_WAS_IGNORED.store(
        disposition(libc::SIGPIPE) == Some(libc::SIG_IGN),
        Ordering::Relaxed,
    );
}

// SAFETY: the loader calls what `.init_array` lists once, before `main`, on the only thread.
// `record_pipe` takes no argument (those that glibc passes are left in their registers), makes one
// system call and cannot unwind.
#[used]
#[unsafe(link_section = ".init_array")]
static RECORD_PIPE: extern "C" fn() = record_pipe;

impl Inherited {
    /// Records what the supervisor was started with, then clears the way for the supervisor itself:
    /// nothing blocked, and SIGCHLD not ignored (or the kernel would throw away every status). The
    /// first thing in `main`, before any thread.
    #[must_use]
    pub fn record() -> Self {
        let mask = set_mask(0);
        let mut ignored = 0;
        for number in 1..=LAST_SIGNAL {
            let is_ignored = if number == libc::SIGPIPE {
                PIPE_WAS_IGNORED.load(Ordering::Relaxed)
            } else {
                disposition(number) == Some(libc::SIG_IGN)
            };
            if is_ignored {
                ignored |= bit(number);
            }
        }
        if ignored & bit(libc::SIGCHLD) != 0 {
            set_disposition(libc::SIGCHLD, libc::SIG_DFL);
        }
        Self { mask, ignored }
    }

    /// Whether that signal was ignored at the start.
    #[must_use]
    pub fn ignores(&self, signal: Signal) -> bool {
        self.ignored & bit(signal.0) != 0
    }

    /// Gives a process the dispositions, handlers gone. The mask is still to be set.
    fn restore_dispositions(self) {
        for number in 1..=LAST_SIGNAL {
            let ignored = self.ignored & bit(number) != 0;
            set_disposition(
                number,
                if ignored {
                    libc::SIG_IGN
                } else {
                    libc::SIG_DFL
                },
            );
        }
    }
}

/// What the child and the waiting parent share.
struct Start<'a> {
    prepared: &'a Prepared,
    parent: libc::pid_t,
    /// 0 until the child gives up.
    errno: AtomicI32,
    step: AtomicI32,
}

impl Start<'_> {
    /// Why there is no program; what was left of the attempt is reaped.
    fn failure(&self, pid: libc::pid_t, cloned: Errno) -> Option<SpawnError> {
        let errno = Errno::from_raw(self.errno.load(Ordering::Relaxed));
        if pid < 0 {
            let detail = format!("no new process: {}", cloned.desc());
            return Some(SpawnError::Failed { detail });
        }
        if errno == Errno::from_raw(0) {
            return None;
        }
        // SAFETY: a null status pointer is allowed; `pid` is our child and not yet reaped.
        unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
        let step = self.step.load(Ordering::Relaxed);
        Some(self.prepared.explain(step, errno))
    }
}

/// Starts the program. To be called on the main thread: the child is killed when the calling thread
/// ends.
///
/// # Errors
/// When there is no process; what was left of the attempt is reaped here.
pub fn spawn(prepared: &mut Prepared) -> Result<Child, SpawnError> {
    let stack = prepared.stack.as_mut_ptr_range().end;
    let top = stack.map_addr(|address| address & !15);
    // Another identity makes the memory that both still share dumpable as a set-user-id program's
    // is.
    let dumpable = prepared
        .identity
        .as_ref()
        .and_then(|_| prctl::get_dumpable().ok());
    let start = Start {
        prepared,
        // SAFETY: it only reads the process id.
        parent: unsafe { libc::getpid() },
        errno: AtomicI32::new(0),
        step: AtomicI32::new(0),
    };
    let mask = set_mask(u64::MAX);
    let mut pidfd: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: `run_child` runs on the prepared stack, of which `top` is the aligned end and which
    // nothing else uses. The parent is suspended until the child has called `execve` or `_exit`, so
    // `start`, the stack and all that they point to outlive the child's stay in this memory. Every
    // signal is blocked, so no handler of ours runs in the child. `pidfd` is where CLONE_PIDFD
    // stores the descriptor.
    let pid = unsafe {
        libc::clone(
            run_child,
            top.cast(),
            flags,
            (&raw const start).cast_mut().cast(),
            &raw mut pidfd,
        )
    };
    let cloned = Errno::last();
    if let Some(dumpable) = dumpable {
        let _ = prctl::set_dumpable(dumpable);
    }
    let failed = start.failure(pid, cloned);
    set_mask(mask);
    // SAFETY: the kernel has just opened this descriptor for us, and nobody else knows of it.
    let pidfd = (pid > 0).then(|| unsafe { OwnedFd::from_raw_fd(pidfd) });
    match (failed, pidfd) {
        (None, Some(pidfd)) => Ok(Child {
            pid: pid.unsigned_abs(),
            pidfd,
        }),
        (failed, _) => Err(failed.unwrap_or(SpawnError::Failed {
            detail: "no process".into(),
        })),
    }
}

/// Becomes the program, with the signal state that we were started with. Returns only when that
/// failed, and then the signal state is the program's, not ours: the only thing left to do is to
/// say so and exit.
pub fn exec(prepared: &Prepared) -> SpawnError {
    set_mask(u64::MAX);
    prepared.inherited.restore_dispositions();
    let step = become_program(prepared, None);
    let errno = Errno::last();
    prepared.explain(step as i32, errno)
}

/// The child's life before it is the program.
extern "C" fn run_child(start: *mut c_void) -> c_int {
    // SAFETY: `spawn` passes a `Start` that lives until this process has left its memory; both
    // sides only read it, but for its atomics.
    let start = unsafe { &*start.cast::<Start<'_>>() };
    start.prepared.inherited.restore_dispositions();
    let step = become_program(start.prepared, Some(start.parent));
    start.step.store(step as i32, Ordering::Relaxed);
    start.errno.store(Errno::last_raw(), Ordering::Relaxed);
    // SAFETY: ends this process at once; nothing of the parent's memory is cleaned up.
    unsafe { libc::_exit(127) }
}

/// System calls up to `execve`. Returns the step that failed, with the reason in `errno`. `parent`:
/// as its child.
fn become_program(prepared: &Prepared, parent: Option<libc::pid_t>) -> Step {
    // SAFETY: every pointer comes from `prepared`, which outlives the call, and points to what the
    // call expects: NUL-terminated strings, null-terminated arrays, `groups.len()` ids, room for a
    // process id that nobody else reads or writes meanwhile. The identity is set by the bare system
    // calls, because libc's functions would change every thread of the *parent*, whose memory this
    // is.
    unsafe {
        if parent.is_some() && prepared.group == Group::Own && libc::setpgid(0, 0) != 0 {
            return Step::Group;
        }
        if let Some(id) = &prepared.identity
            && (libc::syscall(libc::SYS_setgroups, id.groups.len(), id.groups.as_ptr()) != 0
                || libc::syscall(libc::SYS_setresgid, id.gid, id.gid, id.gid) != 0
                || libc::syscall(libc::SYS_setresuid, id.uid, id.uid, id.uid) != 0)
        {
            return Step::Identity;
        }
        if let Some(directory) = &prepared.directory
            && libc::chdir(directory.as_ptr()) != 0
        {
            return Step::Directory;
        }
        if let Some(parent) = parent {
            // After the identity, which clears it; then once more: a parent that died before will
            // send nothing.
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Step::ParentDeath;
            }
            if libc::getppid() != parent {
                libc::_exit(127);
            }
        }
        set_mask(prepared.inherited.mask);
        if let Some(end) = prepared.envp.end() {
            append_pid(end);
        }
        // Before the sockets: one of them may go where this lies now, but none lies where it goes.
        let one = prepared.descriptor.iter().map(|(fd, number)| (*number, fd));
        let sockets = prepared.sockets.iter().map(AsRef::as_ref);
        if !one.chain((FIRST_SOCKET..).zip(sockets)).all(place) {
            return Step::Descriptors;
        }
        libc::execve(
            prepared.path.as_ptr(),
            prepared.argv.as_ptr(),
            prepared.envp.as_ptr(),
        );
        Step::Exec
    }
}

/// Writes our process id in decimal, and no more than `PID_DIGITS` bytes.
///
/// # Safety
/// There is room for as many.
unsafe fn append_pid(end: *mut u8) {
    // SAFETY: it only reads the process id.
    let mut rest = unsafe { libc::getpid() }.unsigned_abs();
    let mut digits = [b'0'; PID_DIGITS];
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        *digit += (rest % 10).to_le_bytes()[0];
        length += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let first = digits.as_ptr().wrapping_add(PID_DIGITS - length);
    // SAFETY: `length` is at most PID_DIGITS, which fits into `digits` and into the room at `end`.
    unsafe { ptr::copy_nonoverlapping(first, end, length) };
}

/// Makes a descriptor the program's, at that number. The table is this process's own.
fn place((number, fd): (RawFd, &OwnedFd)) -> bool {
    // SAFETY: they take numbers only. One onto itself would stay close-on-exec.
    unsafe { libc::dup2(fd.as_raw_fd(), number) >= 0 && libc::fcntl(number, libc::F_SETFD, 0) >= 0 }
}

/// Sends a signal to one process of which it is known that it has not been reaped.
///
/// # Errors
/// When the system refuses.
pub fn signal_process(pid: u32, signal: Signal) -> io::Result<()> {
    kill(i32::try_from(pid).map_err(|_| Errno::ESRCH)?, signal)
}

/// Sends a signal to a process group of which it is known that a member has not been reaped.
///
/// # Errors
/// When the system refuses.
pub fn signal_group(leader: u32, signal: Signal) -> io::Result<()> {
    kill(-i32::try_from(leader).map_err(|_| Errno::ESRCH)?, signal)
}

fn kill(target: i32, signal: Signal) -> io::Result<()> {
    // 0, -1 and init would be everybody, or somebody else.
    if target.unsigned_abs() <= 1 {
        return Err(Errno::ESRCH.into());
    }
    // SAFETY: it takes numbers only. (nix's form knows no real-time signals.)
    Errno::result(unsafe { libc::kill(target, signal.0) })?;
    Ok(())
}

/// A descriptor for a process: signals sent through it never reach a later process of the same
/// number.
pub(super) fn pidfd_open(pid: u32) -> io::Result<File> {
    // SAFETY: it takes numbers only. The kernel sets close-on-exec.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    let fd = c_int::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just opened this descriptor for us.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Sends a signal through a descriptor of `pidfd_open`.
pub(super) fn pidfd_signal(pidfd: &File, signal: Signal) -> io::Result<()> {
    let info = ptr::null::<c_void>();
    // SAFETY: a null siginfo means what kill(2) would send.
    let sent = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal.0,
            info,
            0,
        )
    };
    Errno::result(sent)?;
    Ok(())
}

/// Whether a descriptor is open that whoever started us left open, or that our programs would have.
/// (nix wants a descriptor that is known to be open.)
pub(super) fn is_inheritable(fd: RawFd) -> bool {
    // SAFETY: it takes numbers only.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    flags >= 0 && flags & libc::FD_CLOEXEC == 0
}

/// Another descriptor for what is open there, at `floor` or above, which no program gets by itself.
pub(super) fn duplicate(fd: RawFd, floor: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: it takes numbers only.
    let copy = Errno::result(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, floor) })?;
    // SAFETY: the kernel has just opened this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Blocks signals on the calling thread, and opens a descriptor that does not block and from which
/// they are read instead. (nix's form knows no real-time signals.)
pub(super) fn signal_queue(signals: &[Signal]) -> io::Result<OwnedFd> {
    let mask = signals.iter().fold(0, |mask, signal| mask | bit(signal.0));
    let before = set_mask(u64::MAX);
    set_mask(before | mask);
    let flags = libc::SFD_NONBLOCK | libc::SFD_CLOEXEC;
    // SAFETY: `mask` is a signal set as the kernel knows it, of the size that is passed.
    let fd = unsafe { libc::syscall(libc::SYS_signalfd4, -1, &raw const mask, MASK_BYTES, flags) };
    let fd = c_int::try_from(Errno::result(fd)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just opened this descriptor for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Lets a helper program start with nothing blocked, which `Command` by itself does not: what we
/// read from a queue is blocked here, and a program that cannot be ended by TERM, nor hear that a
/// child of its own ended, would not know why. Not around the start, for all: TERM, let through for
/// a moment, would end us.
pub fn unblock(command: &mut Command) {
    let nothing_blocked = || {
        set_mask(0);
        Ok(())
    };
    // SAFETY: between fork and exec it makes one system call, and allocates nothing.
    unsafe { command.pre_exec(nothing_blocked) };
}

/// Whether a blocked signal waits to be read. (nix has no form of it.)
pub(super) fn is_pending(signal: Signal) -> bool {
    let mut pending = 0u64;
    // SAFETY: the pointer is to a signal set as the kernel knows it, of the size that is passed.
    unsafe { libc::syscall(libc::SYS_rt_sigpending, &raw mut pending, MASK_BYTES) };
    pending & bit(signal.0) != 0
}

/// Takes the next change of any child, without waiting. `None`: children, but nothing new. (nix's
/// form loses the process when a real-time signal ended it.)
pub(super) fn wait_any() -> Result<Option<(u32, Change)>, Errno> {
    let options = libc::WEXITED | libc::WSTOPPED | libc::WCONTINUED | libc::WNOHANG;
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: `info` is a place for one siginfo.
    Errno::result(unsafe { libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), options) })?;
    // SAFETY: all zeroes is a valid siginfo, and the call only writes valid ones.
    let info = unsafe { info.assume_init() };
    // SAFETY: waitid fills in the fields of a child's signal; without a child they are zero.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    let change = match info.si_code {
        libc::CLD_EXITED => Change::Ended(Ended::Code(status.to_le_bytes()[0])),
        libc::CLD_KILLED | libc::CLD_DUMPED => Change::Ended(Ended::Signal(Signal(status))),
        libc::CLD_CONTINUED => Change::Continued,
        _ => Change::Stopped(Signal(status)),
    };
    Ok((pid > 0).then(|| (pid.unsigned_abs(), change)))
}

fn bit(number: i32) -> u64 {
    1u64.checked_shl(number.unsigned_abs() - 1).unwrap_or(0)
}

/// Sets the calling thread's mask by the bare system call (libc's never blocks its own two
/// signals).
fn set_mask(mask: u64) -> u64 {
    let mut old = 0u64;
    // SAFETY: both pointers are to a signal set as the kernel knows it, of the size that is passed.
    unsafe {
        let (new, old) = (&raw const mask, &raw mut old);
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            new,
            old,
            MASK_BYTES,
        );
    }
    old
}

/// A signal's action as the kernel lays it out: the handler, then flags, restorer and mask, here
/// always zero.
type Action = [libc::sighandler_t; 4];

/// `None` for no such signal. By the bare system call, like its counterpart: libc's hides two
/// signals of its own.
fn disposition(number: i32) -> Option<libc::sighandler_t> {
    let mut action: Action = [0; 4];
    let (new, old) = (ptr::null::<Action>(), &raw mut action);
    // SAFETY: a null new action only asks; `old` has room for what the kernel writes.
    let asked = unsafe { libc::syscall(libc::SYS_rt_sigaction, number, new, old, MASK_BYTES) };
    (asked == 0).then_some(action[0])
}

/// KILL and STOP refuse, as they should.
fn set_disposition(number: i32, handler: libc::sighandler_t) {
    let action: Action = [handler, 0, 0, 0];
    let (new, old) = (&raw const action, ptr::null_mut::<Action>());
    // SAFETY: `new` is a whole action, and its handler is SIG_DFL or SIG_IGN: no code that the
    // kernel would call.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, number, new, old, MASK_BYTES) };
}
