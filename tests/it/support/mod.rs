//! What several tests lean on.

pub(crate) mod canned;
pub(crate) mod postgres;
