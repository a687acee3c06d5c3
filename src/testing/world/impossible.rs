//! The pairs of a phase and an event that cannot meet, each with the reason. Every other pair must.
//!
//! A pair that is listed here and met all the same is a breach; so is a long run of lives in which
//! a pair that is not listed never met.

use super::reach::Kind;

/// Phases, and the kinds of events that never meet any of them.
pub(super) struct Impossible {
    pub(super) phases: &'static [&'static str],
    pub(super) kinds: &'static [&'static [Kind]],
    #[expect(dead_code, reason = "the reason is for the reader")]
    pub(super) why: &'static str,
}

const ANSWERS: &[Kind] = &[Kind::Answer, Kind::NotModified, Kind::FetchFailed];
const LOGINS: &[Kind] = &[
    Kind::LoginAccepted,
    Kind::LoginRefused,
    Kind::LoginUnreachable,
];
const STARTS: &[Kind] = &[Kind::Prepared, Kind::Spawned, Kind::SpawnFailed];
const SPAWNED: &[Kind] = &[Kind::Spawned];
const ENDS: &[Kind] = &[
    Kind::EndedWell,
    Kind::EndedBadly,
    Kind::Suspended,
    Kind::Continued,
];
const WORDS: &[Kind] = &[Kind::Ready, Kind::Word];
/// What a person, or nobody in particular, says.
const PERSONS: &[Kind] = &[
    Kind::Interrupt,
    Kind::InterruptHeard,
    Kind::HangUp,
    Kind::Quit,
    Kind::JobControl,
    Kind::SignalHeard,
    Kind::StaleEnd,
];
const TREE_EMPTY: &[Kind] = &[Kind::TreeEmpty];
const LISTED: &[Kind] = &[Kind::Listed];
const LOOKS: &[Kind] = &[Kind::CacheFound, Kind::CacheUseless];
const WRITES: &[Kind] = &[Kind::CacheWritten, Kind::CacheUnwritten];
const STALE_CACHE: &[Kind] = &[Kind::StaleCache];
const CONNECTION: &[Kind] = &[Kind::Connected, Kind::Disconnected];

