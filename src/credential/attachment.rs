//! What `--database` follows: an add-on or an attachment, found among the attachments of an app,
//! and found again after it was renamed or attached anew.
//!
//! Heroku's lists of attachments cost a call each, so this says when one is needed, too: as long as
//! a database's config var shows what it showed, nothing was attached elsewhere that matters.

use std::collections::BTreeMap;

use super::RawValue;

/// One answer of the config-vars endpoint, before it is judged.
pub type RawValues = BTreeMap<String, RawValue>;

/// Every so many full answers in which nothing changed, the attachments are looked at all the same.
const LOOK_EVERY: u32 = 10;

/// The attachment's name that stands for the app's promoted database.
pub const PROMOTED: &str = "DATABASE";

/// The tie between an add-on and an app's config var, as Heroku lists it for the app: the add-on
/// may be billed to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its own id; another one after it was detached and attached again.
    pub id: String,
    /// `DATABASE`, `HEROKU_POSTGRESQL_VIOLET`.
    pub name: String,
    /// `None` for the default credential; `credential:NAME`, `connection-pooling:NAME`.
    pub namespace: Option<String>,
    /// When it was attached, in a form that sorts by time.
    pub created_at: String,
    /// The add-on's id, which no renaming changes.
    pub addon_id: String,
    /// The add-on's name: `postgresql-round-12345`.
    pub addon: String,
}

impl Attachment {
    /// The config var that it fills.
    #[must_use]
    pub fn config_var(&self) -> String {
        format!("{}_URL", self.name)
    }

    /// Whether a user's word means this attachment itself: its name, or its config var.
    fn is_called(&self, name: &str) -> bool {
        let is = |name: &str| self.name.eq_ignore_ascii_case(name);
        is(name) || name.strip_suffix("_URL").is_some_and(is)
    }
}

/// `--database NAME[=AS]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// An add-on's or an attachment's name. The core knows the value under it, whatever config var
    /// it is found in.
    pub name: String,
    /// The name in the child's environment.
    pub export_as: String,
}

/// Where each followed database is found, and what was read there last. `Debug` shows no value.
#[derive(Clone, Debug, Default)]
pub struct Following {
    places: BTreeMap<String, Place>,
    unchanged: u32,
}

#[derive(Clone, Debug)]
enum Place {
    /// The attachments were not looked at yet, or have none of the name.
    Nowhere,
    /// It is the value of this config var.
    At {
        config_var: String,
        identity: Identity,
        value: Option<RawValue>,
    },
}

/// What a name means, once it was found: so that it is found again under another one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Identity {
    /// The attachment of this id.
    Attachment(String),
    /// Any attachment of the add-on with this id.
    Addon(String),
}

/// What a look at the attachments came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The config vars that were read before it can be believed.
    Settled,
    /// An add-on is found in another config var than before, and may have been attached there
    /// between the two answers: the config vars are to be read again.
    Moved,
}

impl Following {
    /// Knows the names, and not yet what they mean.
    #[must_use]
    pub fn new(databases: &[Followed]) -> Self {
        let names = databases.iter().map(|database| database.name.clone());
        Self {
            places: names.map(|name| (name, Place::Nowhere)).collect(),
            unchanged: 0,
        }
    }

    /// Whether the attachments must be looked at before this answer can be believed: a database is
    /// in no known place, or something else is there than was last read; and now and then when the
    /// answer is a full one (`full`: it could not have been a 304).
    #[must_use]
    pub fn must_look(&self, answer: &RawValues, full: bool) -> bool {
        let is_new = |place: &Place| match place {
            Place::Nowhere => true,
            Place::At {
                config_var, value, ..
            } => {
                let found = answer.get(config_var);
                found.is_none() || found != value.as_ref()
            }
        };
        let due = full && self.unchanged + 1 >= LOOK_EVERY;
        !self.places.is_empty() && (due || self.places.values().any(is_new))
    }

    /// Finds every database among the app's attachments, and reads its value in an answer that is
    /// older than they are.
    pub fn look(&mut self, attachments: &[Attachment], answer: &RawValues) -> Look {
        self.unchanged = 0;
        let mut look = Look::Settled;
        for (name, place) in &mut self.places {
            let Some((found, identity)) = find(name, place, attachments) else {
                // What it was is remembered: it may come back under another name.
                if let Place::At { value, .. } = place {
                    *value = None;
                }
                continue;
            };
            let config_var = found.config_var();
            let moved = !matches!(place, Place::At { config_var: old, .. } if *old == config_var);
            // An attachment that is meant by its name is in no other config var, whenever it came.
            if moved && matches!(identity, Identity::Addon(_)) {
                look = Look::Moved;
            }
            *place = Place::At {
                value: answer.get(&config_var).cloned(),
                config_var,
                identity,
            };
        }
        look
    }

    /// Takes note of an answer for which no look was needed; `full` as in [`Self::must_look`].
    pub fn note(&mut self, full: bool) {
        self.unchanged += u32::from(full);
    }

