//! The app's history: one release for every change of its config vars.

use serde_json::{Value, json};

use super::made_up;

/// Releases beyond this many are forgotten, oldest first.
const RELEASES_MAX: usize = 1000;

/// Who makes a release.
#[derive(Clone, Copy)]
pub(super) enum Actor {
    /// The owner of the token.
    Developer,
    /// The add-on's own robot.
    Addon,
}

impl Actor {
    fn email(self) -> &'static str {
        match self {
            Self::Developer => "dev@example.com",
            Self::Addon => "heroku-postgresql@addons.heroku.com",
        }
    }
}

/// The releases of one app.
pub(super) struct Releases {
    app: Value,
    list: Vec<Value>,
    version: u64,
}

impl Releases {
    /// A new app's.
    pub(super) fn new(app_id: &str, app_name: &str) -> Self {
        let app = json!({ "id": app_id, "name": app_name });
        let mut releases = Self {
            app,
            list: Vec::new(),
            version: 0,
        };
        releases.add("Initial release", Actor::Developer);
        releases.add("Enable Logplex", Actor::Developer);
        releases
    }

    /// As the API shows them, newest last.
    pub(super) fn list(&self) -> &[Value] {
        &self.list
    }

    pub(super) fn add(&mut self, description: &str, actor: Actor) {
        self.version += 1;
        if let Some(last) = self.list.last_mut() {
            last["current"] = false.into();
        }
        if self.list.len() == RELEASES_MAX {
            self.list.remove(0);
        }
        let now = made_up::timestamp();
        self.list.push(json!({
            "id": made_up::uuid(),
            "version": self.version,
            "description": description,
            "status": "succeeded",
            "current": true,
            "app": self.app,
            "user": { "id": "01234567-89ab-cdef-0123-456789abcdef", "email": actor.email() },
            "slug": null,
            "addon_plan_names": ["heroku-postgresql:standard-0"],
            "created_at": now,
            "updated_at": now,
            "output_stream_url": null,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_grow_and_only_the_newest_release_is_current() {
        let mut releases = Releases::new("id", "myapp");
        for _ in 0..RELEASES_MAX {
            releases.add("Set FOO config vars", Actor::Developer);
        }
        let list = releases.list();
        assert_eq!(list.len(), RELEASES_MAX);
        assert_eq!(list[RELEASES_MAX - 1]["version"], 1002);
        assert_eq!(
            list.iter()
                .filter(|release| release["current"] == true)
                .count(),
            1
        );
    }
}
