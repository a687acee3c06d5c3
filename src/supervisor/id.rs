//! Names for what is under way: a late answer is never taken for its successor's.

use core::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl $name {
            /// The next one; ids are never used twice in a supervisor's life.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

id! {
    /// One process that was asked for, from the request to the empty tree.
    InstanceId, "i"
}
id! {
    /// One request for the app's config vars.
    FetchId, "f"
}
id! {
    /// One attempt to log in to Postgres.
    LoginId, "l"
}
id! {
    /// One connection that is watched, from the attempt to make it to its end.
    ConnectionId, "c"
}
id! {
    /// One command, from the question to its answer.
    ReplyId, "r"
}
id! {
    /// One look into the cache, or one write to it.
    CacheId, "k"
}
id! {
    /// A version of the watched values, counted from 1 in each supervisor; an older value again is
    /// a new number.
    Revision, ""
}

impl InstanceId {
    /// What marks this instance's processes, in their environment, as this supervisor's.
    #[must_use]
    pub fn mark(self, supervisor: &str) -> String {
        format!("{supervisor}.{self}")
    }
}
