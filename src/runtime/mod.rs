//! CONNECTS: the only caller of `step()`, the only `select!`.

pub mod signals;
