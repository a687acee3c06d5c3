//! Starting: what a child finds itself to be, and what is said when there is none.

#![expect(
    clippy::zombie_processes,
    reason = "the one reaper waits for everybody"
)]

use std::env;
use std::fs;
use std::io::Write;
use std::path::Path;

use changeover::process::{
    Group, Identity, Inherited, Program, become_subreaper, exec, harden, prepare, signal_process,
};
use changeover::supervisor::event::Ended;
use changeover::supervisor::signal::Signal;
use nix::unistd::{Uid, getpgrp, getpid};

use super::kit::{
    LIBCS_OWN, Markers, Reaper, alone, environment, program, role, shell, start, status_mask,
    wait_end, written_by,
};

const HUP: u64 = 1 << 0;
const USR1: u64 = 1 << 9;
const PIPE: u64 = 1 << 12;
const TERM: u64 = 1 << 14;
const RT3: u64 = 1 << 36;
/// Rust's runtime, libc: what the test process itself handles.
const BLOCKED_BY_US: &str = "--block-signal=USR1";

fn status_of_child(inherited: Inherited) -> Vec<u8> {
    let program = Program {
        inherited,
        ..program("cp", &["/proc/self/status"])
    };
    written_by(program, &environment(None, &[]))
}

alone!(the_child_gets_the_recorded_mask_and_ignored_signals, {
    let inherited = Inherited {
        mask: USR1 | RT3,
        ignored: HUP | TERM | PIPE,
    };
    let status = status_of_child(inherited);
    assert_eq!(status_mask(&status, "SigBlk"), inherited.mask);
    assert_eq!(status_mask(&status, "SigIgn"), inherited.ignored);
    assert_eq!(status_mask(&status, "SigCgt"), 0);
});

alone!(nothing_recorded_means_everything_default, {
    let status = status_of_child(Inherited::default());
    for name in ["SigBlk", "SigIgn", "SigCgt"] {
        assert_eq!(
            status_mask(&status, name),
            0,
            "{name}, SIGPIPE too, which Rust's runtime ignores"
        );
    }
});

alone!(
    what_we_were_started_with_is_recorded,
    [BLOCKED_BY_US, "--ignore-signal=HUP"],
    {
        let inherited = Inherited::record();
        assert_eq!(inherited.mask & USR1, USR1);
        assert_eq!(
            inherited.ignored & !LIBCS_OWN,
            HUP,
            "and not SIGPIPE, which Rust's runtime ignores"
        );
        assert!(inherited.ignores(Signal::HUP) && !inherited.ignores(Signal::TERM));
        let status = fs::read("/proc/thread-self/status").unwrap();
        assert_eq!(
            status_mask(&status, "SigBlk"),
            0,
            "the supervisor itself blocks nothing"
        );
    }
);

alone!(
    an_ignored_pipe_signal_stays_ignored,
    ["--ignore-signal=PIPE"],
    {
        let inherited = Inherited::record();
        assert_eq!(status_mask(&status_of_child(inherited), "SigIgn"), PIPE);
    }
);

alone!(
    an_ignored_child_signal_does_not_cost_us_the_statuses,
    ["--ignore-signal=CHLD"],
    {
        let inherited = Inherited::record();
        let mut reaper = Reaper::new();
        let program = Program {
            inherited,
            ..shell("exit 9", &[])
        };
        let child = start(&program, None);
        assert_eq!(reaper.end_of(child.pid), Ended::Code(9));
        assert_eq!(status_mask(&status_of_child(inherited), "SigIgn"), 1 << 16);
    }
);

alone!(the_group_is_its_own_or_ours, {
    let group_of = |group| {
        let program = Program {
            group,
            ..program("cp", &["/proc/self/stat"])
        };
        let stat = String::from_utf8(written_by(program, &environment(None, &[]))).unwrap();
        let fields: Vec<i32> = stat
            .split(' ')
            .filter_map(|field| field.parse().ok())
            .collect();
        (fields[0], fields[2])
    };
    let (pid, group) = group_of(Group::Own);
    assert_eq!(pid, group);
    let (_, group) = group_of(Group::Shared);
    assert_eq!(group, getpgrp().as_raw());
});

alone!(the_environment_and_the_arguments_are_exact, {
    let variables = [
        ("A", "1"),
        ("EMPTY", ""),
        ("URL", "postgres://u:p=%20@h/d\n\u{e9}"),
    ];
    let environ = written_by(
        program("/bin/cp", &["/proc/self/environ"]),
        &environment(Some("the.mark.i1"), &variables),
    );
    let expected =
        "A=1\0CHANGEOVER_INSTANCE=the.mark.i1\0EMPTY=\0URL=postgres://u:p=%20@h/d\n\u{e9}\0";
    assert_eq!(String::from_utf8(environ).unwrap(), expected);
    let program = program("/bin/sh", &["-c", "cp /proc/$$/cmdline \"$2\"", "", "a b"]);
    let arguments = written_by(program, &environment(None, &[]));
    let text = String::from_utf8(arguments).unwrap();
    assert!(
        text.starts_with("/bin/sh\0-c\0cp /proc/$$/cmdline \"$2\"\0\0a b\0"),
        "{text:?}"
    );
});

