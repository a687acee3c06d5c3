//! Any bytes as a webhook: a line with the secret, one with the signature, and the body, held
//! against the laws in
//! `changeover::testing::laws::webhook`.
#![no_main]

use changeover::testing::laws;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Err(law) = laws::hold("webhook", input) {
        panic!("{law}: {:?}", String::from_utf8_lossy(input));
    }
});
