//! A Heroku that runs inside the process: the Platform API and the Postgres data API on one
//! loopback port.
//!
//! The real Heroku CLI works against it (`tests/it/heroku_cli.rs` shows that), and every fault that
//! a client must survive can be switched on while it runs ([`Fault`]). It is controlled from Rust
//! through [`Simulator`], or from anywhere over HTTP:
//!
//! | call | body |
//! |---|---|
//! | `GET /simulator` | what there is |
//! | `POST /simulator/faults` | `{"fault":"503_html"}` and, if wanted, `times`, `retry_after`, `delay_ms`, `key`, `location`, `on`, `everywhere`, `then` |
//! | `GET`, `DELETE /simulator/faults` | the faults to come; none |
//! | `POST /simulator/rotate` | `{"credential":"default"}`, or nothing |
//! | `POST /simulator/promote` | `{"attachment":"HEROKU_POSTGRESQL_COBALT"}` |
//! | `POST /simulator/addon` | `{"addon":"postgresql-round-54321","plan":"heroku-postgresql:private-0","backups":[2]}` |
//! | `POST /simulator/pace` | `{"rotation_order":"config_first","rotation_delay_ms":5000,"promotion_gap_ms":300}` |
//! | `GET`, `POST /simulator/config` | the config vars; merged as `PATCH config-vars` does |
//! | `POST /simulator/config/raw` | any JSON values, and no release |
//! | `POST /simulator/token` | `{"token":"…"}`: the only one accepted from then on |
//! | `POST /simulator/rate-limit` | `{"remaining":10}` |
//! | `GET /simulator/requests` | the newest 1000 requests, and counts |
//!
//! Where it knowingly differs from Heroku: `PATCH config-vars` may overwrite an attachment's
//! variable (Heroku answers 422), webhooks are registered but nothing is ever delivered, and a 304
//! costs a call of the budget, which nobody has confirmed.

mod account;
mod app;
mod attachment;
mod change;
mod connection;
mod control;
mod data;
mod database;
mod fault;
mod gate;
mod injection;
mod made_up;
mod misbehave;
mod platform;
mod postgres;
mod problem;
mod releases;
mod server;
mod shared;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

pub use database::RotationOrder;
pub use fault::Fault;
pub use injection::Injection;
pub use shared::RequestRecord;

use account::Tokens;
use attachment::Wanted;
use change::Gap;
use problem::Problem;
use shared::Shared;

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 takes a free one. Loopback addresses only.
    pub listen: SocketAddr,
    /// The one app's name.
    pub app: String,
    /// The token that is accepted.
    pub token: String,
    /// Config vars beside those of the databases. A postgres URL for `DATABASE_URL` becomes the
    /// first database's, one for `HEROKU_POSTGRESQL_COBALT_URL` the second's.
    pub config: Vec<(String, String)>,
    /// A superuser's URL of a real server, which then gets real roles and databases.
    pub postgres: Option<String>,
}

impl Default for Options {
    /// Any free port; app `myapp`; token `HRKU-simulator`.
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            app: "myapp".to_owned(),
            token: "HRKU-simulator".to_owned(),
            config: Vec::new(),
            postgres: None,
        }
    }
}

