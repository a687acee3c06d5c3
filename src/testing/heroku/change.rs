//! Rotation and promotion: changes in two steps, with time between them.

use std::sync::Arc;
use std::time::Duration;

use super::attachment::{Attachment, Wanted};
use super::database::{self, RotationOrder, UrlParts};
use super::problem::Problem;
use super::shared::Shared;

/// What a rotation does to one credential.
#[derive(Clone, Copy)]
enum Step {
    /// The server takes the new password.
    Password,
    /// The server ends the credential's connections.
    Reset,
    /// The config vars show the new URL.
    Config,
}

fn steps(order: RotationOrder) -> (&'static [Step], &'static [Step]) {
    match order {
        RotationOrder::ConnectionsFirst => (&[Step::Password, Step::Reset], &[Step::Config]),
        RotationOrder::ConfigFirst => (&[Step::Password, Step::Config], &[Step::Reset]),
        RotationOrder::ConfigBeforePassword => (&[Step::Config], &[Step::Password, Step::Reset]),
    }
}

/// One credential on its way to a new password.
struct Rotation {
    addon_id: String,
    credential: String,
    user: String,
    password: String,
    url: String,
    number: u64,
}

/// Rotates one credential of an add-on, or all of them. Returns after the first step; the second
/// follows by itself after the rotation delay (at once when that is zero).
pub(super) async fn rotate(
    shared: &Arc<Shared>,
    addon: &str,
    credential: Option<&str>,
) -> Result<(), Problem> {
    let (rotations, pace) = {
        let mut state = shared.state();
        (begin(&mut state.app, addon, credential)?, state.pace)
    };
    let (first, second) = steps(pace.order);
    perform(shared, &rotations, first).await?;
    if pace.rotation_delay.is_zero() {
        return perform(shared, &rotations, second).await;
    }
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        tokio::time::sleep(pace.rotation_delay).await;
        if let Err(problem) = perform(&shared, &rotations, second).await {
            complain("rotation", &problem);
        }
    });
    Ok(())
}

fn begin(
    app: &mut super::app::App,
    addon: &str,
    credential: Option<&str>,
) -> Result<Vec<Rotation>, Problem> {
    let database = app.database_mut(addon)?;
    let addon_id = database.id.clone();
    let chosen = database
        .credentials
        .iter_mut()
        .filter(|one| credential.is_none_or(|name| one.name == name));
    let rotations: Vec<_> = chosen
        .map(|one| {
            one.rotations += 1;
            let password = database::new_password();
            Rotation {
                addon_id: addon_id.clone(),
                credential: one.name.clone(),
                user: UrlParts::of(&one.url).user,
                url: database::with_password(&one.url, &password),
                password,
                number: one.rotations,
            }
        })
        .collect();
    if rotations.is_empty() {
        Err(Problem::not_found("credential"))
    } else {
        Ok(rotations)
    }
}

async fn perform(shared: &Shared, rotations: &[Rotation], steps: &[Step]) -> Result<(), Problem> {
    for rotation in rotations {
        for step in steps {
            if !overtaken(shared, rotation) {
                perform_one(shared, rotation, *step).await?;
            }
        }
    }
    Ok(())
}

fn overtaken(shared: &Shared, rotation: &Rotation) -> bool {
    let state = shared.state();
    let database = state.app.database(&rotation.addon_id).ok();
    let credential = database.and_then(|database| database.credential(&rotation.credential));
    credential.is_none_or(|credential| credential.rotations != rotation.number)
}

async fn perform_one(shared: &Shared, rotation: &Rotation, step: Step) -> Result<(), Problem> {
    let done = match (step, &shared.postgres) {
        (Step::Config, _) => {
            let url = rotation.url.clone();
            shared
                .state()
                .app
                .update_credential(&rotation.addon_id, &rotation.credential, url);
            Ok(())
        }
        (Step::Password, Some(server)) => {
            server
                .set_password(&rotation.user, &rotation.password)
                .await
        }
        (Step::Reset, Some(server)) => server.reset_connections(&rotation.user).await,
        (Step::Password | Step::Reset, None) => Ok(()),
    };
    done.map_err(|error| Problem::server_error(&format!("the database server: {error}")))
}

/// What becomes of an attachment's config var while another takes its place.
pub(super) enum Gap {
    /// The caller waits until the new one is there.
    Awaited,
    /// The caller goes on; the new one comes by itself.
    InBackground,
}

/// Attaches an add-on. One that already has the wanted name is detached first, and the promotion
/// gap lies between. `None` when the attachment is yet to come.
pub(super) async fn attach(
    shared: &Arc<Shared>,
    wanted: Wanted,
    gap: Gap,
) -> Result<Option<Attachment>, Problem> {
    let pause = detach_same_name(shared, &wanted)?;
    if pause.is_zero() {
        return shared.state().app.attach(&wanted).map(Some);
    }
    let task = {
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            shared.state().app.attach(&wanted)
        })
    };
    match gap {
        Gap::InBackground => Ok(None),
        Gap::Awaited => match task.await {
            Ok(attached) => attached.map(Some),
            Err(error) => Err(Problem::server_error(&error.to_string())),
        },
    }
}

/// How long the name stays free.
fn detach_same_name(shared: &Shared, wanted: &Wanted) -> Result<Duration, Problem> {
    let mut state = shared.state();
    state.app.database(&wanted.addon_id)?;
    let held = state
        .app
        .attachments
        .iter()
        .find(|one| Some(&one.name) == wanted.name.as_ref());
    let Some(id) = held.map(|one| one.id.clone()) else {
        return Ok(Duration::ZERO);
    };
    state.app.detach(&id)?;
    Ok(state.pace.promotion_gap)
}

/// Makes the add-on behind an attachment the app's `DATABASE`.
pub(super) async fn promote(
    shared: &Arc<Shared>,
    attachment: &str,
    gap: Gap,
) -> Result<(), Problem> {
    let wanted = {
        let state = shared.state();
        let found = state.app.resolve(attachment)?;
        let one = found
            .first()
            .ok_or_else(|| Problem::not_found("add on attachment"))?;
        Wanted {
            addon_id: one.addon_id.clone(),
            name: Some("DATABASE".to_owned()),
            namespace: one.namespace.clone(),
        }
    };
    attach(shared, wanted, gap).await.map(|_| ())
}

/// The add-on that holds `DATABASE`, or the first one while nothing does.
pub(super) fn main_addon(shared: &Shared) -> String {
    let state = shared.state();
    let holder = state
        .app
        .attachments
        .iter()
        .find(|one| one.name == "DATABASE");
    holder.map_or_else(
        || state.app.databases[0].id.clone(),
        |one| one.addon_id.clone(),
    )
}

/// Nobody waits for a delayed step: the person at the terminal is told.
fn complain(what: &str, problem: &Problem) {
    eprintln!(
        "simulator: the second step of a {what} failed: {}",
        problem.message()
    );
}
