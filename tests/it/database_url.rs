//! Database URLs that nobody thought of: made up at random, and what the fuzzer has found
//! (`tests/fuzz`), held against the laws in `changeover::testing::urls`.

use std::fs;
use std::path::Path;

use changeover::credential::DatabaseUrl;
use changeover::testing::urls;
use proptest::prelude::*;

use crate::support::pieces::PIECES;

/// One file is one URL.
#[test]
fn the_fuzzers_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/database_url");
    let mut held = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        // As the fuzzer does it: no text, no URL.
        let Ok(text) = std::str::from_utf8(&bytes) else {
            continue;
        };
        urls::hold(text).unwrap_or_else(|law| panic!("{law}: {text:?}"));
        held += 1;
    }
    assert!(held >= 60, "{held} URLs in the corpus");
}

/// What no URL has there.
const WILD: [&str; 17] = [
    "postgres://",
    "postgresql://",
    "://",
    "%",
    "%00",
    "%zz",
    "0",
    "hostaddr=127.0.0.1",
    "port=1",
    "sslmode=",
    "require",
    "ssl=true",
    "options=",
    " ",
    "\n",
    "\u{FFFD}",
    "\u{7f}",
];

/// Close to a URL, with what its grammar is made of in the wrong places.
fn nearly() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select([&PIECES[..], &WILD].concat());
    let tail = prop::collection::vec(pieces, 0..16).prop_map(|pieces| pieces.concat());
    (prop::bool::weighted(0.9), tail).prop_map(|(begins, tail)| {
        if begins {
            format!("postgres://{tail}")
        } else {
            tail
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4096,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_text(text in any::<String>()) {
        prop_assert_eq!(urls::hold(&text), Ok(()));
    }

    #[test]
    fn any_text_behind_the_scheme(text in any::<String>()) {
        prop_assert_eq!(urls::hold(&format!("postgresql://{text}")), Ok(()));
    }

    /// Even one that nobody has encoded.
    #[test]
    fn a_password_is_never_shown(password in "[!-~]{1,12}") {
        let url = format!("postgres://u:{password}@h/d");
        if let Ok(url) = DatabaseUrl::parse(&url) {
            let shown = url.redacted();
            let known = ["postgres://u:***@h/d", "postgres://***"];
            prop_assert!(known.contains(&shown.as_str()), "{}", shown);
        }
    }

    #[test]
    fn nearly_a_url(text in nearly()) {
        prop_assert_eq!(urls::hold(&text), Ok(()));
    }
}
