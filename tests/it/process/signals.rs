//! Hearing signals, from whom, and the terminal given back.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::future::Future;
use std::os::unix::process::ExitStatusExt;

use changeover::process::{
    Inherited, StartTime, Terminal, Tree, collect, has_controlling_terminal, signal_process,
};
use changeover::runtime::signals::{ChildChanges, Received, Sender, Signals};
use changeover::supervisor::signal::{Origin, Signal};
use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, setsid, tcgetpgrp, tcsetpgrp};

use super::kit::{Markers, Reaper, alone, role, shell, start};

fn in_runtime<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let patience = std::time::Duration::from_secs(30);
    runtime.block_on(async { tokio::time::timeout(patience, future).await.unwrap() })
}

alone!(what_is_handled_is_heard_with_its_sender, {
    in_runtime(async {
        let mut signals = Signals::install(&Inherited::record()).unwrap();
        let own = std::process::id();
        let kinds = [1, 2, 3];
        for number in kinds {
            signal_process(own, Signal(number)).unwrap();
        }
        // The test's two threads share them, so their order is open.
        let mut heard = BTreeSet::new();
        for _ in kinds {
            let received = signals.next().await.unwrap();
            assert_eq!(received.sender, Sender::Process(own));
            assert_eq!(received.origin(|_| false), Origin::OwnTree);
            heard.insert(received.signal.0);
        }
        assert_eq!(heard, BTreeSet::from(kinds));
        let again = Signal::INT;
        for _ in 0..3 {
            signal_process(own, again).unwrap();
            assert_eq!(signals.next().await.unwrap().signal, again);
        }
    });
});

/// Those that are read from the queue; blocked on the test's other thread, as in the supervisor.
const QUEUED: &str = "--block-signal=4,5,6,7,8,10,11,12,13,14,15,16,18,20,21,22,23,24,25,26,27,28,\
                      29,30,31,34,35,50,64";

alone!(what_is_queued_is_heard_with_its_sender, [QUEUED], {
    in_runtime(async {
        let mut signals = Signals::install(&Inherited::record()).unwrap();
        let own = std::process::id();
        let kinds = [
            4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 18, 23, 24, 25, 26, 27, 28, 29, 30, 31, 34,
            35, 50, 64,
        ];
        for number in kinds {
            signal_process(own, Signal(number)).unwrap();
        }
        let mut heard = BTreeSet::new();
        for _ in kinds {
            let received = signals.next().await.unwrap();
            assert_eq!(received.sender, Sender::Process(own));
            heard.insert(received.signal.0);
        }
        assert_eq!(heard, BTreeSet::from(kinds));
        // Of CONT and what stops, the last one counts.
        for number in [18, 20] {
            signal_process(own, Signal(number)).unwrap();
        }
        assert_eq!(signals.next().await.unwrap().signal, Signal::TSTP);
        for number in [20, 21, 22, 18] {
            signal_process(own, Signal(number)).unwrap();
        }
        assert_eq!(signals.next().await.unwrap().signal, Signal::CONT);
        // Real-time signals are counted: none is merged with another.
        for _ in 0..20 {
            signal_process(own, Signal(50)).unwrap();
        }
        for _ in 0..20 {
            assert_eq!(signals.next().await.unwrap().signal, Signal(50));
        }
    });
});

alone!(
    what_is_ignored_at_the_start_is_not_queued,
    ["--ignore-signal=SEGV,40", "--block-signal=41"],
    {
        in_runtime(async {
            let mut signals = Signals::install(&Inherited::record()).unwrap();
            for number in [11, 40, 41] {
                signal_process(std::process::id(), Signal(number)).unwrap();
            }
            assert_eq!(signals.next().await.unwrap().signal, Signal(41));
        });
    }
);

/// Only its own process calls it: it runs over the end of its stack.
fn overflow(depth: u64) -> u64 {
    if std::hint::black_box(depth) == u64::MAX {
        return 0;
    }
    1 + overflow(depth + 1)
}

/// Installs the signals, and does what kills.
fn dies_of(name: &str, number: i32, fault: impl FnOnce()) {
    if std::env::var("PROCESS_TEST_FAULT").is_ok_and(|fault| fault == name) {
        return in_runtime(async {
            let _signals = Signals::install(&Inherited::record()).unwrap();
            fault();
        });
    }
    let path = format!("process::signals::{name}");
    let mut process = role(&path, &[]);
    let output = process.env("PROCESS_TEST_FAULT", name).output().unwrap();
    assert_eq!(output.status.signal(), Some(number), "{output:?}");
}

#[test]
fn a_fault_of_our_own_kills() {
    dies_of("a_fault_of_our_own_kills", 11, || {
        overflow(0);
    });
}

#[test]
fn an_abort_of_our_own_kills() {
    dies_of("an_abort_of_our_own_kills", 6, || std::process::abort());
}