alone!(no_descriptor_leaks, {
    let inheritable = |directory: &str| -> Vec<String> {
        let entries = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let names = entries.map(|name| name.into_string().unwrap());
        let mut open: Vec<String> = names
            .filter(|fd| {
                let info =
                    fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
                let flags = info.lines().find_map(|line| line.strip_prefix("flags:\t"));
                flags.is_some_and(|flags| i32::from_str_radix(flags, 8).unwrap() & 0o2_000_000 == 0)
            })
            .collect();
        open.sort();
        open
    };
    let _markers = Markers::new();
    let _other = start(&program("true", &[]), None);
    let ours = inheritable("/proc/self/fd");
    // What the shell opened to expand the pattern is closed again when it looks.
    let script =
        r#"exec > "$1"; for fd in /proc/$$/fd/*; do test -e $fd && echo ${fd##*/}; done; :"#;
    let path = environment(None, &[("PATH", "/usr/bin:/bin")]);
    let out = String::from_utf8(written_by(shell(script, &[]), &path)).unwrap();
    let mut child: Vec<&str> = out.lines().collect();
    child.sort();
    assert_eq!(child, ours);
});

alone!(another_identity, {
    if !Uid::effective().is_root() {
        return;
    }
    harden().unwrap();
    let identity = Identity {
        uid: 54_321,
        gid: 54_322,
        groups: vec![54_322, 54_323],
    };
    let program = Program {
        identity: Some(identity),
        ..program("cp", &["/proc/self/status"])
    };
    let status = written_by(program, &environment(None, &[("PATH", "/usr/bin:/bin")]));
    let status = String::from_utf8(status).unwrap();
    assert!(
        status.contains("Uid:\t54321\t54321\t54321\t54321\n"),
        "{status}"
    );
    assert!(
        status.contains("Gid:\t54322\t54322\t54322\t54322\n"),
        "{status}"
    );
    assert!(status.contains("Groups:\t54322 54323 \n"), "{status}");
    assert!(Uid::effective().is_root(), "only the child changes");
    let dumpable = nix::sys::prctl::get_dumpable().unwrap();
    assert!(
        !dumpable,
        "the memory that the two shared for a moment stays closed"
    );
});

/// The supervisor of the next test: it starts a child that never ends, says so, and waits to be
/// killed.
#[test]
fn doomed_supervisor() {
    let (Ok(path), Ok(uid)) = (env::var("MARKERS"), env::var("CHILD_UID")) else {
        return;
    };
    let uid: u32 = uid.parse().unwrap();
    let identity = (uid != 0).then(|| Identity {
        uid,
        gid: uid,
        groups: vec![uid],
    });
    let script = "trap '' TERM; echo \"child $$\" > \"$1\"; exec sleep infinity";
    start(
        &Program {
            identity,
            ..shell(script, &[&path])
        },
        None,
    );
    nix::unistd::pause();
}

alone!(the_child_dies_with_its_supervisor, {
    become_subreaper().unwrap();
    let uids: &[u32] = if Uid::effective().is_root() {
        &[0, 54_321]
    } else {
        &[0]
    };
    for uid in uids {
        let mut markers = Markers::new();
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(Path::new(&markers.path).parent().unwrap(), everybody).unwrap();
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(&markers.path, everybody).unwrap();
        let mut reaper = Reaper::new();
        let mut command = role("process::spawn::doomed_supervisor", &[]);
        command
            .env("MARKERS", &markers.path)
            .env("CHILD_UID", uid.to_string());
        let supervisor = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        let child = markers.pids(1)["child"];
        signal_process(supervisor.id(), Signal::KILL).unwrap();
        assert_eq!(reaper.end_of(supervisor.id()), Ended::Signal(Signal::KILL));
        assert_eq!(
            reaper.end_of(child),
            Ended::Signal(Signal::KILL),
            "as uid {uid}"
        );
    }
});

alone!(the_descriptor_of_a_child_tells_its_end, {
    let mut reaper = Reaper::new();
    let child = start(&program("sleep", &["infinity"]), None);
    signal_process(child.pid, Signal(34)).unwrap();
    wait_end(&child.pidfd);
    assert_eq!(
        reaper.end_of(child.pid),
        Ended::Signal(Signal(34)),
        "a real-time signal"
    );
    reaper.empty();
});

/// The process of the next test that becomes a program.
#[test]
fn becomes_a_program() {
    let Ok(out) = env::var("OUT") else { return };
    let inherited = Inherited::record();
    let program = Program {
        inherited,
        ..program("cp", &["/proc/self/status", &out])
    };
    let error = match prepare(&program, &environment(None, &[("PATH", "/usr/bin:/bin")])) {
        Ok(prepared) => exec(&prepared),
        Err(error) => error,
    };
    panic!("{error:?}");
}

alone!(exec_becomes_the_program, {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let under = [BLOCKED_BY_US, "--ignore-signal=HUP"];
    let mut command = role("process::spawn::becomes_a_program", &under);
    let process = command.env("OUT", &out).spawn().unwrap();
    let mut reaper = Reaper::new();
    assert_eq!(reaper.end_of(process.id()), Ended::Code(0));
    let status = fs::read(&out).unwrap();
    assert_eq!(status_mask(&status, "SigIgn"), HUP);
    assert_eq!(status_mask(&status, "SigBlk") & USR1, USR1);
    let text = String::from_utf8(status).unwrap();
    assert!(text.starts_with("Name:\tcp\n"), "{text}");
    assert!(
        text.contains(&format!("Pid:\t{}\n", process.id())),
        "the same process: {text}"
    );
    assert!(text.contains(&format!("PPid:\t{}\n", getpid())));
    std::io::stdout().flush().unwrap();
});
