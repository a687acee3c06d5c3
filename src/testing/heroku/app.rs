//! The pretend app: its config vars, add-on attachments and releases, and the rules that keep the
//! three in step.

use serde_json::{Map, Value, json};

use super::attachment::{Attachment, Wanted};
use super::database::{self, Credential, Database};
use super::made_up;
use super::problem::Problem;
use super::releases::{Actor, Releases};

/// The app and everything in it.
pub(super) struct App {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) config: Map<String, Value>,
    pub(super) databases: Vec<Database>,
    pub(super) attachments: Vec<Attachment>,
    pub(super) releases: Releases,
}

impl App {
    /// An app with two databases: the first attached as `DATABASE` and `HEROKU_POSTGRESQL_AMBER`,
    /// the second as `HEROKU_POSTGRESQL_COBALT`. `urls` are theirs; `config` is added as it is.
    pub(super) fn new(
        name: &str,
        urls: [String; 2],
        reader_url: String,
        config: &[(String, String)],
    ) -> Self {
        let id = "01234567-89ab-cdef-0123-456789abcdef";
        let mut app = Self {
            id: id.to_owned(),
            name: name.to_owned(),
            config: Map::new(),
            databases: Vec::new(),
            attachments: Vec::new(),
            releases: Releases::new(id, name),
        };
        let addons = ["postgresql-curved-12345", "postgresql-round-54321"];
        for ((number, addon), url) in (1..).zip(addons).zip(urls) {
            app.databases.push(Database {
                id: format!("5ca1ab1e-0000-4000-8000-00000000000{number}"),
                name: addon.to_owned(),
                credentials: vec![Credential::new("default", url)],
                billed_to: None,
                schedules: Vec::new(),
                plan: database::PLAN.to_owned(),
            });
        }
        app.databases[0]
            .credentials
            .push(Credential::new("ro_user", reader_url));
        app.databases[0].schedules.push(2);
        let names = [
            ("DATABASE", 0),
            ("HEROKU_POSTGRESQL_AMBER", 0),
            ("HEROKU_POSTGRESQL_COBALT", 1),
        ];
        for (number, (name, database)) in (1..).zip(names) {
            app.attachments.push(Attachment {
                id: format!("a0000000-0000-4000-8000-00000000000{number}"),
                name: name.to_owned(),
                namespace: None,
                addon_id: app.databases[database].id.clone(),
                created_at: format!("2026-01-01T12:00:0{number}Z"),
            });
            app.refresh(name);
            let addon = app.databases[database].name.clone();
            let what = format!("@ref:{addon} completed provisioning, setting {name}_URL.");
            app.releases.add(&what, Actor::Addon);
        }
        for (key, value) in config {
            app.config.insert(key.clone(), Value::from(value.as_str()));
        }
        app
    }

    /// The `{id, name}` by which other objects refer to the app.
    pub(super) fn reference(&self) -> Value {
        json!({ "id": self.id, "name": self.name })
    }

    pub(super) fn is(&self, id_or_name: &str) -> bool {
        self.id == id_or_name || self.name == id_or_name
    }

    pub(super) fn database(&self, id_or_name: &str) -> Result<&Database, Problem> {
        let found = self
            .databases
            .iter()
            .find(|database| database.is(id_or_name));
        found.ok_or_else(|| Problem::not_found("add-on"))
    }

    pub(super) fn database_mut(&mut self, id_or_name: &str) -> Result<&mut Database, Problem> {
        let found = self
            .databases
            .iter_mut()
            .find(|database| database.is(id_or_name));
        found.ok_or_else(|| Problem::not_found("add-on"))
    }

    pub(super) fn attachments_of(&self, addon_id: &str) -> Vec<&Attachment> {
        self.attachments
            .iter()
            .filter(|attachment| attachment.addon_id == addon_id)
            .collect()
    }

    /// The attachments that a name may mean: an attachment's name, id or config var, or else an
    /// add-on.
    pub(super) fn resolve(&self, name: &str) -> Result<Vec<&Attachment>, Problem> {
        let exact: Vec<_> = self
            .attachments
            .iter()
            .filter(|one| one.answers_to(name))
            .collect();
        if !exact.is_empty() {
            return Ok(exact);
        }
        let addon = self
            .database(name)
            .map_err(|_| Problem::not_found("add on attachment"))?;
        Ok(self.attachments_of(&addon.id))
    }

