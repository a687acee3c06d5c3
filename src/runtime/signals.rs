//! Hears signals: each one with who raised it, and separately that a child changed.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net;

use signal_hook::iterator::backend::{Pending, SignalDelivery};
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo;
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

use crate::process::{self, Inherited, Queued};
use crate::supervisor::signal::{Origin, Signal};

/// Keys of a terminal, handled whatever the supervisor was started with: a person waits, and not
/// for microseconds. (A child starts with them ignored all the same, if they were.)
const KEYS: [Signal; 2] = [Signal::INT, Signal::QUIT];

/// Handled unless ignored at the start: `nohup` means it.
const HANG_UP: Signal = Signal::HUP;

/// Read from a queue of its own, whatever the supervisor was started with. It is what service
/// managers send, and there in one step: a handler interrupts the wait, and writes into a pipe that
/// has to be waited for and read, a fifth of the way to the child.
const TERM: [Signal; 1] = [Signal::TERM];

/// Read from a queue unless ignored at the start; `process::queue` tells why.
const QUEUED: [i32; 24] = [
    4,  // ILL
    5,  // TRAP
    6,  // ABRT
    7,  // BUS
    8,  // FPE
    10, // USR1
    11, // SEGV
    12, // USR2
    13, // PIPE
    14, // ALRM
    16, // STKFLT
    18, // CONT
    20, // TSTP
    21, // TTIN
    22, // TTOU
    23, // URG
    24, // XCPU
    25, // XFSZ
    26, // VTALRM
    27, // PROF
    28, // WINCH
    29, // IO
    30, // PWR
    31, // SYS
];

/// The signals that reach the supervisor, but for those about children. Nothing wakes while none
/// comes.
#[derive(Debug)]
pub struct Signals {
    delivery: SignalDelivery<UnixStream, WithOrigin>,
    pending: Pending<WithOrigin>,
    terms: Queue,
    others: Queue,
}

/// A signal, and what is known of where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Which.
    pub signal: Signal,
    /// Who raised it.
    pub sender: Sender,
}

/// Who raised a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The kernel: for these signals, the terminal, or a fault that does not kill.
    Kernel,
    /// A process; 0 when it is outside our process namespace.
    Process(u32),
    /// The system does not say.
    Unknown,
}

impl Signals {
    /// Installs the handlers, in a runtime. Before any other thread exists, before the first start
    /// of a child, and before its program is prepared.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn install(inherited: &Inherited) -> io::Result<Self> {
        let (read, write) = net::UnixStream::pair()?;
        read.set_nonblocking(true)?;
        let is_wanted = |signal: &Signal| !inherited.ignores(*signal);
        let hang_up = Some(HANG_UP).filter(is_wanted);
        let handled = KEYS.into_iter().chain(hang_up).map(|signal| signal.0);
        let read = UnixStream::from_std(read)?;
        let mut delivery = SignalDelivery::with_pipe(read, write, WithOrigin::default(), handled)?;
        let pending = delivery.pending();
        let others = QUEUED.into_iter().chain(Signal::REAL_TIME).map(Signal);
        let others: Vec<_> = others.filter(is_wanted).collect();
        Ok(Self {
            delivery,
            pending,
            terms: Queue::open(&TERM)?,
            others: Queue::open(&others)?,
        })
    }

    /// The next signal that may end us and has come by now, without waiting. The other queue is not
    /// looked at.
    pub fn heard(&mut self) -> Option<Received> {
        let handled = self.pending.next().or_else(|| {
            self.pending = self.delivery.pending();
            self.pending.next()
        });
        match handled {
            Some(origin) => Some(Received::new(&origin)),
            None => self.terms.take().map(Received::from),
        }
    }

    /// Waits for the next signal. A cancelled wait loses none.
    ///
    /// # Errors
    /// When the pipe from the handlers fails, which it does not.
    pub async fn next(&mut self) -> io::Result<Received> {
        loop {
            if let Some(origin) = self.pending.next() {
                return Ok(Received::new(&origin));
            }
            let read = self.terms.read.pop_front();
            if let Some(queued) = read.or_else(|| self.others.read.pop_front()) {
                return Ok(queued.into());
            }
            let pipe = self.delivery.get_read();
            tokio::select! {
                biased;
                ready = pipe.readable() => {
                    ready?;
                    // The runtime learns from its own read alone that the pipe is empty again.
                    if unless_empty(pipe.try_read(&mut [0; 64]))?.is_some() {
                        self.pending = self.delivery.pending();
                    }
                }
                filled = self.terms.fill() => filled?,
                filled = self.others.fill() => filled?,
            }
        }
    }
}

