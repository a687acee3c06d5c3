//! Who the child runs as: `--user USER[:GROUP]`, looked up in the system's user database.

use std::ffi::CString;

use nix::errno::Errno;
use nix::unistd::{self, Gid, Group, Uid, User};

use super::procfs;

/// The ids that a child takes on before it becomes the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// All supplementary groups.
    pub groups: Vec<u32>,
}

/// A user, and what its programs expect to find in their environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The ids.
    pub identity: Identity,
    /// The name; of a user without an entry in the database the number.
    pub name: String,
    /// The home directory; of a user without an entry `/`.
    pub home: String,
}

/// Why nobody can run as the user of `--user`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IdentityError {
    /// A name that the user database does not have.
    #[error(
        "--user (CHANGEOVER_USER) names {0:?}, and the user database has no such name, so nothing was started: use a \
         name that `getent passwd` lists, or a number"
    )]
    NoUser(String),
    /// A name that the group database does not have.
    #[error(
        "--user (CHANGEOVER_USER) names the group {0:?}, and the group database has no such name, so nothing was \
         started: use a name that `getent group` lists, or a number"
    )]
    NoGroup(String),
    /// Only root becomes somebody else.
    #[error(
        "--user (CHANGEOVER_USER) names uid {wanted}, but changeover runs as uid {current}, which may not become \
         another user, so nothing was started: start it as root, or leave --user out"
    )]
    NotAllowed {
        /// Whom the child should run as.
        wanted: u32,
        /// Who we are.
        current: u32,
    },
    /// The database cannot be read.
    #[error(
        "the user database cannot be read ({0}), so the user of --user (CHANGEOVER_USER) is not known and nothing was \
         started: mend it, or use numbers"
    )]
    Unreadable(Errno),
}

/// Reads `user`, `user:group`, `1000` or `1000:1000`. A group that is named is the only one;
/// without it the user has all the groups that the database gives. A number that the database does
/// not have keeps the supervisor's group, as `docker run --user` does it: 0 when it is root's.
///
/// # Errors
/// When the database does not have what is named, or only root could become it.
pub fn lookup_account(text: &str) -> Result<Account, IdentityError> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let (uid, entry) = find_user(user)?;
    let (gid, groups) = match (group, &entry) {
        (Some(group), _) => {
            let gid = find_group(group)?.as_raw();
            (gid, vec![gid])
        }
        (None, Some(entry)) => {
            let name = CString::new(entry.name.as_str())
                .map_err(|_| IdentityError::NoUser(user.to_owned()))?;
            let groups = unistd::getgrouplist(&name, entry.gid);
            let groups = groups.map_err(IdentityError::Unreadable)?;
            (
                entry.gid.as_raw(),
                groups.into_iter().map(Gid::as_raw).collect(),
            )
        }
        (None, None) => groups_without_entry(uid),
    };
    let identity = Identity { uid, gid, groups };
    if !is_current(&identity) && procfs::may_change_identity() == Some(false) {
        return Err(IdentityError::NotAllowed {
            wanted: uid,
            current: Uid::current().as_raw(),
        });
    }
    let home = entry
        .as_ref()
        .map(|entry| entry.dir.to_string_lossy().into_owned());
    Ok(Account {
        identity,
        name: entry.map_or_else(|| uid.to_string(), |entry| entry.name),
        home: home
            .filter(|home| !home.is_empty())
            .unwrap_or_else(|| "/".to_owned()),
    })
}

/// The user whom we already are keeps every group.
fn groups_without_entry(uid: u32) -> (u32, Vec<u32>) {
    let gid = Gid::current().as_raw();
    let groups = if Uid::current().as_raw() == uid {
        let all = unistd::getgroups().unwrap_or_default();
        all.into_iter().map(Gid::as_raw).collect()
    } else {
        vec![gid]
    };
    (gid, groups)
}

/// Whether this process already is that user, so that nothing needs to change (and a supervisor
/// without privileges need not fail at it).
pub(super) fn is_current(identity: &Identity) -> bool {
    let mut wanted = identity.groups.clone();
    let mut have: Vec<u32> = unistd::getgroups()
        .unwrap_or_default()
        .into_iter()
        .map(Gid::as_raw)
        .collect();
    for groups in [&mut wanted, &mut have] {
        groups.retain(|gid| *gid != identity.gid);
        groups.sort_unstable();
        groups.dedup();
    }
    let uid = Uid::from_raw(identity.uid);
    let gid = Gid::from_raw(identity.gid);
    unistd::getuid() == uid
        && unistd::geteuid() == uid
        && unistd::getgid() == gid
        && unistd::getegid() == gid
        && wanted == have
}

fn find_user(text: &str) -> Result<(u32, Option<User>), IdentityError> {
    if let Some(entry) = entry(User::from_name(text))? {
        return Ok((entry.uid.as_raw(), Some(entry)));
    }
    let number = number(text).ok_or_else(|| IdentityError::NoUser(text.to_owned()))?;
    Ok((number, entry(User::from_uid(Uid::from_raw(number)))?))
}

fn find_group(text: &str) -> Result<Gid, IdentityError> {
    if let Some(entry) = entry(Group::from_name(text))? {
        return Ok(entry.gid);
    }
    let number = number(text).ok_or_else(|| IdentityError::NoGroup(text.to_owned()))?;
    Ok(Gid::from_raw(number))
}

/// An id; the highest number means "none" to the kernel.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = digits.then(|| text.parse().ok())??;
    (number != u32::MAX).then_some(number)
}

/// A database that is not there has no entries (an image without `/etc/passwd`).
fn entry<T>(found: Result<Option<T>, Errno>) -> Result<Option<T>, IdentityError> {
    match found {
        Ok(found) => Ok(found),
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ESRCH) => Ok(None),
        Err(errno) => Err(IdentityError::Unreadable(errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Anybody may run the tests: what only root can become is told as such.
    fn numbers(text: &str) -> Result<(u32, u32), IdentityError> {
        match lookup_account(text) {
            Ok(account) => Ok((account.identity.uid, account.identity.gid)),
            Err(IdentityError::NotAllowed { wanted, .. }) => Ok((wanted, 54_322)),
            Err(error) => Err(error),
        }
    }

    #[test]
    fn names_numbers_and_errors() {
        assert_eq!(numbers("54321:54322"), Ok((54_321, 54_322)));
        for nobody in ["no-such", "", "-1", "+1", "4294967295", "4294967296", "0x1"] {
            assert_eq!(numbers(nobody), Err(IdentityError::NoUser(nobody.into())));
        }
        for none in ["nope", "", "-1", "4294967295"] {
            let error = numbers(&format!("root:{none}"));
            assert_eq!(error, Err(IdentityError::NoGroup(none.into())));
        }
    }

    #[test]
    fn who_we_are_is_always_allowed() {
        let (uid, gid) = (Uid::current().as_raw(), Gid::current().as_raw());
        let account = lookup_account(&uid.to_string()).unwrap();
        assert_eq!(account.identity.uid, uid);
        if account.identity.gid == gid {
            assert!(!account.home.is_empty() && !account.name.is_empty());
        }
        assert_eq!(groups_without_entry(uid).0, gid);
    }

    #[test]
    fn a_database_that_is_not_there_has_no_entries() {
        assert_eq!(entry::<()>(Err(Errno::ENOENT)), Ok(None));
        let broken = entry::<()>(Err(Errno::EIO));
        assert_eq!(broken, Err(IdentityError::Unreadable(Errno::EIO)));
    }
}
