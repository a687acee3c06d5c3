//! Any bytes as an answer of Heroku's, held against the laws in
//! `changeover::testing::laws::config_vars`.
#![no_main]

use changeover::testing::laws;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Err(law) = laws::hold("config_vars", input) {
        panic!("{law}: {:?}", String::from_utf8_lossy(input));
    }
});
