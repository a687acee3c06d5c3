//! The logins about what is open, and what their answers come to.

use crate::supervisor::config::CheckLogin;
use crate::supervisor::event::LoginOutcome;
use crate::supervisor::id::LoginId;
use crate::supervisor::time::Time;
use crate::testing::world::law::trial::{Round, Said, Trial, Whose};

use super::{Adopts, Guard, Held, Ledger, Open, Stage, owed};

impl Ledger {
    /// A login was answered, whoever asked.
    pub(in crate::testing::world::law) fn login(
        &mut self,
        now: Time,
        login: LoginId,
        outcome: &LoginOutcome,
        guard: Guard,
    ) -> Adopts {
        match (self.answer(now, login, outcome, guard), guard) {
            (Adopts::No, Guard::Down) => self.drop_guard(),
            (adopts, _) => adopts,
        }
    }

    fn answer(
        &mut self,
        now: Time,
        login: LoginId,
        outcome: &LoginOutcome,
        guard: Guard,
    ) -> Adopts {
        let said = Said::of(outcome);
        self.worked |= said == Said::Accepted;
        let counts = self.rules.counts(self.worked);
        let Some(mut open) = self.open else {
            return Adopts::No;
        };
        let round = match open.trial {
            Trial::Out(round, id, _) if id == login => round,
            Trial::None | Trial::Owed(_) | Trial::Out(..) | Trial::Held(_) => return Adopts::No,
        };
        open.trial = Trial::None;
        self.open = Some(open);
        match (open.stage, round.whose) {
            // "Debounce, splay … only while a live instance has a credential that still logs in".
            (Stage::Seen, _) => {
                if said == Said::Refused && counts {
                    open.quiet_until = now;
                }
                self.open = Some(open);
                Adopts::No
            }
            (Stage::Splayed(_), _) if said == Said::Refused && counts => self.adopt(open.values),
            (Stage::Splayed(_), _) => self.look_later(now, open),
            (Stage::Tried, Whose::New) if said != Said::Accepted => {
                open.stage = Stage::Seen;
                open.held = match said {
                    Said::Refused if counts => Held::Refused,
                    Said::Refused | Said::Unreachable | Said::Accepted | Said::Nothing => Held::No,
                };
                self.open = Some(open);
                Adopts::No
            }
            (_, Whose::New) if said == Said::Accepted && !self.is_splayed(&open) => {
                self.adopt(open.values)
            }
            (_, Whose::New) => {
                if said == Said::Refused && counts {
                    open.held = Held::Refused;
                }
                match self.tries_old(&open, guard) {
                    Some(version) => {
                        open.trial = owed(Whose::Old, version, said);
                        self.open = Some(open);
                        Adopts::No
                    }
                    None => self.rule(now, open, said, Said::Unreachable),
                }
            }
            (_, Whose::Old) => self.rule(now, open, round.new, said),
        }
    }

    /// A login that was made long ago has got no answer. One from the quiet time is not waited for.
    pub(in crate::testing::world::law) fn times_out(&mut self, now: Time, guard: Guard) -> Adopts {
        let tried = self.open.filter(|open| open.stage != Stage::Seen);
        if let Some(open) = tried
            && matches!((open.stage, open.trial), (Stage::Splayed(_), Trial::Held(at)) if at <= now)
            && self.tries_old(&open, guard).is_none()
        {
            // What runs has no credential: its successor may.
            return self.look_later(now, open);
        }
        match tried.and_then(|open| open.trial.silent(now)) {
            Some(login) => {
                let detail = "no answer".to_owned();
                self.login(now, login, &LoginOutcome::Unreachable { detail }, guard)
            }
            None => Adopts::No,
        }
    }

    /// A splay goes on, and with it the looks at what runs.
    fn look_later(&mut self, now: Time, mut open: Open) -> Adopts {
        open.trial = Trial::Held(now + self.rules.retry());
        self.open = Some(open);
        Adopts::No
    }

    /// The core logs in before a change is made.
    pub(in crate::testing::world::law) fn logs_in(
        &mut self,
        now: Time,
        login: LoginId,
        version: u32,
        guard: Guard,
    ) -> Result<(), String> {
        let Some(mut open) = self.open else {
            return Err("a login without a difference".to_owned());
        };
        let (whose, again) = match open.stage {
            Stage::Seen | Stage::Tried | Stage::Confirmed => (Whose::New, self.tries_new(&open)),
            Stage::Splayed(_) => (Whose::Old, self.tries_old(&open, guard)),
        };
        let again = Round {
            whose,
            version: again.unwrap_or_default(),
            new: Said::Nothing,
        };
        open.trial.logs_in(now, login, version, again)?;
        self.open = Some(open);
        Ok(())
    }

    /// The new credential, when it is one that can be tried.
    pub(super) fn tries_new(&self, open: &Open) -> Option<u32> {
        let proven = self.proven.unwrap_or_default();
        let is_tried = self.rules.policy != CheckLogin::Never && open.values[0] != proven[0];
        open.values[0].filter(|_| is_tried)
    }

    /// What runs.
    pub(super) fn tries_old(&self, open: &Open, guard: Guard) -> Option<u32> {
        self.tries_new(open)?;
        match guard {
            Guard::Up(running) => running[0],
            Guard::Down => None,
        }
    }
}
