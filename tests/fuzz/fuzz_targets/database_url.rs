//! Any text as a database URL, held against the laws in `changeover::testing::urls`:
//! `cargo fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz database_url` with a nightly
//! toolchain; on stable with `RUSTC_BOOTSTRAP=1` before it and `--sanitizer none` in it.
#![no_main]

use changeover::testing::urls;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(law) = urls::hold(text) {
        panic!("{law}: {text:?}");
    }
});