pub(super) const ALL: &[Impossible] = &[
    Impossible {
        phases: &[
            "Service::Waiting",
            "Service::Starting",
            "Beside::Live",
            "Service::BackingOff",
            "Instance::Live",
            "Instance::Gone",
        ],
        kinds: &[LISTED],
        why: "nothing was told to end, or all of it has",
    },
    Impossible {
        phases: &["Service::Waiting"],
        kinds: &[
            &[
                Kind::StaleConnection,
                Kind::StaleStart,
                Kind::StaleEnd,
                Kind::Beside,
            ],
            STARTS,
            ENDS,
            WORDS,
            TREE_EMPTY,
            WRITES,
        ],
        why: "there never was a child, nor anything to keep",
    },
    Impossible {
        phases: &[
            "Service::Starting",
            "Service::Running",
            "Service::Preparing",
            "Service::Postponed",
            "Service::Held",
            "Service::Telling",
            "Service::Joining",
            "Service::Overlapping",
            "Service::Replacing",
            "Service::Asking",
            "Service::AwaitingCredential",
            "Service::Pausing",
            "Service::BackingOff",
            "Service::ShuttingDown",
            "Instance::Live",
            "Instance::Stopping",
            "Instance::Killed",
            "Instance::Sweeping",
            "Instance::SweepKilled",
            "Instance::Gone",
            "Change::Settling",
            "Change::Confirming",
            "Change::CheckingLogin",
            "Change::Deferred",
            "Connection::Connecting",
            "Connection::Watching",
            "Connection::Pausing",
            "Watch::Off",
        ],
        kinds: &[LOOKS],
        why: "the cache is looked into only before the first child",
    },
    Impossible {
        phases: &["Service::Starting", "Service::BackingOff"],
        kinds: &[ENDS, WORDS, TREE_EMPTY],
        why: "no child is there: the last one is gone with all that it left",
    },
    Impossible {
        phases: &[
            "Service::BackingOff",
            "Service::Running",
            "Service::Postponed",
            "Service::Held",
            "Service::Telling",
        ],
        kinds: &[STARTS],
        why: "nothing is being started",
    },
    Impossible {
        phases: &[
            "Service::Asking",
            "Service::AwaitingCredential",
            "Service::Pausing",
        ],
        kinds: &[STARTS, ENDS, WORDS],
        why: "the leader has ended, and nothing is being started",
    },
    Impossible {
        phases: &[
            "Service::Running",
            "Service::Preparing",
            "Service::Postponed",
            "Service::Held",
            "Service::Telling",
            "Service::Joining",
            "Service::Overlapping",
        ],
        kinds: &[TREE_EMPTY],
        why: "the leader lives: its tree is not empty",
    },
    Impossible {
        phases: &["Service::Preparing", "Service::Replacing"],
        kinds: &[SPAWNED],
        why: "the successor is spawned when the old one is gone, and that is another phase",
    },
    Impossible {
        phases: &["Service::Joining"],
        kinds: &[&[Kind::Prepared, Kind::Beside]],
        why: "the spawn is out, and nobody is beside the old one yet",
    },
    Impossible {
        phases: &["Service::Telling"],
        kinds: &[LISTED],
        why: "it serves, or will",
    },
    Impossible {
        phases: &["Service::Overlapping"],
        kinds: &[STARTS],
        why: "both live already",
    },
    Impossible {
        phases: &[
            "Beside::Live",
            "Beside::Stopping",
            "Beside::Killed",
            "Beside::Sweeping",
            "Beside::SweepKilled",
        ],
        kinds: &[
            ANSWERS,
            LOGINS,
            STARTS,
            &[
                Kind::StaleAnswer,
                Kind::StaleLogin,
                Kind::StaleConnection,
                Kind::StaleStart,
                Kind::Refresh,
                Kind::Beside,
            ],
            CONNECTION,
            LOOKS,
            WRITES,
            STALE_CACHE,
        ],
        why: "not counted: it cannot matter to a second process",
    },
    Impossible {
        phases: &["Beside::Live", "Beside::Stopping", "Beside::Killed"],
        kinds: &[TREE_EMPTY],
        why: "the leader lives",
    },
    Impossible {
        phases: &["Beside::Sweeping", "Beside::SweepKilled"],
        kinds: &[ENDS, WORDS],
        why: "the leader has ended",
    },
    Impossible {
        phases: &["Beside::Gone"],
        kinds: &[Kind::ALL],
        why: "what is gone is not beside anybody",
    },
    Impossible {
        phases: &["Service::ShuttingDown", "Watch::Off"],
        kinds: &[ANSWERS, LOGINS],
        why: "nothing is asked any more",
    },
    Impossible {
        phases: &["Service::ShuttingDown"],
        kinds: &[&[Kind::Prepared]],
        why: "a preparation is dropped when the end begins",
    },
    Impossible {
        phases: &["Service::Done"],
        kinds: &[Kind::ALL],
        why: "the exit is the last action of a life, and nothing steps after it",
    },
    Impossible {
        phases: &["Instance::Live", "Instance::Stopping", "Instance::Killed"],
        kinds: &[TREE_EMPTY],
        why: "the leader lives",
    },
    Impossible {
        phases: &[
            "Instance::Sweeping",
            "Instance::SweepKilled",
            "Instance::Gone",
        ],
        kinds: &[ENDS, WORDS],
        why: "the leader has ended",
    },
    Impossible {
        phases: &["Instance::Gone"],
        kinds: &[TREE_EMPTY],
        why: "that was before",
    },
    Impossible {
        phases: &[
            "Service::Waiting",
            "Service::Starting",
            "Service::Replacing",
            "Service::Asking",
            "Service::AwaitingCredential",
            "Service::Pausing",
            "Service::BackingOff",
            "Service::ShuttingDown",
            "Instance::Stopping",
            "Instance::Killed",
            "Instance::Sweeping",
            "Instance::SweepKilled",
            "Instance::Gone",
        ],
        kinds: &[CONNECTION],
        why: "only the database of a child that lives untouched is watched",
    },
    Impossible {
        phases: &["Connection::Off", "Connection::Pausing"],
        kinds: &[CONNECTION],
        why: "there is none",
    },
    Impossible {
        phases: &[
            "Connection::Connecting",
            "Connection::Watching",
            "Connection::Pausing",
        ],
        kinds: &[TREE_EMPTY, LISTED],
        why: "the leader lives, and nobody told it to end",
    },
    Impossible {
        phases: &["Watch::Waiting"],
        kinds: &[ANSWERS],
        why: "no request is out",
    },
];

