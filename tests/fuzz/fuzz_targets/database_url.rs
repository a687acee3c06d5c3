//! Any text as a database URL, held against the laws in `changeover::testing::laws::database_url`.
#![no_main]

use changeover::testing::laws;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Err(law) = laws::hold("database_url", input) {
        panic!("{law}: {:?}", String::from_utf8_lossy(input));
    }
});