/// Signals that are read from a descriptor: some of them already, the others when they are waited
/// for.
#[derive(Debug)]
struct Queue {
    descriptor: pipe::Receiver,
    read: VecDeque<Queued>,
}

impl Queue {
    fn open(signals: &[Signal]) -> io::Result<Self> {
        Ok(Self {
            // No pipe, but read like one.
            descriptor: pipe::Receiver::from_owned_fd_unchecked(process::queue(signals)?)?,
            read: VecDeque::new(),
        })
    }

    /// Waits for the descriptor, and reads what has come there; that may be nothing.
    async fn fill(&mut self) -> io::Result<()> {
        self.descriptor.readable().await?;
        let mut bytes = [0; 1024];
        if let Some(length) = unless_empty(self.descriptor.try_read(&mut bytes))? {
            let bytes = bytes.get(..length).unwrap_or_default();
            self.read.extend(process::queued(bytes));
        }
        Ok(())
    }

    /// The next signal that has come, without waiting: the runtime may not know of it yet, so it is
    /// not asked. Should the descriptor fail, `fill` says so.
    fn take(&mut self) -> Option<Queued> {
        if self.read.is_empty() {
            self.read.extend(process::read_queue(&self.descriptor));
        }
        self.read.pop_front()
    }
}

impl Received {
    fn new(origin: &siginfo::Origin) -> Self {
        let sender = match (origin.cause, origin.process) {
            (siginfo::Cause::Kernel, _) => Sender::Kernel,
            (_, Some(process)) => Sender::Process(process.pid.unsigned_abs()),
            (_, None) => Sender::Unknown,
        };
        Self {
            signal: Signal(origin.signal),
            sender,
        }
    }

    /// What the supervisor is told. `in_tree`: whether a process belongs to a child's tree.
    pub fn origin(&self, in_tree: impl FnOnce(u32) -> bool) -> Origin {
        match self.sender {
            Sender::Kernel => Origin::Terminal,
            Sender::Process(pid) if pid == std::process::id() || (pid != 0 && in_tree(pid)) => {
                Origin::OwnTree
            }
            Sender::Process(_) | Sender::Unknown => Origin::Process,
        }
    }
}

impl Sender {
    /// How a log names it, while it is there to be looked at.
    #[must_use]
    pub fn described(self) -> String {
        match self {
            Self::Kernel => "the terminal or the kernel".to_owned(),
            Self::Process(0) => "a process of another PID namespace".to_owned(),
            Self::Process(pid) => match process::name_of(pid) {
                Some(name) => format!("pid {pid} ({name})"),
                None => format!("pid {pid}"),
            },
            Self::Unknown => "an unknown sender".to_owned(),
        }
    }
}

impl From<Queued> for Received {
    fn from(queued: Queued) -> Self {
        Self {
            signal: queued.signal,
            sender: queued.sender.map_or(Sender::Kernel, Sender::Process),
        }
    }
}

/// What was read, or that there is nothing to read.
fn unless_empty(read: io::Result<usize>) -> io::Result<Option<usize>> {
    match read {
        Ok(length) => Ok(Some(length)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Says when there is something for `process::collect`.
#[derive(Debug)]
pub struct ChildChanges(pipe::Receiver);

impl ChildChanges {
    /// Begins to listen, in a runtime. Before any other thread exists and before the first start of
    /// a child.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn install() -> io::Result<Self> {
        // No pipe, but read like one. (`AsyncFd` asks for `unsafe`.)
        Ok(Self(pipe::Receiver::from_owned_fd_unchecked(
            process::child_signal()?,
        )?))
    }

    /// Waits until a child changed since the last wait. A cancelled wait loses nothing.
    ///
    /// # Errors
    /// When the runtime is shutting down.
    pub async fn next(&mut self) -> io::Result<()> {
        let mut changed = false;
        while !changed {
            self.0.readable().await?;
            while self.take()? {
                changed = true;
            }
        }
        Ok(())
    }

    /// Takes the news that is there; `false` when there was none.
    fn take(&self) -> io::Result<bool> {
        // Room for several, as the kernel writes them: 128 bytes each.
        Ok(unless_empty(self.0.try_read(&mut [0; 1024]))?.is_some())
    }
}
