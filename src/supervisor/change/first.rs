//! The first values: those of a good answer, or, without one, what there is to fall back on.

use std::sync::Arc;

use crate::credential::{Snapshot, Values};
use crate::supervisor::id::Revision;
use crate::supervisor::notice::Notice;
use crate::supervisor::source::{Fallen, Source};
use crate::supervisor::turn::Turn;

use super::{Change, Desired, Verdict};

impl Change {
    /// A good answer, which may not have all that is required.
    pub(super) fn adopt_first(
        &mut self,
        turn: &mut Turn<'_>,
        snapshot: &Snapshot,
        values: Values,
    ) -> Verdict {
        let selection = &turn.config.environment.selection;
        let complete = selection.required().all(|name| values.contains_key(name));
        if !complete || values.is_empty() {
            return Verdict::Unchanged;
        }
        if !snapshot.kept_out.is_empty() {
            let names = snapshot.kept_out.clone();
            turn.announce(Notice::KeptOut { names });
        }
        self.desired = Some(Desired {
            revision: Revision(1),
            values: Arc::new(values),
            others: Arc::new(snapshot.others.clone()),
            changed: Vec::new(),
            seen_at: turn.now,
        });
        Verdict::Adopted
    }

    /// Heroku gives no answer: what there is without one, until it does. An answer that was of no
    /// use otherwise is good for the `others`.
    pub(in crate::supervisor) fn fall_back(
        &mut self,
        turn: &mut Turn<'_>,
        fallen: &Fallen,
        others: Option<Values>,
    ) -> Verdict {
        if self.desired.is_some() {
            return Verdict::Unchanged;
        }
        self.source = Source::fallback(turn, fallen);
        let others = others.unwrap_or_else(|| fallen.good.others.clone());
        self.desired = Some(Desired {
            revision: Revision(1),
            values: Arc::new(fallen.good.watched.clone()),
            others: Arc::new(others),
            changed: Vec::new(),
            seen_at: turn.now,
        });
        Verdict::Adopted
    }
}
