//! Database URLs that nobody thought of, made up at random and held against the laws in
//! `changeover::testing::laws::database_url`.

use changeover::credential::DatabaseUrl;
use changeover::testing::laws::database_url::hold;
use proptest::prelude::*;

use crate::support::pieces::PIECES;

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
        prop_assert_eq!(hold(&text), Ok(()));
    }

    #[test]
    fn any_text_behind_the_scheme(text in any::<String>()) {
        prop_assert_eq!(hold(&format!("postgresql://{text}")), Ok(()));
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
        prop_assert_eq!(hold(&text), Ok(()));
    }
}