alone!(
    what_nohup_ignores_stays_ignored,
    ["--ignore-signal=HUP", "--ignore-signal=TERM", QUEUED],
    {
        in_runtime(async {
            let mut signals = Signals::install(&Inherited::record()).unwrap();
            for signal in [Signal::HUP, Signal::TERM] {
                signal_process(std::process::id(), signal).unwrap();
            }
            assert_eq!(
                signals.next().await.unwrap().signal,
                Signal::TERM,
                "always handled"
            );
        });
    }
);

alone!(what_may_end_us_is_heard_without_waiting, [QUEUED], {
    in_runtime(async {
        let mut signals = Signals::install(&Inherited::record()).unwrap();
        let own = std::process::id();
        for signal in [Signal(10), Signal::TERM, Signal::INT] {
            signal_process(own, signal).unwrap();
        }
        let mut heard: Vec<_> = std::iter::from_fn(|| signals.heard()).collect();
        heard.sort_by_key(|received| received.signal.0);
        let sender = Sender::Process(own);
        let received = |signal| Received { signal, sender };
        assert_eq!(heard, [received(Signal::INT), received(Signal::TERM)]);
        assert_eq!(signals.next().await.unwrap().signal, Signal(10));
    });
});

alone!(
    what_was_blocked_at_the_start_is_heard,
    ["--block-signal=TERM"],
    {
        in_runtime(async {
            let mut signals = Signals::install(&Inherited::record()).unwrap();
            signal_process(std::process::id(), Signal::TERM).unwrap();
            assert_eq!(signals.next().await.unwrap().signal, Signal::TERM);
        });
    }
);

alone!(
    a_signal_from_the_childs_tree_is_told_from_a_strangers,
    [QUEUED],
    {
        in_runtime(async {
            let mut signals = Signals::install(&Inherited::record()).unwrap();
            let mut children = ChildChanges::install().unwrap();
            let script = "kill -USR1 $1; read never < \"$2\"";
            let (own, gate) = (std::process::id().to_string(), Markers::new());
            let child = start(&shell(script, &[&own, &gate.path]), Some("a.mark"));
            let tree = Tree::new(
                "a.mark".into(),
                child.pid,
                StartTime::of(child.pid).unwrap(),
            );
            let received = signals.next().await.unwrap();
            assert_eq!(received.sender, Sender::Process(child.pid));
            assert_eq!(received.origin(|pid| tree.contains(pid)), Origin::OwnTree);
            assert_eq!(received.origin(|_| false), Origin::Process);
            signal_process(child.pid, Signal::KILL).unwrap();
            let mut changes = Vec::new();
            while changes.is_empty() {
                children.next().await.unwrap();
                collect(&mut changes);
            }
            assert_eq!(changes[0].0, child.pid);
        });
    }
);

alone!(the_terminal_is_given_back, {
    assert!(!has_controlling_terminal() || setsid().is_ok());
    let _ = setsid();
    assert!(!has_controlling_terminal() && Terminal::save().is_none());
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    // Opened by a session leader without a terminal, it becomes the controlling one.
    let path = ptsname_r(&master).unwrap();
    let slave = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    assert!(has_controlling_terminal());

    let mut reaper = Reaper::new();
    let saved = Terminal::save().unwrap();
    let mut markers = Markers::new();
    let child = start(
        &shell(
            "echo \"ready $$\" > \"$1\"; exec sleep infinity",
            &[&markers.path],
        ),
        None,
    );
    markers.pids(1);
    let mut raw = tcgetattr(&slave).unwrap();
    raw.local_flags
        .remove(LocalFlags::ECHO | LocalFlags::ICANON);
    tcsetattr(&slave, SetArg::TCSANOW, &raw).unwrap();
    let group = nix::unistd::Pid::from_raw(i32::try_from(child.pid).unwrap());
    tcsetpgrp(&slave, group).unwrap();

    saved.restore();
    assert_eq!(
        tcgetpgrp(&slave).unwrap(),
        group,
        "while the group lives, the terminal is its own"
    );
    assert!(
        !tcgetattr(&slave)
            .unwrap()
            .local_flags
            .contains(LocalFlags::ECHO)
    );
    signal_process(child.pid, Signal::KILL).unwrap();
    reaper.empty();
    saved.restore();
    assert_eq!(tcgetpgrp(&slave).unwrap(), getpgrp());
    let settings = tcgetattr(&slave).unwrap().local_flags;
    assert!(settings.contains(LocalFlags::ECHO | LocalFlags::ICANON));
    // The kernel itself raises what the terminal's keys mean.
    in_runtime(async {
        let mut signals = Signals::install(&Inherited::default()).unwrap();
        nix::unistd::write(&master, b"\x03").unwrap();
        let received = signals.next().await.unwrap();
        assert_eq!(
            received,
            Received {
                signal: Signal::INT,
                sender: Sender::Kernel
            }
        );
        assert_eq!(received.origin(|_| false), Origin::Terminal);
    });
});
