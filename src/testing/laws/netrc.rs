//! What holds of netrc files, whatever is in them.

use crate::heroku::for_laws::netrc_password;

use super::{Held, law};

const OURS: &str = "api.heroku.com";
/// As long, so that only the name differs.
const ANOTHER: &str = "api.heroku.org";

/// Holds a file's text against every law.
///
/// # Errors
/// The law that is broken.
pub fn hold(text: &str) -> Held {
    let found = netrc_password(text, OURS);
    if let Some(password) = found {
        let (file, part) = (text.as_bytes().as_ptr_range(), password.as_bytes());
        let is_part = file.start <= part.as_ptr() && part.as_ptr_range().end <= file.end;
        law(is_part, "a password is a part of the file")?;
        law(text.contains(OURS), "a password is that of our machine")?;
    }
    law(
        netrc_password(&text.replace(OURS, ANOTHER), OURS).is_none(),
        "a file that does not name our machine has nothing for it",
    )?;
    beside_others(text, found)?;
    written(text)
}

/// What stands before and behind an entry does not change it.
fn beside_others(text: &str, found: Option<&str>) -> Held {
    let before = format!("machine {ANOTHER}\n  login l\n  password OTHER\n{text}");
    law(
        netrc_password(&before, OURS) == found,
        "another machine's entry changes nothing for ours",
    )?;
    let Some(password) = found else { return Ok(()) };
    // One whose quotes are not closed is as long as the file.
    if text.ends_with(password) {
        return Ok(());
    }
    let behind = format!("{text}\nmachine {OURS}\n  password LATER\n");
    law(
        netrc_password(&behind, OURS) == found,
        "the first entry of our machine wins",
    )
}

/// What the Heroku CLI writes is read, whatever the words are.
fn written(text: &str) -> Held {
    let mut words = text.split_whitespace().filter(|it| !it.starts_with('"'));
    let (Some(login), Some(password)) = (words.next(), words.next()) else {
        return Ok(());
    };
    let written = format!("machine {OURS}\n  login {login}\n  password {password}\n");
    law(
        netrc_password(&written, OURS) == Some(password),
        "what the Heroku CLI writes is read",
    )?;
    let beside = format!("machine {ANOTHER}\n  login {login}\n  password {password}\n{written}");
    law(
        netrc_password(&beside, OURS) == Some(password),
        "what the Heroku CLI writes for two machines is read",
    )?;
    let not_ours =
        format!("machine {OURS}\n  login {login}\nmachine {ANOTHER}\n  password {password}\n");
    law(
        netrc_password(&not_ours, OURS).is_none(),
        "an entry ends where the next begins",
    )
}