    /// The config var that a database was last found in, if it was there.
    #[must_use]
    pub fn config_var(&self, name: &str) -> Option<&str> {
        match self.places.get(name)? {
            Place::At {
                config_var,
                value: Some(_),
                ..
            } => Some(config_var),
            Place::At { value: None, .. } | Place::Nowhere => None,
        }
    }

    /// The databases that no look has found yet.
    pub fn never_found(&self) -> impl Iterator<Item = &str> {
        self.places.iter().filter_map(|(name, place)| match place {
            Place::Nowhere => Some(name.as_str()),
            Place::At { .. } => None,
        })
    }
}

/// The attachment that a name means, and what that makes of the name.
fn find<'a>(
    name: &str,
    before: &Place,
    attachments: &'a [Attachment],
) -> Option<(&'a Attachment, Identity)> {
    if let Some(found) = attachments.iter().find(|one| one.is_called(name)) {
        return Some((found, Identity::Attachment(found.id.clone())));
    }
    let as_addon = |found: &'a Attachment| (found, Identity::Addon(found.addon_id.clone()));
    if let Some(found) = oldest(attachments, |one| one.addon == name) {
        return Some(as_addon(found));
    }
    match before {
        Place::Nowhere => None,
        Place::At { identity, .. } => match identity {
            Identity::Attachment(id) => {
                let found = attachments.iter().find(|one| one.id == *id)?;
                Some((found, identity.clone()))
            }
            Identity::Addon(id) => oldest(attachments, |one| one.addon_id == *id).map(as_addon),
        },
    }
}

/// The attachment that a watched variable's name, or a followed database's, means now.
#[must_use]
pub fn behind<'a>(name: &str, attachments: &'a [Attachment]) -> Option<&'a Attachment> {
    find(name, &Place::Nowhere, attachments).map(|(found, _)| found)
}

/// Of an add-on's attachments, which all show the same value, the oldest is the least likely to
/// have been another add-on's a moment ago: a promotion attaches `DATABASE` anew. One with a
/// namespace shows another credential, and is meant only by its own name.
fn oldest(attachments: &[Attachment], is_one: impl Fn(&Attachment) -> bool) -> Option<&Attachment> {
    let fitting = attachments
        .iter()
        .filter(|one| one.namespace.is_none() && is_one(one));
    fitting.min_by(|a, b| a.created_at.cmp(&b.created_at))
}

