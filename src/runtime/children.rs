//! The processes behind the core's instances: who lives, who left something behind, and the one
//! reaper's news about them.

use std::collections::VecDeque;

use crate::heroku::HelperEnds;
use crate::process::{self, Change, Child, Group, StartTime, Terminal, Tree};
use crate::supervisor::action::Scope;
use crate::supervisor::config::LeftoverPolicy;
use crate::supervisor::event::{Alive, Event, Leftovers};
use crate::supervisor::id::InstanceId;
use crate::supervisor::signal::Signal;

/// Every instance that was started and whose tree is not known to be empty.
#[derive(Debug)]
pub(super) struct Children {
    mark: String,
    group: Group,
    leftovers: LeftoverPolicy,
    terminal: Option<Terminal>,
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    instance: InstanceId,
    leader: Leader,
    tree: Tree,
    sweep: Sweep,
}

/// The last thing that the core asked to be done to a whole tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sweep {
    NotAsked,
    Told,
    /// KILL holds until the tree is empty: a chain of forks may outrun one pass, and its dead must
    /// be reaped in between.
    Killing,
    /// KILL did not help.
    GivenUp,
}

#[derive(Debug)]
enum Leader {
    Lives(Child),
    Ended,
}

impl Children {
    /// None yet. `mark` names this supervisor in their environments.
    #[must_use]
    pub(super) fn new(mark: String, group: Group, leftovers: LeftoverPolicy) -> Self {
        let terminal = match group {
            Group::Shared => Terminal::save(),
            Group::Own => None,
        };
        Self {
            mark,
            group,
            leftovers,
            terminal,
            known: Vec::new(),
        }
    }

    /// One more, just spawned.
    pub(super) fn add(&mut self, instance: InstanceId, child: Child) {
        let mark = instance.mark(&self.mark);
        let start = StartTime::of(child.pid).unwrap_or_default();
        let mut tree = Tree::new(mark, child.pid, start);
        for old in &mut self.known {
            old.tree.beside(&mut tree);
        }
        self.known.push(Known {
            instance,
            leader: Leader::Lives(child),
            tree,
            sweep: Sweep::NotAsked,
        });
    }

    /// Sends a signal to a live leader, or to its group. The answer is the leader's process id, if
    /// it was sent.
    pub(super) fn signal(&self, instance: InstanceId, signal: Signal, scope: Scope) -> Option<u32> {
        let Some(Leader::Lives(child)) = self.find(instance).map(|known| &known.leader) else {
            return None;
        };
        let sent = match (scope, self.group) {
            (Scope::Group, Group::Own) => process::signal_group(child.pid, signal),
            // On a terminal the group is ours too.
            (Scope::Process, _) | (Scope::Group, Group::Shared) => {
                process::signal_process(child.pid, signal)
            }
        };
        match sent {
            Ok(()) => Some(child.pid),
            Err(error) => {
                tracing::debug!("{signal} to pid {}: {error}", child.pid);
                None
            }
        }
    }

    /// Sends a signal to everything that is left of an instance.
    pub(super) fn sweep(&mut self, instance: InstanceId, signal: Signal) {
        if let Some(known) = self.find_mut(instance) {
            known.sweep = if signal == Signal::KILL {
                Sweep::Killing
            } else {
                Sweep::Told
            };
            known.tree.signal_all(signal);
        }
    }

    /// What is left of an instance is left alone.
    pub(super) fn give_up(&mut self, instance: InstanceId) {
        if let Some(known) = self.find_mut(instance) {
            known.sweep = Sweep::GivenUp;
        }
    }

    /// Who of an instance is alive.
    #[must_use]
    pub(super) fn list(&self, instance: InstanceId) -> Event {
        let found = self.find(instance).map(|known| known.tree.members());
        let mut named = found.unwrap_or_default();
        let count = named.len();
        named.truncate(Alive::NAMED_MAX);
        let alive = Alive { named, count };
        Event::TreeListed { instance, alive }
    }