    pub(super) fn attachment_json(&self, attachment: &Attachment) -> Value {
        let addon = self.database(&attachment.addon_id).ok();
        let billed_to = addon.and_then(|addon| addon.billed_to.clone());
        let plan = addon.map(Database::plan);
        let addon = addon.map_or("", |addon| addon.name.as_str());
        json!({
            "id": attachment.id,
            "name": attachment.name,
            "namespace": attachment.namespace,
            "addon": {
                "id": attachment.addon_id,
                "name": addon,
                "app": billed_to.unwrap_or_else(|| self.reference()),
                "plan": plan,
            },
            "app": self.reference(),
            "config_vars": [attachment.config_var()],
            "created_at": attachment.created_at,
            "updated_at": attachment.created_at,
            "web_url": null,
            "log_input_url": null,
        })
    }

    /// Merges, as `PATCH config-vars` does: `null` removes. What changed becomes one release for
    /// what was set and one for what was removed. A postgres URL given to an attachment's variable
    /// becomes its database's own.
    pub(super) fn merge_config(&mut self, changes: &Map<String, Value>) {
        let (mut set, mut removed) = (Vec::new(), Vec::new());
        for (key, value) in changes {
            if value.is_null() {
                if self.config.remove(key).is_some() {
                    removed.push(key.as_str());
                }
            } else if self.config.insert(key.clone(), value.clone()).as_ref() != Some(value) {
                self.adopt_url(key, value);
                set.push(key.as_str());
            }
        }
        for (verb, keys) in [("Set", set), ("Remove", removed)] {
            if !keys.is_empty() {
                self.releases.add(
                    &format!("{verb} {} config vars", keys.join(", ")),
                    Actor::Developer,
                );
            }
        }
    }

    fn adopt_url(&mut self, config_var: &str, value: &Value) {
        let Some(url) = value.as_str().filter(|url| database::is_postgres_url(url)) else {
            return;
        };
        let Some(attachment) = self
            .attachments
            .iter()
            .find(|one| one.config_var() == config_var)
        else {
            return;
        };
        let (addon_id, name) = (
            attachment.addon_id.clone(),
            attachment.credential().to_owned(),
        );
        if let Ok(database) = self.database_mut(&addon_id)
            && let Some(credential) = database.credential_mut(&name)
        {
            url.clone_into(&mut credential.url);
        }
    }

    /// Writes the URL of an attachment's credential into its config var.
    fn refresh(&mut self, attachment: &str) {
        let Some(one) = self.attachments.iter().find(|one| one.name == attachment) else {
            return;
        };
        let database = self
            .databases
            .iter()
            .find(|database| database.id == one.addon_id);
        let credential = database.and_then(|database| database.credential(one.credential()));
        if let Some(credential) = credential {
            self.config
                .insert(one.config_var(), Value::from(credential.url.as_str()));
        }
    }

    /// Gives a credential another URL, and every config var that shows it: one release by the
    /// add-on.
    pub(super) fn update_credential(&mut self, addon_id: &str, name: &str, url: String) {
        let Ok(database) = self.database_mut(addon_id) else {
            return;
        };
        let Some(credential) = database.credential_mut(name) else {
            return;
        };
        credential.url = url;
        let attached = self.attachments_of(addon_id);
        let shown: Vec<_> = attached
            .into_iter()
            .filter(|one| one.credential() == name)
            .cloned()
            .collect();
        for attachment in &shown {
            self.refresh(&attachment.name);
        }
        if let Some(first) = shown.first() {
            self.releases.add(
                &format!("Update {} by heroku-postgresql", first.name),
                Actor::Addon,
            );
        }
    }

    /// Attaches under the wanted name, or one like `HEROKU_POSTGRESQL_JADE`.
    pub(super) fn attach(&mut self, wanted: &Wanted) -> Result<Attachment, Problem> {
        let addon = self.database(&wanted.addon_id)?.name.clone();
        let attachment = Attachment {
            id: made_up::uuid(),
            name: wanted.name.clone().unwrap_or_else(|| self.free_name()),
            namespace: wanted.namespace.clone(),
            addon_id: wanted.addon_id.clone(),
            created_at: made_up::timestamp(),
        };
        if self
            .database(&wanted.addon_id)?
            .credential(attachment.credential())
            .is_none()
        {
            return Err(Problem::not_found("credential"));
        }
        self.attachments.push(attachment.clone());
        self.refresh(&attachment.name);
        self.releases.add(
            &format!("Attach {} (@ref:{addon})", attachment.name),
            Actor::Developer,
        );
        Ok(attachment)
    }

