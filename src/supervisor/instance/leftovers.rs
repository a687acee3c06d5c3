//! The end of a leader, and what becomes of the processes that it left.

use crate::supervisor::action::Action;
use crate::supervisor::config::LeftoverPolicy;
use crate::supervisor::event::{Ended, Leftovers};
use crate::supervisor::notice::Notice;
use crate::supervisor::signal::Signal;
use crate::supervisor::time::{Duration, Time};
use crate::supervisor::turn::Turn;

use super::alive::Looks;
use super::{Course, End, EndedBy, Instance, SWEEP, State};

/// A program that goes to the background has done so within this long.
const AT_ONCE: Duration = Duration::from_secs(5);

impl Instance {
    pub(in crate::supervisor) fn on_exited(
        &mut self,
        turn: &mut Turn<'_>,
        ended: Ended,
        leftovers: Leftovers,
    ) {
        if !self.lives() {
            return;
        }
        let interrupted = self.interrupted_at();
        let end = End {
            ended,
            at: turn.now,
            by: self.course().map_or(EndedBy::Itself, Course::ended_by),
        };
        let lived = turn.now.since(self.started);
        let stopping = self.stopping_since().map(|since| turn.now.since(since));
        turn.announce(Notice::Ended {
            child: self.child(),
            ended,
            lived,
            stopping,
        });
        self.state = match (leftovers, turn.config.leftovers, &self.state) {
            (Leftovers::None, _, _) | (_, LeftoverPolicy::Leave, _) => State::Gone { end },
            (Leftovers::Some, LeftoverPolicy::Sweep, State::Killed { give_up, .. }) => {
                State::SweepKilled {
                    end,
                    give_up: *give_up,
                    looks: Looks::soon(turn.now),
                }
            }
            (Leftovers::Some, LeftoverPolicy::Sweep, _) => {
                turn.announce(self.leftover_notice(end, interrupted, lived));
                turn.act(Action::Sweep {
                    instance: self.id,
                    signal: Signal::TERM,
                });
                State::Sweeping {
                    end,
                    kill: turn.now + SWEEP,
                    interrupted,
                    looks: Looks::soon(turn.now),
                }
            }
        };
    }

    /// A leader that nobody told to end, and that ends well as soon as it has started others, is
    /// how a daemon leaves whoever started it: to sweep that without a word would be a riddle.
    fn leftover_notice(&self, end: End, interrupted: Option<Time>, lived: Duration) -> Notice {
        let pid = self.pid;
        let by_itself = end.by == EndedBy::Itself && interrupted.is_none();
        if by_itself && end.ended == Ended::Code(0) && lived < AT_ONCE {
            Notice::WentToBackground { pid, lived }
        } else {
            Notice::Sweeping { pid }
        }
    }

    pub(in crate::supervisor) fn on_tree_empty(&mut self) {
        if let State::Sweeping { end, .. } | State::SweepKilled { end, .. } = self.state {
            self.state = State::Gone { end };
        }
    }
}