    /// Collects every change, ours and adopted, in the order in which the kernel tells them.
    pub(super) fn reap(&mut self, events: &mut VecDeque<Event>, helpers: &HelperEnds) {
        let mut changes = Vec::new();
        let mut children = process::collect(&mut changes);
        while children == process::Children::More {
            children = process::collect(&mut changes);
        }
        self.known.retain(|known| {
            let empty = matches!(known.leader, Leader::Ended) && known.is_empty(children);
            if empty {
                events.push_back(Event::TreeEmpty {
                    instance: known.instance,
                });
            } else if known.sweep == Sweep::Killing {
                known.tree.signal_all(Signal::KILL);
            }
            !empty
        });
        for (pid, change) in changes {
            if let Change::Ended(ended) = change {
                helpers.tell(pid, ended.code());
            }
            self.note(pid, change, children, events);
        }
    }

    /// Whether an instance's leader has not been reaped.
    #[must_use]
    pub(super) fn lives(&self, instance: InstanceId) -> bool {
        let known = self.find(instance);
        known.is_some_and(|known| matches!(known.leader, Leader::Lives(_)))
    }

    /// An instance's processes.
    #[must_use]
    pub(super) fn tree(&self, instance: InstanceId) -> Option<&Tree> {
        self.find(instance).map(|known| &known.tree)
    }

    /// Whether a process belongs to an instance.
    #[must_use]
    pub(super) fn contains(&self, pid: u32) -> bool {
        self.known.iter().any(|known| known.tree.contains(pid))
    }

    fn note(
        &mut self,
        pid: u32,
        change: Change,
        children: process::Children,
        events: &mut VecDeque<Event>,
    ) {
        let led_by =
            |known: &Known| matches!(&known.leader, Leader::Lives(child) if child.pid == pid);
        let Some(at) = self.known.iter().position(led_by) else {
            return;
        };
        let instance = self.known[at].instance;
        if let (Change::Ended(_), Some(terminal)) = (change, &self.terminal) {
            terminal.restore();
        }
        events.push_back(match change {
            Change::Stopped(_) => Event::Stopped { instance },
            Change::Continued => Event::Continued { instance },
            // With `--sweep none` nobody asks what is left.
            Change::Ended(ended)
                if self.leftovers == LeftoverPolicy::Leave || self.known[at].is_empty(children) =>
            {
                self.known.swap_remove(at);
                Event::Exited {
                    instance,
                    ended,
                    leftovers: Leftovers::None,
                }
            }
            Change::Ended(ended) => {
                self.known[at].leader = Leader::Ended;
                Event::Exited {
                    instance,
                    ended,
                    leftovers: Leftovers::Some,
                }
            }
        });
    }

    fn find_mut(&mut self, instance: InstanceId) -> Option<&mut Known> {
        let mut known = self.known.iter_mut();
        known.find(|known| known.instance == instance)
    }

    fn find(&self, instance: InstanceId) -> Option<&Known> {
        self.known.iter().find(|known| known.instance == instance)
    }
}

impl Known {
    /// Without any child the tree is empty for certain; else a look into `/proc` tells.
    fn is_empty(&self, children: process::Children) -> bool {
        children == process::Children::None || self.tree.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    /// No process has such a number.
    const NOBODY: u32 = 0x7fff_fff0;

    fn add(children: &mut Children, number: u32) -> InstanceId {
        let pidfd = File::open("/dev/null").unwrap().into();
        let child = Child { pid: NOBODY, pidfd };
        children.add(InstanceId(number), child);
        InstanceId(number)
    }

    #[test]
    fn a_kill_holds_until_it_is_given_up_whoever_is_started_meanwhile() {
        let mut children = Children::new("m".to_owned(), Group::Own, LeftoverPolicy::Sweep);
        let leaving = add(&mut children, 1);
        // Not by `sweep`: whatever this process has started would count as its own, and be killed.
        children.find_mut(leaving).unwrap().sweep = Sweep::Killing;
        add(&mut children, 2);
        let sweep = |children: &Children| children.find(leaving).map(|known| known.sweep);
        assert_eq!(sweep(&children), Some(Sweep::Killing));
        children.give_up(leaving);
        assert_eq!(sweep(&children), Some(Sweep::GivenUp));
    }
}
