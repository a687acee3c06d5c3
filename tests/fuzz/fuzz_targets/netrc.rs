//! Any text as a netrc file, held against the laws in `changeover::testing::laws::netrc`.
#![no_main]

use changeover::testing::laws;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Err(law) = laws::hold("netrc", input) {
        panic!("{law}: {:?}", String::from_utf8_lossy(input));
    }
});
