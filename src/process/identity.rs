//! Who the child runs as: `--user USER[:GROUP]`, looked up in the system's user database.

use std::ffi::CString;

use nix::errno::Errno;
use nix::unistd::{self, Gid, Uid};

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

/// Why `--user` names nobody.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IdentityError {
    /// A name that the user database does not have.
    #[error("there is no user {0:?}: use a name or number from the user database (getent passwd)")]
    NoUser(String),
    /// A name that the group database does not have.
    #[error("there is no group {0:?}: use a name or number from the group database (getent group)")]
    NoGroup(String),
    /// A number without an entry has no primary group.
    #[error(
        "uid {0} is not in the user database, so its group is not known: name one, as in {0}:{0}"
    )]
    GroupUnknown(u32),
    /// The database cannot be read.
    #[error("the user database cannot be read: {0}")]
    Unreadable(Errno),
}

/// Reads `user`, `user:group`, `1000` or `1000:1000`. A group that is named is the only one;
/// without it the user has all the groups that the database gives.
///
/// # Errors
/// When the database does not have what is named.
pub fn lookup_identity(text: &str) -> Result<Identity, IdentityError> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let (uid, entry) = find_user(user)?;
    if let Some(group) = group {
        let gid = find_group(group)?.as_raw();
        return Ok(Identity {
            uid,
            gid,
            groups: vec![gid],
        });
    }
    let entry = entry.ok_or(IdentityError::GroupUnknown(uid))?;
    let name = CString::new(entry.name).map_err(|_| IdentityError::NoUser(user.to_owned()))?;
    let groups = unistd::getgrouplist(&name, entry.gid).map_err(IdentityError::Unreadable)?;
    Ok(Identity {
        uid,
        gid: entry.gid.as_raw(),
        groups: groups.into_iter().map(Gid::as_raw).collect(),
    })
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

fn find_user(text: &str) -> Result<(u32, Option<unistd::User>), IdentityError> {
    let named = unistd::User::from_name(text).map_err(IdentityError::Unreadable)?;
    if let Some(entry) = named {
        return Ok((entry.uid.as_raw(), Some(entry)));
    }
    let number: u32 = text
        .parse()
        .map_err(|_| IdentityError::NoUser(text.to_owned()))?;
    let entry = unistd::User::from_uid(Uid::from_raw(number)).map_err(IdentityError::Unreadable)?;
    Ok((number, entry))
}

fn find_group(text: &str) -> Result<Gid, IdentityError> {
    let named = unistd::Group::from_name(text).map_err(IdentityError::Unreadable)?;
    if let Some(entry) = named {
        return Ok(entry.gid);
    }
    let number: u32 = text
        .parse()
        .map_err(|_| IdentityError::NoGroup(text.to_owned()))?;
    Ok(Gid::from_raw(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_numbers_and_errors() {
        let root = lookup_identity("root").unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        let numbers = Identity {
            uid: 54_321,
            gid: 54_322,
            groups: vec![54_322],
        };
        assert_eq!(lookup_identity("54321:54322"), Ok(numbers));
        assert_eq!(
            lookup_identity("54321"),
            Err(IdentityError::GroupUnknown(54_321))
        );
        assert_eq!(
            lookup_identity("no-such"),
            Err(IdentityError::NoUser("no-such".into()))
        );
        assert_eq!(
            lookup_identity("root:nope"),
            Err(IdentityError::NoGroup("nope".into()))
        );
        assert_eq!(
            lookup_identity(""),
            Err(IdentityError::NoUser(String::new()))
        );
    }
}