/// The attachments for people: `DATABASE and HEROKU_POSTGRESQL_AMBER (postgresql-curved-12345), …`.
#[must_use]
pub fn listed(attachments: &[Attachment]) -> String {
    const ADDONS_MAX: usize = 10;
    let mut addons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in attachments {
        addons.entry(&one.addon).or_default().push(&one.name);
    }
    if addons.is_empty() {
        return "nothing attached".to_owned();
    }
    let told = addons.iter().take(ADDONS_MAX);
    let told = told.map(|(addon, names)| format!("{addon} as {}", names.join(" and ")));
    let mut told: Vec<_> = told.collect();
    if addons.len() > ADDONS_MAX {
        told.push(format!("{} more", addons.len() - ADDONS_MAX));
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::Secret;

    fn attachment(number: u32, name: &str, addon: &str) -> Attachment {
        Attachment {
            id: format!("id-{number}"),
            name: name.to_owned(),
            namespace: None,
            created_at: format!("2026-01-01T12:00:{number:02}Z"),
            addon_id: format!("id-of-{addon}"),
            addon: addon.to_owned(),
        }
    }

    fn answer(values: &[(&str, &str)]) -> RawValues {
        let one = |(name, value): &(&str, &str)| {
            ((*name).to_owned(), RawValue::Text(Secret::from(*value)))
        };
        values.iter().map(one).collect()
    }

    fn following(name: &str) -> Following {
        Following::new(&[Followed {
            name: name.to_owned(),
            export_as: "DATABASE_URL".to_owned(),
        }])
    }

    /// `DATABASE` and `AMBER` of the old database, `COBALT` of the new one.
    fn before() -> (Vec<Attachment>, RawValues) {
        let attachments = vec![
            attachment(2, "DATABASE", "old"),
            attachment(1, "AMBER", "old"),
            attachment(3, "COBALT", "new"),
        ];
        let answer = answer(&[
            ("DATABASE_URL", "o"),
            ("AMBER_URL", "o"),
            ("COBALT_URL", "n"),
        ]);
        (attachments, answer)
    }

    /// The new one is promoted.
    fn promoted() -> (Vec<Attachment>, RawValues) {
        let (mut attachments, mut values) = before();
        attachments[0] = attachment(9, "DATABASE", "new");
        values.extend(answer(&[("DATABASE_URL", "n")]));
        (attachments, values)
    }

    #[test]
    fn a_name_is_an_attachment_its_config_var_or_an_add_on() {
        let (attachments, values) = before();
        for (name, config_var, look) in [
            ("DATABASE", "DATABASE_URL", Look::Settled),
            ("DATABASE_URL", "DATABASE_URL", Look::Settled),
            ("cobalt", "COBALT_URL", Look::Settled),
            ("new", "COBALT_URL", Look::Moved),
            ("old", "AMBER_URL", Look::Moved),
        ] {
            let mut following = following(name);
            assert!(following.must_look(&values, false), "{name}");
            assert_eq!(following.look(&attachments, &values), look, "{name}");
            assert_eq!(following.config_var(name), Some(config_var), "{name}");
            assert!(!following.must_look(&values, false), "{name}");
            assert_eq!(following.never_found().count(), 0);
        }
        let mut nobody = following("nobody");
        assert_eq!(nobody.look(&attachments, &values), Look::Settled);
        assert_eq!(nobody.config_var("nobody"), None);
        assert!(nobody.must_look(&values, false));
        assert_eq!(nobody.never_found().collect::<Vec<_>>(), ["nobody"]);
    }

    #[test]
    fn another_credential_of_an_add_on_is_meant_only_by_its_own_name() {
        let mut reader = attachment(1, "READER", "old");
        reader.namespace = Some("credential:ro".to_owned());
        let attachments = [reader, attachment(2, "DATABASE", "old")];
        let values = answer(&[("READER_URL", "r"), ("DATABASE_URL", "o")]);
        for (name, config_var) in [("old", "DATABASE_URL"), ("READER", "READER_URL")] {
            let mut following = following(name);
            following.look(&attachments, &values);
            assert_eq!(following.config_var(name), Some(config_var));
        }
        let mut alone = following("old");
        alone.look(&attachments[..1], &values);
        assert_eq!(alone.config_var("old"), None);
    }

    #[test]
    fn a_promotion_moves_the_name_database_and_not_the_add_on() {
        let (attachments, values) = before();
        let (later, promoted) = promoted();
        let mut by_name = following("DATABASE");
        by_name.look(&attachments, &values);
        assert!(by_name.must_look(&promoted, false));
        assert_eq!(by_name.look(&later, &promoted), Look::Settled);
        assert_eq!(by_name.config_var("DATABASE"), Some("DATABASE_URL"));

        let mut by_addon = following("old");
        by_addon.look(&attachments[..1], &values);
        assert_eq!(by_addon.config_var("old"), Some("DATABASE_URL"));
        assert!(by_addon.must_look(&promoted, false));
        assert_eq!(by_addon.look(&later, &promoted), Look::Moved);
        assert_eq!(by_addon.config_var("old"), Some("AMBER_URL"));
        assert!(!by_addon.must_look(&promoted, false));
    }

    #[test]
    fn what_was_found_once_is_found_under_another_name() {
        let (attachments, values) = before();
        let mut by_addon = following("old");
        by_addon.look(&attachments, &values);
        let mut renamed = attachments.clone();
        renamed[1].addon = "main-db".to_owned();
        renamed[0].addon = "main-db".to_owned();
        assert_eq!(by_addon.look(&renamed, &values), Look::Settled);
        assert_eq!(by_addon.config_var("old"), Some("AMBER_URL"));

        let mut by_name = following("COBALT");
        by_name.look(&attachments, &values);
        let mut renamed = attachments;
        renamed[2].name = "JADE".to_owned();
        let values = answer(&[("JADE_URL", "n")]);
        assert!(by_name.must_look(&values, false));
        by_name.look(&renamed, &values);
        assert_eq!(by_name.config_var("COBALT"), Some("JADE_URL"));
    }

    #[test]
    fn what_is_detached_is_nowhere_until_it_comes_back() {
        let (attachments, values) = before();
        let mut following = following("COBALT");
        following.look(&attachments, &values);
        let gone = answer(&[("AMBER_URL", "o")]);
        assert!(following.must_look(&gone, false));
        following.look(&attachments[..2], &gone);
        assert_eq!(following.config_var("COBALT"), None);
        assert!(following.must_look(&gone, false));
        following.look(&attachments, &values);
        assert_eq!(following.config_var("COBALT"), Some("COBALT_URL"));
        assert!(!following.must_look(&values, false));
    }

    #[test]
    fn one_full_answer_in_ten_is_a_reason_by_itself() {
        let (attachments, values) = before();
        let mut following = following("DATABASE");
        following.look(&attachments, &values);
        for round in 1..LOOK_EVERY {
            assert!(!following.must_look(&values, true), "{round}");
            following.note(true);
            following.note(false);
        }
        assert!(following.must_look(&values, true));
        assert!(!following.must_look(&values, false));
        following.look(&attachments, &values);
        assert!(!following.must_look(&values, true));
        assert!(!Following::new(&[]).must_look(&values, true));
    }

    #[test]
    fn people_see_what_there_is() {
        let (attachments, _) = before();
        assert_eq!(
            listed(&attachments),
            "new as COBALT, old as DATABASE and AMBER"
        );
        assert_eq!(listed(&[]), "nothing attached");
        let many: Vec<_> = (0..12)
            .map(|number| attachment(number, "X", &format!("addon-{number:02}")))
            .collect();
        assert!(listed(&many).ends_with("addon-09 as X, 2 more"));
    }
}
