//! The tie between an add-on and a config var.

/// The name under which an add-on's URL is in the config vars: `DATABASE` stands for
/// `DATABASE_URL`.
#[derive(Clone)]
pub(super) struct Attachment {
    pub(super) id: String,
    pub(super) name: String,
    /// `None` for the default credential, else `credential:NAME` or `connection-pooling:NAME`.
    pub(super) namespace: Option<String>,
    pub(super) addon_id: String,
    pub(super) created_at: String,
}

impl Attachment {
    pub(super) fn config_var(&self) -> String {
        format!("{}_URL", self.name)
    }

    /// The credential whose URL it carries.
    pub(super) fn credential(&self) -> &str {
        let named = self
            .namespace
            .as_deref()
            .and_then(|space| space.split_once(':'));
        named.map_or("default", |(_kind, name)| name)
    }

    /// Whether a user's word means this one: its name, its id or its config var, with or without
    /// `app::` before.
    pub(super) fn answers_to(&self, name: &str) -> bool {
        let name = name.rsplit("::").next().unwrap_or(name);
        self.id == name
            || self.name.eq_ignore_ascii_case(name)
            || self.config_var().eq_ignore_ascii_case(name)
    }
}

/// What a new attachment is to be.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) addon_id: String,
    pub(super) name: Option<String>,
    pub(super) namespace: Option<String>,
}
