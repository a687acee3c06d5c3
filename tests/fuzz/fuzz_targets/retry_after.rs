//! Any text as `Retry-After`, with the answer's `Date` on a line of its own, held against the laws
//! in
//! `changeover::testing::laws::retry_after`.
#![no_main]

use changeover::testing::laws;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Err(law) = laws::hold("retry_after", input) {
        panic!("{law}: {:?}", String::from_utf8_lossy(input));
    }
});
