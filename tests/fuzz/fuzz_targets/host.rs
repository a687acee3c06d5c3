//! Any text as the `Host` of a request to `--admin`, held against the laws in
//! `changeover::testing::laws::host`.
#![no_main]

use changeover::testing::laws;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Err(law) = laws::hold("host", input) {
        panic!("{law}: {:?}", String::from_utf8_lossy(input));
    }
});