/// Pairs that can meet, and so seldom that a run of lives need not wait for them: less than twenty
/// times in 40,000.
pub(super) const RARE: &[Impossible] = &[
    Impossible {
        phases: &["Service::Telling", "Service::Joining", "Change::Deferred"],
        kinds: &[CONNECTION],
        why: "they do not last, or the credential is known to be old by then",
    },
    Impossible {
        phases: &["Connection::Connecting"],
        kinds: &[STARTS],
        why: "what is started meanwhile has another credential, and its predecessor's is old",
    },
    Impossible {
        phases: &["Change::Confirming"],
        kinds: &[&[Kind::NotModified]],
        why: "nobody asked whether anything is new: that is a lie",
    },
    Impossible {
        phases: &["Change::CheckingLogin"],
        kinds: &[CONNECTION],
        why: "the credential that is tried is the one that the child has still",
    },
    Impossible {
        phases: &[
            "Connection::Connecting",
            "Connection::Watching",
            "Connection::Pausing",
        ],
        kinds: &[LOGINS],
        why: "the child has not followed a change yet, and that is about to be taken back",
    },
    Impossible {
        phases: &["Service::Joining"],
        kinds: &[
            ENDS,
            LOGINS,
            PERSONS,
            &[Kind::NotModified, Kind::FetchFailed, Kind::StaleLogin],
        ],
        why: "a spawn takes a few milliseconds",
    },
    Impossible {
        phases: &[
            "Service::Running",
            "Service::Preparing",
            "Service::Postponed",
            "Service::Held",
            "Service::Joining",
            "Service::Overlapping",
            "Change::Settling",
            "Change::Confirming",
            "Change::CheckingLogin",
            "Change::Deferred",
        ],
        kinds: &[LISTED],
        why: "one that missed its watchdog takes long to end",
    },
    Impossible {
        phases: &[
            "Change::Settling",
            "Change::Confirming",
            "Change::CheckingLogin",
            "Change::Deferred",
        ],
        kinds: &[STARTS, TREE_EMPTY, &[Kind::Beside, Kind::NotModified]],
        why: "a difference is seen while another revision is being started",
    },
    Impossible {
        phases: &[
            "Service::Starting",
            "Service::BackingOff",
            "Service::Replacing",
            "Service::Pausing",
            "Instance::Stopping",
            "Instance::Killed",
        ],
        kinds: &[LOGINS],
        why: "a change that was refused is tried on while its child's successor is started",
    },
    Impossible {
        phases: &["Service::Telling"],
        kinds: &[&[Kind::Beside]],
        why: "one child leaves, for somebody asked for it, while the other is told of a change",
    },
    Impossible {
        phases: &["Service::Overlapping", "Service::Telling"],
        kinds: &[
            LOGINS,
            ENDS,
            &[Kind::StaleLogin, Kind::Ready, Kind::Word],
            &[Kind::StaleEnd, Kind::HangUp, Kind::Stop, Kind::Resume],
        ],
        why: "it has little to do with them, and does not last",
    },
    Impossible {
        phases: &["Change::Confirming", "Change::Deferred"],
        kinds: &[LOGINS],
        why: "a change was refused, and then its child failed",
    },
    Impossible {
        phases: &["Service::Waiting"],
        kinds: &[LOGINS, &[Kind::StaleLogin]],
        why: "a fallback is tried only after a start without any answer",
    },
    Impossible {
        phases: &["Service::Waiting"],
        kinds: &[STALE_CACHE],
        why: "the same",
    },
    Impossible {
        phases: &["Watch::Superseded"],
        kinds: &[LOOKS],
        why: "the same, and it does not last",
    },
    Impossible {
        phases: &[
            "Service::Held",
            "Service::Telling",
            "Service::Joining",
            "Service::Overlapping",
            "Service::AwaitingCredential",
            "Service::Pausing",
            "Instance::Killed",
            "Instance::SweepKilled",
            "Change::Settling",
            "Change::Confirming",
            "Change::CheckingLogin",
            "Change::Deferred",
        ],
        kinds: &[WRITES, STALE_CACHE],
        why: "a write is short, and rarely begins while anything else goes on",
    },
    Impossible {
        phases: &["Service::Replacing"],
        kinds: &[&[Kind::Ready]],
        why: "it is ready just when it is told to end",
    },
    Impossible {
        phases: &[
            "Service::Starting",
            "Service::Asking",
            "Service::AwaitingCredential",
            "Service::Pausing",
            "Service::BackingOff",
            "Instance::SweepKilled",
        ],
        kinds: &[&[Kind::Beside]],
        why: "one child leaves while the one that took its place fails",
    },
    Impossible {
        phases: &[
            "Instance::Killed",
            "Instance::Sweeping",
            "Instance::SweepKilled",
            "Instance::Gone",
        ],
        kinds: &[SPAWNED],
        why: "only when the end begins within the same milliseconds",
    },
    Impossible {
        phases: &["Beside::Stopping", "Beside::Killed"],
        kinds: &[WORDS, LISTED],
        why: "what they say matters to nobody any more",
    },
    Impossible {
        phases: &[
            "Beside::Live",
            "Beside::Stopping",
            "Beside::Killed",
            "Beside::Sweeping",
            "Beside::SweepKilled",
        ],
        kinds: &[&[Kind::Suspended, Kind::Continued], PERSONS],
        why: "they do not last",
    },
];
