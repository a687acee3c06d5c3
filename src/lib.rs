//! changeover runs a program with credentials fetched from Heroku, and keeps it running with
//! credentials that work: it starts the child with a fresh `DATABASE_URL`, watches the Platform
//! API, and when the credential changes it stops the child gracefully and starts it again with the
//! new environment.
//!
//! This page is the architecture. Read it once; then `ls src` is the map.
//!
//! # Bird's eye
//!
//! ```text
//!  Heroku API ──poll──┐                                     ┌── prepare, spawn, signal, sweep
//!  child exited ──────┤        ┌───────────────────┐        │
//!  signals ───────────┼─Event─▶│    supervisor     │─Action─┼── fetch (Heroku)   log in (Postgres)
//!  logins, webhooks ──┤        │ (pure: decides)   │        │
//!  the deadline ──────┘        └───────────────────┘        └── announce, exit
//!                                now ▲   ▼ deadline()
//! ```
//!
//! Everything that happens is an [`Event`](supervisor::event::Event); everything the program can do
//! is an [`Action`](supervisor::action::Action). [`Supervisor::step`](supervisor::Supervisor::step)
//! turns one into the other, given `now`. The [`runtime`] loop waits for one event, steps, does
//! what it is told, and sleeps until [`deadline`](supervisor::Supervisor::deadline). Two machines
//! live side by side in the core: `change` decides *what the child should run with* (debounce,
//! confirmation, splay), `service` decides *what runs* (one instance at a time; two, while a
//! start-first change is under way); `watch` decides when to fetch, `connection` which database is
//! watched through a connection of its own.
//!
//! # Code map
//!
//! | room | what happens there |
//! |---|---|
//! | `main.rs` | parse, telemetry, config, run, exit code; no logic |
//! | [`cli`] → [`config`] | what was typed → what it means: the only place with defaults and cross-checks |
//! | [`exit_code`] | every exit code, documented |
//! | [`credential`] | WHAT is watched: secrets, snapshots, postgres URLs, the environment. Pure |
//! | [`supervisor`] | DECIDES. Pure, std only |
//! | [`heroku`] | FETCHES: the client and the token's sources; receives webhooks. reqwest lives only here |
//! | [`postgres`] | LOGS IN. tokio-postgres lives only here |
//! | [`process`] | The OPERATING SYSTEM: spawn, reap, sweep. libc lives only here, nix here and in `store`, `unsafe` only in `spawn.rs` |
//! | [`readiness`] | ASKS the child whether it serves: a connection, a page |
//! | [`store`] | WRITES files: the env file, the encrypted cache. What is written is whole, and where nobody else can replace it |
//! | [`accept`] | ACCEPTS connections, for those who listen: `admin` and `heroku` |
//! | [`admin`] | SHOWS: the control socket, HTTP, metrics. Reads what the core says of itself, hands commands in |
//! | [`runtime`] | CONNECTS: the loop that calls `step`; `executor.rs` has one arm per action |
//! | [`commands`] | `exec`, `env`, `check`, and what is printed: what is not supervising |
//! | [`guide`] | for users: a page for each place where changeover is used, and what happens when |
//! | `testing` | the two simulators: a Heroku to talk to, and the world around the core, with what one makes of the other's faults (`seen.rs`); what holds of any text from outside (`laws`); a web server that drains, and load for it (feature `testing`, never in the installed binary) |
//!
//! The core, file by file:
//!
//! | `supervisor/` | what it decides |
//! |---|---|
//! | `mod.rs`, `turn.rs` | `step`: which machine gets an event, what the machines want of each other; what a turn lends them |
//! | `event.rs`, `action.rs`, `notice.rs` | what comes in, what goes out, what people are told |
//! | `config.rs`, `readiness.rs`, `signal.rs`, `time.rs`, `id.rs`, `rng.rs` | the words it speaks: wishes, readiness, signals, times, ids; its own random numbers |
//! | `status.rs`, `overview.rs` | what it is doing, by name; and with its numbers, for who looks |
//! | `report.rs` | what a service manager is told |
//! | `command.rs`, `obey.rs`, `hold.rs` | what can be asked of it; what that does; what a person holds back |
//! | `watch.rs`, `series.rs`, `api.rs` | when Heroku is asked (in bursts: `watch/burst.rs`; because somebody asks for it: `watch/refresh.rs`); for a webhook; what is told of an API that fails |
//! | `connection.rs`, `failover.rs` | the watched connection: when it is there, what its loss is; what a proven failover does |
//! | `change.rs` | from a first difference to a desired revision |
//! | `phase.rs` | the states of what runs; `service.rs`: what each event does to them |
//! | `transition.rs` | the ways from one phase to the next |
//! | `start.rs`, `launch.rs` | the wait for the first answer, and what there is without one; a child that is asked for and does not live yet |
//! | `source.rs`, `keeper.rs` | whether Heroku has said what is run with; when the last good values are put into the cache |
//! | `overlap.rs` | two children at once (`--order start-first`) |
//! | `tell.rs` | a change that a child is only told of (`--on-change signal:SIG`) |
//! | `orders.rs` | what a signal to the supervisor does |
//! | `ends.rs`, `inquiry.rs`, `crash.rs` | what a child's end means; what is asked about a failure; `--restart` |
//! | `instance.rs` | one process from its start to its empty tree: the stop sequence, the sweep |
//! | `instance/startup.rs`, `leftovers.rs`, `alive.rs`, `fate.rs` | its readiness and watchdog; what it leaves; who is still alive; why it is to be replaced |
//!
//! The other rooms, as far as their names do not tell:
//!
//! | file | what happens there |
//! |---|---|
//! | `runtime/children.rs`, `probes.rs` | the processes behind the core's instances; what they say of their readiness |
//! | `runtime/signals.rs`, `process/queue.rs` | signals with their senders: those that are handled, those that are queued |
//! | `runtime/clock.rs` | the only clock |
//! | `runtime/audience.rs`, `process/manager.rs` | who is told what happens: the log, and systemd in its protocol |
//! | `runtime/cache.rs` | the cache with its key, and as old as the clock on the wall says |
//! | `runtime/webhooks.rs` | what a webhook is to the core, and what people are told of it |
//! | `runtime/telemetry/lines.rs`, `wording/` | how a line looks; what it says |
//! | `process/spawn.rs`, `program.rs`, `identity.rs` | the start of a child; what is found before it; as which user |
//! | `process/reaper.rs`, `tree.rs`, `procfs.rs`, `group.rs` | ends; who belongs to an instance, and how that is read; what is left to know where `/proc` is missing |
//! | `process/notify.rs`, `ready_pipe.rs` | `NOTIFY_SOCKET`, and the descriptor of `--ready fd:N` |
//! | `process/listeners.rs`, `terminal.rs`, `stderr.rs`, `timer.rs` | sockets to pass on; the terminal's state; log lines that never block; a timer that counts sleep |
//! | `heroku/client.rs`, `questions.rs` | one request and its end; which requests make one answer |
//! | `heroku/addon.rs` | what only `check` asks: an add-on's plan and backups |
//! | `store/directory.rs`, `place.rs` | where a file may lie; what may be there before it |
//! | `store/cache/sealed.rs` | the format of the cache, and its encryption |
//! | `heroku/webhook.rs`, `webhook/` | who is believed, and what is answered |
//! | `heroku/token.rs`, `token_file.rs`, `netrc.rs`, `command.rs` | where a token comes from |
//! | `postgres/settings.rs` | a URL in `tokio-postgres`'s words |
//! | `postgres/connection_watch.rs` | one idle connection: when it is lost, who answers |
//! | `postgres/obstacle.rs` | why a login says nothing about its credential, told apart |
//! | `postgres/inspection.rs`, `route.rs` | a look at a server step by step, for `check`: its name, its port, its TLS, what it says of itself |
//! | `commands/check/` | who is asked (`mod.rs`), what each answer means (`platform.rs`, `variable.rs`, `server.rs`), and how that looks (`text.rs`, `json.rs`) |
//! | `commands/first.rs`, `parts.rs` | the start alone, for commands that supervise nothing; what they share |
//! | `config/given.rs`, `groups.rs`, `words.rs` | what was given and where; each group of options; each value's syntax |
//! | `admin/control.rs`, `protocol.rs` | who is heard on the control socket; what is said there |
//! | `admin/http.rs`, `metrics.rs` | health checks and metrics over HTTP |
//! | `admin/view.rs`, `tally.rs` | what is shown, in version 1 of its JSON; what has happened so far, in numbers |
//! | `runtime/hooks.rs`, `telemetry/facts.rs` | a person's program is run for what matters; a fact as a machine reads it |
//! | `runtime/replies.rs` | who waits for the core's answer to a command |
//! | `commands/talk.rs`, `config/control.rs` | the other end: who is meant, and what they are asked |
//! | `config/shown.rs` | each option with its value and its place, for `--print-config` |
//! | `commands/documents.rs` | the manual page and the completions |
//! | `build.rs` | which build this is: cargo runs it before it compiles the rest |
//!
//! Who may import whom is a test: `tests/tidy.rs` holds the table, and its failures say where a
//! thing belongs instead. Shells never import each other: an arrow between two of them becomes an
//! event and an action.
//!
//! # Invariants
//!
//! **The child never suffers from the watcher.** No answer of the API, no outage and no bad value
//! is an input of any transition that stops a child: `service` is told of failed fetches only to
//! end a wait for a first answer or an inquiry after the child's own end.
//!
//! **Only a value that differs is a change.** ETags, releases and other variables are deliberately
//! absent from `supervisor/change.rs`. Missing, empty, null and malformed values keep the last good
//! one.
//!
//! **Nothing is stopped before its successor is known to be startable.** The environment is built
//! and the program found (`Action::Prepare`) before the stop signal goes out. So is the env file
//! written before the signal that tells of a change. It is also why the
//! dead time is short.
//!
//! **A late answer is never taken for its successor's.** Every process, fetch and login has an id;
//! stale ones are dropped in one place each.
//!
//! **Nothing that decides sleeps.** There is one wait, in the loop, until `deadline()`, which is
//! computed from what the states hold.
//!
//! **A secret has no way out.** [`Secret`](credential::Secret) has no `Display` and a `Debug` of
//! stars; notices carry names and kinds, never values; the process is not dumpable.
//!
//! # Where do I change …
//!
//! | to change | go to |
//! |---|---|
//! | when Heroku is asked | `supervisor/watch.rs`; how often a shared account can be: `supervisor/budget.rs` |
//! | what counts as a change, and when it is acted on | `supervisor/change.rs` |
//! | which logins a change waits for, and what their answers allow | `supervisor/change/login_check.rs`, `proof.rs` |
//! | what happens when a child ends by itself | `supervisor/ends.rs` (`on_exited`), `supervisor/inquiry.rs`, `supervisor/vigil.rs`, `supervisor/crash.rs` |
//! | how a child is stopped, killed, swept | `supervisor/instance.rs` |
//! | what a signal does | `supervisor/orders.rs` |
//! | what a command does | `supervisor/obey.rs` |
//! | how a new child takes an old one's place | `supervisor/transition.rs`; beside it: `supervisor/overlap.rs` |
//! | when a connection is watched, and what its news mean | `supervisor/connection.rs` |
//! | how a child is told of a change | `supervisor/tell.rs` |
//! | an option | `cli.rs`, then `config.rs`, then the README's table |
//! | a log line | `runtime/telemetry/wording.rs` |
//! | what the child finds in its environment | `credential/environment.rs` |
//! | how a child tells that it serves | `supervisor/instance/startup.rs`, `process/notify.rs`, `readiness/` |
//! | which sockets a child gets | `process/listeners.rs` |
//! | where a file with secrets may lie, and how it is replaced | `store/` |
//! | what a start without Heroku finds, and when | `supervisor/start.rs`; when that is kept: `supervisor/keeper.rs` |
//! | what `--database` follows, and when the attachments are asked for | `credential/attachment.rs` |
//! | where a token comes from | `heroku/token.rs` |
//! | what `check` looks at, and what it says to do | `commands/check/`, then the README's table |
//! | what must hold, whatever happens | `testing/world/law`, and its bounds in `bounds.rs` |
//! | what can go wrong in the world | `testing/world/mischief.rs`, `heroku.rs`, `processes.rs` |
//!
//! # How the core is tested
//!
//! *Golden scenarios* (`tests/scenarios/*.txt`) tell a story each, and what the core does in it,
//! line by line. *The world* (`testing::world`, run by `tests/simulation.rs`) lives thousands of
//! random lives in virtual time, and holds every step against an account that it keeps of its own:
//! `SEED=n cargo test --test simulation` tells one of them line by line. A new event or phase is
//! given to the world in the commit that brings it; what the world finds becomes a scenario.
//! *The fault matrix* (`tests/it/fault_matrix.rs`) meets each trouble of the API, the network and
//! the machine at each moment, one at a time, with what must come of it; `tests/it/soak.rs` lives
//! thirty days of them.
//! *Text from outside* is made up: `testing::laws` says what holds of any config vars, webhook,
//! netrc, datagram and so on, and a fuzzer (`tests/fuzz`, which says how it is run) looks for some
//! of which it does not. What is worth keeping is in its corpus, which `tests/it/corpora.rs` holds
//! against the same laws.
//! *Mutants* (`tests/mutants/run`) change the core for the worse, line by line, to see whether the
//! others notice.
//!
//! # Where this departs from the first design
//!
//! - `Action::Prepare` and `Event::Prepared` are new: they make "nothing is stopped before its
//!   successor is startable" and the short dead time one mechanism, visible to the simulator.
//! - The answer to a failed end is a phase of its own (`Asking`), so that TERM, a new revision and
//!   the 5 s limit each have their one place.
//! - `Fetch` carries the ETag instead of a flag: the tag travels with the snapshot that it stands
//!   for, so a 304 can never mean an answer that the core has not seen.
//! - `Exited` says whether anything of the tree is left: the reaper knows for nothing (`ECHILD`),
//!   and the common case needs no second event.
//! - `exec` and `env` run the core's own start up to its first `Prepare` (`commands/first.rs`), so
//!   there is one start policy, and a second caller of `step`.
//! - Fault signals that a process sent are blocked and read from a descriptor (`process/queue.rs`),
//!   not handled with `register_unchecked`: one that the kernel raises still kills by itself.
//! - `Supervisor` may use `exit_code`, and `config` speaks the core's plain types: a translation
//!   between equal enums is only a place for mistakes.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "changeover supervises with Linux's own means (pidfd, subreaper, signalfd) and builds on Linux only"
);

pub mod accept;
pub mod admin;
pub mod cli;
pub mod commands;
pub mod config;
pub mod credential;
pub mod exit_code;
pub mod guide;
pub mod heroku;
pub mod postgres;
pub mod process;
pub mod readiness;
pub mod runtime;
pub mod store;
pub mod supervisor;
#[cfg(feature = "testing")]
pub mod testing;
