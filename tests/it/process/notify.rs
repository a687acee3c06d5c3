//! What a child says through `NOTIFY_SOCKET`: heard from its whole tree, and from nobody else.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::Duration;

use changeover::process::{
    Child, NotifySocket, StartTime, Tree, become_subreaper, supervisor_mark,
};
use changeover::supervisor::event::Ended;
use changeover::supervisor::readiness::Word;

use super::kit::{Markers, Reaper, alone, program, start, wait_end};
use crate::skip::skipped;

/// Sends its later arguments to the socket, one datagram each, then a line to the first, and stays
/// until the second has an end.
const SEND: &str = r#"
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for said in sys.argv[3:]:
    s.sendto(said.encode(), "\0" + os.environ["NOTIFY_SOCKET"][1:])
with open(sys.argv[1], "w") as marker:
    marker.write("sent\n")
open(sys.argv[2]).read()
"#;

struct Instance {
    child: Child,
    tree: Tree,
    socket: NotifySocket,
}

/// A shell that finds its socket in its environment.
fn instance(number: u32, script: &str, args: &[&str]) -> Instance {
    let mark = format!("{}.i{number}", supervisor_mark());
    let socket = NotifySocket::bind(&mark, None).unwrap();
    let variable = format!("NOTIFY_SOCKET={}", socket.address());
    let shell = [&variable, "sh", "-c", script, "sh"];
    let child = start(&program("env", &[&shell, args].concat()), Some(&mark));
    let start = StartTime::of(child.pid).unwrap();
    let tree = Tree::new(mark, child.pid, start);
    Instance {
        child,
        tree,
        socket,
    }
}

impl Instance {
    /// Waits for so many words.
    async fn words(&self, count: usize) -> Vec<Word> {
        let mut words = Vec::new();
        while words.len() < count {
            let heard = self.socket.hear(|pid| self.tree.contains(pid));
            let heard = tokio::time::timeout(Duration::from_secs(30), heard).await;
            words.extend(heard.unwrap().unwrap());
        }
        words
    }
}

fn in_event_loop(test: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(test);
}

fn status(text: &str) -> Word {
    Word::Status(text.to_owned())
}

alone!(a_grandchild_is_heard_and_a_stranger_is_not, {
    become_subreaper().unwrap();
    let (mut markers, gate) = (Markers::new(), Markers::new());
    let path = markers.path.clone();
    let pipes = [path.as_str(), gate.path.as_str()];
    in_event_loop(async {
        let script =
            r#"(setsid python3 -c "$1" "$2" "$3" READY=1 STATUS=mine &); read never < "$3""#;
        let mine = instance(1, script, &[SEND, pipes[0], pipes[1]]);
        assert_eq!(mine.words(2).await, [Word::Ready, status("mine")]);
        assert_eq!(markers.next(), "sent");

        let address = mine.socket.address();
        // Neither we nor whoever else lives outside the tree.
        let stranger = UnixDatagram::unbound().unwrap();
        let name = SocketAddr::from_abstract_name(&address[1..]).unwrap();
        stranger.send_to_addr(b"READY=1", &name).unwrap();
        let script = r#"NOTIFY_SOCKET="$4" exec python3 -c "$1" "$2" "$3" STATUS=sibling"#;
        let sibling = instance(2, script, &[SEND, pipes[0], pipes[1], address]);
        assert_eq!(markers.next(), "sent");
        let heard = mine.socket.hear(|pid| mine.tree.contains(pid)).await;
        assert_eq!(heard.unwrap(), [], "a stranger and the other instance");
        assert!(sibling.tree.contains(sibling.child.pid));
    });
});

alone!(a_sender_that_is_reaped_already_is_heard, {
    let mut reaper = Reaper::new();
    let markers = Markers::new();
    in_event_loop(async {
        let script = r#"exec python3 -c "$1" "$2" /dev/null READY=1"#;
        let instance = instance(1, script, &[SEND, &markers.path]);
        assert_eq!(reaper.end_of(instance.child.pid), Ended::Code(0));
        assert_eq!(instance.words(1).await, [Word::Ready]);
    });
});

alone!(systemd_notify_is_understood_and_does_not_hang, {
    if Command::new("systemd-notify")
        .arg("--version")
        .output()
        .is_err()
    {
        return skipped("no systemd-notify here");
    }
    become_subreaper().unwrap();
    let mut reaper = Reaper::new();
    in_event_loop(async {
        let script = "systemd-notify --ready --status='two words' && systemd-notify STOPPING=1";
        let instance = instance(1, script, &[]);
        let mut words = Vec::new();
        let pidfd = instance.child.pidfd.try_clone().unwrap();
        let mut end = tokio::task::spawn_blocking(move || wait_end(&pidfd));
        // It ends when its barrier was heard, and not before.
        loop {
            tokio::select! {
                heard = instance.socket.hear(|pid| instance.tree.contains(pid)) => {
                    words.extend(heard.unwrap());
                }
                ended = &mut end => break ended.unwrap(),
            }
        }
        let expected = [Word::Ready, status("two words"), Word::Stopping];
        assert_eq!(words, expected);
        assert_eq!(reaper.end_of(instance.child.pid), Ended::Code(0));
    });
});
