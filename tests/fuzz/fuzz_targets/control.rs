//! Any bytes as a line on the control socket, held against the laws in
//! `changeover::testing::laws::control`.
#![no_main]

use changeover::testing::laws;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Err(law) = laws::hold("control", input) {
        panic!("{law}: {:?}", String::from_utf8_lossy(input));
    }
});
