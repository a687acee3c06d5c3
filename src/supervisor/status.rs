//! What the supervisor is doing, by name: for whoever looks at it from outside.
//!
//! The machines' own states hold what is true then and stay private; these hold nothing.

/// One look at the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// What runs, and why.
    pub service: ServicePhase,
    /// The process of this phase, alive or not quite gone.
    pub instance: Option<InstancePhase>,
    /// A second process: the new one that is not ready yet, or one that is leaving.
    pub beside: Option<InstancePhase>,
    /// How far a difference has come.
    pub change: ChangePhase,
    /// Whether Heroku is being asked.
    pub watch: WatchPhase,
    /// Whether a connection to the database is watched.
    pub connection: ConnectionPhase,
    /// What is run with, if not with what Heroku says.
    pub fallback: FallbackPhase,
}

macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $state:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$of])* $state,)*
        }

        impl $name {
            /// Every one, in the order of a life.
            pub const ALL: &'static [Self] = &[$(Self::$state,)*];
        }
    };
}

names! {
    /// What runs, and why.
    ServicePhase {
        /// No child was started yet: the first good answer is awaited.
        Waiting,
        /// No child lives; the next is being prepared or spawned.
        Starting,
        /// The child lives, and nothing else is planned.
        Running,
        /// The child lives untouched while its successor is prepared.
        Preparing,
        /// The child lives untouched; its successor is tried again later.
        Postponed,
        /// The child lives untouched; a person holds back what is to be done about it.
        Held,
        /// The child lives, and is told of a change as soon as it is ready.
        Telling,
        /// The child lives untouched; its successor is being spawned beside it.
        Joining,
        /// The child lives untouched; its successor lives too, and is not ready yet.
        Overlapping,
        /// The old child is ending; the next starts when its tree is empty.
        Replacing,
        /// The child failed; its credential is asked about.
        Asking,
        /// The child failed because its credential died; the successor is awaited.
        AwaitingCredential,
        /// The child ended by itself; the next is started later.
        Pausing,
        /// No child lives; a start failed and is tried again later.
        BackingOff,
        /// The last child is ending; nothing is started any more.
        ShuttingDown,
        /// Everything is over.
        Done,
    }
}

names! {
    /// How far a process has come.
    InstancePhase {
        /// It runs, and nobody asked it to end.
        Live,
        /// It was told to stop.
        Stopping,
        /// It was killed, with all its tree.
        Killed,
        /// It ended; what it left was told to stop.
        Sweeping,
        /// It ended; what it left was killed.
        SweepKilled,
        /// Nothing of it is left, or nothing that could be ended.
        Gone,
    }
}

names! {
    /// How far a difference has come.
    ChangePhase {
        /// There is none.
        Quiet,
        /// It was seen; the quiet time runs.
        Settling,
        /// It is asked about once more.
        Confirming,
        /// The new credential is logged in with.
        CheckingLogin,
        /// It is confirmed, and waits for its place in the fleet, or for a login that works.
        Deferred,
    }
}

names! {
    /// Whether Heroku is being asked.
    WatchPhase {
        /// It never will be again.
        Off,
        /// The next request has its time.
        Waiting,
        /// A request is out.
        Fetching,
        /// A request is out, and another follows it at once.
        Superseded,
    }
}

names! {
    /// Whether a connection to the database is watched.
    ConnectionPhase {
        /// Nobody's database is to be watched.
        Off,
        /// It is being made.
        Connecting,
        /// It is there.
        Watching,
        /// It is made again later.
        Pausing,
    }
}

names! {
    /// What is run with, if not with what Heroku says.
    FallbackPhase {
        /// Heroku has said it, or nothing is run with yet.
        None,
        /// What the supervisor was started with.
        Inherited,
        /// What was in the cache.
        Cached,
    }
}
