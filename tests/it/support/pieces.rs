//! What a database URL is made of, for those that are made up.

/// Parts of its grammar; each test adds what it is about.
pub(crate) const PIECES: [&str; 24] = [
    "/",
    "?",
    "&",
    "=",
    "@",
    ":",
    ",",
    "[",
    "]",
    "%40",
    "%2F",
    "#",
    "+",
    "u",
    "p",
    "h",
    "d",
    "5432",
    "::1",
    "host=",
    "user=",
    "password=",
    "dbname=",
    "ü",
];