    fn free_name(&self) -> String {
        let colors = [
            "JADE", "ONYX", "PINK", "RED", "ROSE", "TEAL", "WHITE", "YELLOW", "BLUE", "GRAY",
        ];
        let names = colors
            .iter()
            .map(|color| format!("HEROKU_POSTGRESQL_{color}"));
        let taken = |name: &String| self.attachments.iter().any(|one| &one.name == name);
        let free = names.into_iter().find(|name| !taken(name));
        free.unwrap_or_else(|| format!("HEROKU_POSTGRESQL_{}", self.attachments.len()))
    }

    /// Detaches by id; its config var goes with it.
    pub(super) fn detach(&mut self, id: &str) -> Result<Attachment, Problem> {
        let index = self.attachments.iter().position(|one| one.id == id);
        let index = index.ok_or_else(|| Problem::not_found("add on attachment"))?;
        let attachment = self.attachments.remove(index);
        self.config.remove(&attachment.config_var());
        let addon = self
            .database(&attachment.addon_id)
            .map_or("", |addon| addon.name.as_str());
        let what = format!("Detach {} (@ref:{addon})", attachment.name);
        self.releases.add(&what, Actor::Developer);
        Ok(attachment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> App {
        let urls = [database::made_up_url(1), database::made_up_url(2)];
        App::new("myapp", urls, database::made_up_url(1), &[])
    }

    fn last(app: &App) -> &str {
        app.releases.list().last().unwrap()["description"]
            .as_str()
            .unwrap()
    }

    #[test]
    fn every_attachment_has_its_config_var() {
        let app = app();
        let keys: Vec<_> = app.config.keys().map(String::as_str).collect();
        let expected = [
            "DATABASE_URL",
            "HEROKU_POSTGRESQL_AMBER_URL",
            "HEROKU_POSTGRESQL_COBALT_URL",
        ];
        assert_eq!(keys, expected);
        assert_eq!(
            app.config["DATABASE_URL"],
            app.config["HEROKU_POSTGRESQL_AMBER_URL"]
        );
    }

    #[test]
    fn a_merge_makes_a_release_only_when_something_changed() {
        let mut app = app();
        let before = app.releases.list().len();
        let change: Map<_, _> = [("FOO".to_owned(), json!("1"))].into_iter().collect();
        app.merge_config(&change);
        assert_eq!(
            (app.releases.list().len(), last(&app)),
            (before + 1, "Set FOO config vars")
        );
        app.merge_config(&change);
        assert_eq!(app.releases.list().len(), before + 1);
        let removal: Map<_, _> = [("FOO".to_owned(), Value::Null)].into_iter().collect();
        app.merge_config(&removal);
        assert_eq!(last(&app), "Remove FOO config vars");
        assert!(!app.config.contains_key("FOO"));
    }

    #[test]
    fn an_updated_credential_shows_in_each_of_its_config_vars() {
        let mut app = app();
        let id = app.databases[0].id.clone();
        app.update_credential(&id, "default", "postgres://u:new@h/d".to_owned());
        assert_eq!(app.config["DATABASE_URL"], "postgres://u:new@h/d");
        assert_eq!(
            app.config["HEROKU_POSTGRESQL_AMBER_URL"],
            "postgres://u:new@h/d"
        );
        assert_eq!(last(&app), "Update DATABASE by heroku-postgresql");
    }

    #[test]
    fn detaching_takes_the_config_var_away_and_attaching_brings_the_other_database_s() {
        let mut app = app();
        let id = app.attachments[0].id.clone();
        app.detach(&id).unwrap();
        assert_eq!(last(&app), "Detach DATABASE (@ref:postgresql-curved-12345)");
        assert!(!app.config.contains_key("DATABASE_URL"));
        let addon_id = app.databases[1].id.clone();
        app.attach(&Wanted {
            addon_id,
            name: Some("DATABASE".into()),
            namespace: None,
        })
        .unwrap();
        assert_eq!(last(&app), "Attach DATABASE (@ref:postgresql-round-54321)");
        assert_eq!(
            app.config["DATABASE_URL"],
            app.config["HEROKU_POSTGRESQL_COBALT_URL"]
        );
    }

    #[test]
    fn a_name_resolves_as_attachment_config_var_or_add_on() {
        let app = app();
        for name in [
            "DATABASE",
            "DATABASE_URL",
            "database_url",
            "myapp::DATABASE",
        ] {
            assert_eq!(app.resolve(name).unwrap()[0].name, "DATABASE", "{name}");
        }
        assert_eq!(app.resolve("postgresql-curved-12345").unwrap().len(), 2);
        assert!(app.resolve("NOPE").is_err());
    }
}
