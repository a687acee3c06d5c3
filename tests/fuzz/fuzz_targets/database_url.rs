//! Any text as a database URL, held against the laws in `changeover::testing::urls`:
//! `cargo fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz database_url`.
#![no_main]

use changeover::testing::urls;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(law) = urls::hold(text) {
        panic!("{law}: {text:?}");
    }
});
