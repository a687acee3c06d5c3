//! The validated configuration: the only place with defaults and cross-checks.