/// A running simulator, on a thread of its own. Dropping it stops it: connections break, and what
/// it created on a real server goes.
pub struct Simulator {
    shared: Arc<Shared>,
    address: SocketAddr,
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Starts to listen, and returns when requests are answered.
    pub fn start(options: Options) -> io::Result<Self> {
        let server::Running {
            shared,
            address,
            runtime,
            stop,
            thread,
        } = server::start(options)?;
        Ok(Self {
            shared,
            address,
            runtime,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets a config var, or removes it, as `PATCH config-vars` does, with its release.
    pub fn set_config(&self, key: &str, value: Option<&str>) {
        let change: Map<_, _> = [(key.to_owned(), value.into())].into_iter().collect();
        self.shared.state().app.merge_config(&change);
    }

    /// Puts any JSON value where a config var's text should be; no release.
    pub fn set_raw(&self, key: &str, value: Value) {
        self.shared.state().app.config.insert(key.to_owned(), value);
    }

    /// The config vars as the API shows them.
    #[must_use]
    pub fn config(&self) -> Map<String, Value> {
        self.shared.state().app.config.clone()
    }

    /// One config var's text.
    #[must_use]
    pub fn config_var(&self, key: &str) -> Option<String> {
        self.shared
            .state()
            .app
            .config
            .get(key)?
            .as_str()
            .map(str::to_owned)
    }

    /// Rotates a credential (`default`, `ro_user`) of the database that is `DATABASE`. Returns
    /// after the first step; see [`Simulator::set_rotation`].
    pub fn rotate(&self, credential: &str) -> io::Result<()> {
        let (shared, credential) = (Arc::clone(&self.shared), credential.to_owned());
        self.run(async move {
            let addon = change::main_addon(&shared);
            change::rotate(&shared, &addon, Some(&credential)).await
        })
    }

    /// Makes the database behind an attachment the app's `DATABASE`. Returns while `DATABASE_URL`
    /// is missing, unless the gap ([`Simulator::set_promotion_gap`]) is zero.
    pub fn promote(&self, attachment: &str) -> io::Result<()> {
        let (shared, attachment) = (Arc::clone(&self.shared), attachment.to_owned());
        self.run(async move { change::promote(&shared, &attachment, Gap::InBackground).await })
    }

    /// Attaches an add-on under a name, in place of what has it.
    pub fn attach(&self, addon: &str, name: &str) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let (addon, name) = (addon.to_owned(), name.to_owned());
        self.run(async move {
            let addon_id = shared.state().app.database(&addon)?.id.clone();
            let wanted = Wanted {
                addon_id,
                name: Some(name),
                namespace: None,
            };
            change::attach(&shared, wanted, Gap::Awaited)
                .await
                .map(|_| ())
        })
    }

    /// Detaches what has this name; its config var goes with it.
    pub fn detach(&self, attachment: &str) -> io::Result<()> {
        let (shared, attachment) = (Arc::clone(&self.shared), attachment.to_owned());
        self.run(async move {
            let mut state = shared.state();
            let found = state.app.resolve(&attachment)?;
            let id = found.first().map(|one| one.id.clone()).unwrap_or_default();
            state.app.detach(&id).map(|_| ())
        })
    }

    /// Gives an add-on another name, or has it billed to another app.
    pub fn change_addon(&self, addon: &str, new_name: &str, billed_to: Option<&str>) {
        let mut state = self.shared.state();
        if let Ok(database) = state.app.database_mut(addon) {
            new_name.clone_into(&mut database.name);
            let id = "fedcba98-7654-3210-fedc-ba9876543210";
            database.billed_to = billed_to.map(|app| json!({ "id": id, "name": app }));
        }
    }

    /// At which hours, in UTC, an add-on is backed up; at first it is the first one's at 2.
    pub fn set_backups(&self, addon: &str, hours: &[u8]) {
        let mut state = self.shared.state();
        if let Ok(database) = state.app.database_mut(addon) {
            database.schedules = hours.to_vec();
        }
    }

    /// An add-on's plan; at first each has `heroku-postgresql:standard-0`.
    pub fn set_plan(&self, addon: &str, plan: &str) {
        let mut state = self.shared.state();
        if let Ok(database) = state.app.database_mut(addon) {
            plan.clone_into(&mut database.plan);
        }
    }

    /// Another token, accepted beside the others within its scope.
    #[must_use]
    pub fn issue_token(&self, scope: &[&str]) -> String {
        let scope = scope.iter().map(|scope| (*scope).to_owned()).collect();
        self.shared.state().tokens.issue(scope).text
    }

    /// How rotations go from now on: what comes first, and how long before the rest. At first
    /// [`RotationOrder::ConnectionsFirst`] without any delay.
    pub fn set_rotation(&self, order: RotationOrder, delay: Duration) {
        let mut state = self.shared.state();
        state.pace.order = order;
        state.pace.rotation_delay = delay;
    }

    /// How long `DATABASE_URL` is missing in a promotion; 300 ms at first.
    pub fn set_promotion_gap(&self, gap: Duration) {
        self.shared.state().pace.promotion_gap = gap;
    }

    /// Accepts this token and no other.
    pub fn set_token(&self, token: &str) {
        self.shared.state().tokens = Tokens::only(token);
    }

    /// Switches a fault on, in place of all others. A [`Fault`] lasts; see [`Injection`] for the
    /// details.
    pub fn fault(&self, fault: impl Into<Injection>) {
        self.shared.state().faults.replace(fault.into());
    }

    /// Queues a fault behind those that have their turns left.
    pub fn then_fault(&self, fault: impl Into<Injection>) {
        self.shared.state().faults.then(fault.into());
    }

    /// Switches all faults off. Requests that hang go on hanging.
    pub fn clear_faults(&self) {
        self.shared.state().faults.clear();
    }

    /// The newest requests (1000 at most), oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.state().log.records()
    }

    /// How many requests there were.
    #[must_use]
    pub fn request_count(&self) -> usize {
        self.shared.state().log.total()
    }

    /// How many requests suffered a fault.
    #[must_use]
    pub fn faulted_count(&self) -> usize {
        self.shared.state().log.faulted
    }

    /// How many calls the account has left.
    #[must_use]
    pub fn rate_limit_remaining(&self) -> u32 {
        let now = self.shared.now();
        self.shared.state().budget.remaining(now)
    }

    /// Sets how many calls the account has left; it refills from there.
    pub fn set_rate_limit_remaining(&self, calls: u32) {
        let now = self.shared.now();
        self.shared.state().budget.set(now, calls);
    }

    /// The releases' descriptions, oldest first.
    #[must_use]
    pub fn releases(&self) -> Vec<String> {
        let state = self.shared.state();
        let texts = state
            .app
            .releases
            .list()
            .iter()
            .filter_map(|release| release["description"].as_str());
        texts.map(str::to_owned).collect()
    }

    /// Runs a change on the simulator's thread and waits for it; works inside another runtime too.
    fn run(
        &self,
        change: impl Future<Output = Result<(), Problem>> + Send + 'static,
    ) -> io::Result<()> {
        let (done, result) = mpsc::channel();
        self.runtime.spawn(async move {
            // The receiver waits just below.
            let _ = done.send(change.await);
        });
        match result.recv() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(problem)) => Err(io::Error::other(problem.message().to_owned())),
            Err(_) => Err(io::Error::other("the simulator has ended")),
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Nobody listens when the thread has ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
