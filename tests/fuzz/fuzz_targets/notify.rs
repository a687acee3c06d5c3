//! Any bytes as a datagram to `NOTIFY_SOCKET`, held against the laws in
//! `changeover::testing::laws::notify`.
#![no_main]

use changeover::testing::laws;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Err(law) = laws::hold("notify", input) {
        panic!("{law}: {:?}", String::from_utf8_lossy(input));
    }
});
