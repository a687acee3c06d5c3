//! Every bound that the world holds the core to, beside the sentence of the design it stands for.

use crate::supervisor::time::Duration;

/// What a step may be late: the world's spawns, kills and wakes take up to this long in all.
pub(super) const SLACK: Duration = Duration::from_millis(100);

/// A supervisor that wakes so long after its deadline did not run: children begin anew.
pub(super) const OVERSLEPT: Duration = Duration::from_millis(100);

/// "when it has ended, sweep what it left (TERM, KILL 2 s later)"
pub(super) const SWEEP: Duration = Duration::from_secs(2);

/// "start the next when the tree is empty, or 5 s after a KILL that did not help (announced)"
pub(super) const UNKILLABLE: Duration = Duration::from_secs(5);

/// A child that asks for more time gets no more than this at once.
pub(super) const EXTENSION_MAX: Duration = Duration::from_secs(600);

/// Nor more than this in all, from its start on.
pub(super) const STRETCH_MAX: Duration = Duration::from_secs(3600);

/// Who is still alive is asked after this long, or after a quarter of the stop timeout; then each
/// time after twice as long.
pub(super) const LOOK_SLOW: Duration = Duration::from_secs(5);

/// No earlier than this; and after this when nothing has long.
pub(super) const LOOK_SOON: Duration = Duration::from_secs(1);

/// "try again after a backoff that grows to 15 minutes"
pub(super) const ROLLBACK_MAX: Duration = Duration::from_secs(900);

/// "A failed end asks: a fetch, and a login with the credential it ran on, in parallel, 5 s in all."
pub(super) const INQUIRY: Duration = Duration::from_secs(5);

/// "A failed fetch backs off exponentially with jitter to 5 minutes, never stops for good".
pub(super) const BACKOFF_MAX: Duration = Duration::from_secs(300);

/// "Retries come every min(interval, 30 s)."
pub(super) const LOGIN_RETRY: Duration = Duration::from_secs(30);

/// "Everything has a limit": so long after it was asked for, a login has got no answer.
pub(super) const LOGIN_ROUND: Duration = Duration::from_secs(10);

/// `supervisor/vigil.rs`: a refused login is tried again after 1 s, doubling, up to 30 s.
pub(super) const VIGIL_MIN: Duration = Duration::from_secs(1);

/// See [`VIGIL_MIN`].
pub(super) const VIGIL_MAX: Duration = Duration::from_secs(30);

/// `supervisor/connection.rs`: a lost connection is made again after 1 s, doubling, up to 60 s, and
/// from the start once it lasted for a minute.
pub(super) const CONNECTION_PAUSE_MIN: Duration = Duration::from_secs(1);

/// See [`CONNECTION_PAUSE_MIN`].
pub(super) const CONNECTION_PAUSE_MAX: Duration = Duration::from_secs(60);

/// See [`CONNECTION_PAUSE_MIN`].
pub(super) const CONNECTION_LASTS: Duration = Duration::from_secs(60);

/// `supervisor/start.rs`: the cache is not waited for any longer.
pub(super) const CACHE_READ: Duration = Duration::from_secs(10);

/// `supervisor/keeper.rs`: what stays the same is kept anew after this long.
pub(super) const CACHE_AGAIN: Duration = Duration::from_secs(3600);

/// `supervisor/keeper.rs`: a write that failed is tried again no sooner, while nothing is new.
pub(super) const CACHE_RETRY: Duration = Duration::from_secs(60);

/// `supervisor/failover.rs`: so many restarts for failovers in such a time.
pub(super) const FAILOVERS: (usize, Duration) = (3, Duration::from_secs(600));

/// The longest that a login takes.
pub(super) const LOGIN: Duration = Duration::from_secs(5);

/// Heroku's own: requests an hour for one account.
pub(super) const ACCOUNT: u32 = 4500;

/// `supervisor/budget.rs`: with less than 40 % left there are no bursts.
pub(super) const ACCOUNT_FOR_BURSTS: u32 = 1800;

/// `supervisor/budget.rs`: no pace is slower, unless a slower one is asked for.
pub(super) const PACE_MAX: Duration = Duration::from_secs(900);

/// "cut down to one fetch, jittered 0–2 s"
pub(super) const SPREAD: Duration = Duration::from_secs(2);

/// `supervisor/watch/refresh.rs`: one that somebody asks for comes so long after the last; one in
/// the place of a burst, too, or as much later as the account has less.
pub(super) const RECENT: Duration = Duration::from_secs(5);

/// See [`RECENT`]: but no later than this.
pub(super) const PATIENCE_MAX: Duration = Duration::from_secs(45);

/// `supervisor/command.rs`: "with little left for the account a minute after it"
pub(super) const SCARCE_PAUSE: Duration = Duration::from_secs(60);

/// "`Retry-After` is obeyed up to 300 s."
pub(super) const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// "poll interval, jittered ±10 %": the least and the most of a pause, in tenths.
pub(super) const JITTER: (u32, u32) = (9, 11);

/// "Routine polls may send If-None-Match, every tenth does not".
pub(super) const CONDITIONAL_MAX: u32 = 9;

/// "Only a fetch *started after* the evidence answers it; one in flight for over 2 s is aborted."
pub(super) const STALE_AFTER: Duration = Duration::from_secs(2);

/// "failed fetches back off from 1 s, doubling": so many more than the regular polls fit into a
/// minute, with one good answer among them.
pub(super) const RETRIES_MINUTE: usize = 14;

/// "the quiet time begins when a difference is first seen; another different value begins it again,
/// at most 5 times"
pub(super) const RENEWALS_MAX: u32 = 5;

/// "missing, empty, null or malformed is *not* a change": while a change is being confirmed, such an
/// answer is looked past for this long (`supervisor/change.rs` says why).
pub(super) const GAP_MAX: Duration = Duration::from_secs(60);

/// "a heartbeat each 15 minutes"
pub(super) const HEARTBEAT: Duration = Duration::from_secs(900);

/// "a request has 5 s to connect, 10 s in all"
pub(super) const REQUEST: Duration = Duration::from_secs(10);

/// The outer manager starts the supervisor again within this.
pub(super) const MANAGER: Duration = Duration::from_secs(10);

/// "a short burst (1, 2, 4 … s, 60 s in all; at most one burst in 10 minutes unless the last one found a change"
pub(super) const BURST: Duration = Duration::from_secs(60);

/// "A webhook is answered by fetches at 0, 5 and 30 s."
pub(super) const WEBHOOK: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(30)];

/// "at most one fetch series in 10 s"
pub(super) const WEBHOOK_PAUSE: Duration = Duration::from_secs(10);

/// See [`BURST`].
pub(super) const BURST_PAUSE: Duration = Duration::from_secs(600);
