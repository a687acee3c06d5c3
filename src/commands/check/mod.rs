//! `changeover check`: asks everybody once, and prints what a person follows from top to bottom:
//! one line for each thing that must be right, and what to do about each that is not.

mod json;
mod platform;
mod report;
mod server;
#[cfg(test)]
mod tests;
mod text;
mod variable;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use crate::config::{CheckLogin, Config, Inherited};
use crate::credential::attachment::behind;
use crate::credential::{Attachment, DatabaseUrl, Fault, Secret, phrase};
use crate::exit_code::ExitCode;
use crate::heroku::{Answer, ApiUrl, Client, TokenSource};
use crate::postgres::{self, Inspection};
use crate::runtime;

use super::failure::Failure;
use super::parts;

use report::{Name, Report, Verdict};
use server::{About, Insists};
use variable::Attachments;

/// What a program calls the database that it uses.
const MAIN: &str = "DATABASE_URL";
const POOL: &str = "connection-pooling:";

type Watched = BTreeMap<String, Result<Secret, Fault>>;

/// Looks at everything once and prints the report; the code is that of the first thing that is
/// wrong.
pub(super) fn check(
    config: &Config,
    as_json: bool,
    inherited: &Inherited,
) -> Result<ExitCode, Failure> {
    let event_loop = runtime::event_loop()?;
    let report = event_loop.block_on(look(config, inherited));
    // A name lookup that hangs in the system's resolver must not hold the end up.
    event_loop.shutdown_background();
    let report = report?;
    let text = if as_json {
        report.json()
    } else {
        report.to_string()
    };
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(report.code())
}

async fn look(config: &Config, inherited: &Inherited) -> Result<Report, Failure> {
    let app = config.source.app.as_str();
    let variables = Arc::new(inherited.clone());
    let api_url = ApiUrl::resolve(config.source.api_url.as_deref(), &variables)?;
    let source = TokenSource::new(&parts::token_options(config), variables, &api_url)?;
    let client = parts::client(config, inherited)?;
    let mut report = Report::new(app);
    let token = source.read().await;
    let answer = match &token {
        Ok(_) => Some(client.config_vars(None).await),
        Err(_) => None,
    };
    report.add(None, platform::lines(app, &token, answer.as_ref()));
    let Some(Ok(Answer::Snapshot { snapshot, .. })) = answer else {
        return Ok(report);
    };
    if snapshot.watched.is_empty() {
        let mend = format!(
            "`heroku config -a {app}` shows what there is: name it with --var or --database"
        );
        let verdict = Verdict::wrong("no config var matches --var", mend);
        report.add(None, [(Name::Variable, verdict)]);
    }
    let attachments = attachments(&client, &snapshot.watched).await;
    let look = Look {
        config,
        client,
        attachments,
    };
    for (name, value) in &snapshot.watched {
        report.add(
            Some(name),
            variable::presence(app, value, &look.attachments),
        );
        if let Some(url) = usable(value) {
            look.at_database(&mut report, name, &url).await;
        }
    }
    Ok(report)
}

/// They tell something of a database, and of what is missing.
async fn attachments(client: &Client, watched: &Watched) -> Attachments {
    let matters = |value| usable(value).is_some() || *value == Err(Fault::Missing);
    if watched.values().any(matters) {
        return client
            .attachments()
            .await
            .map_err(|error| error.to_string());
    }
    Ok(Vec::new())
}

/// A URL to log in with.
fn usable(value: &Result<Secret, Fault>) -> Option<DatabaseUrl> {
    let value = value.as_ref().ok()?;
    DatabaseUrl::parse(value.expose()).ok()
}

/// Whom to ask about each database.
struct Look<'a> {
    config: &'a Config,
    client: Client,
    attachments: Attachments,
}

impl Look<'_> {
    async fn at_database(&self, report: &mut Report, name: &str, url: &DatabaseUrl) {
        let config = self.config;
        let app = config.source.app.as_str();
        let all = self.attachments.as_deref().unwrap_or_default();
        let own = behind(name, all);
        let is_main = config.environment.selection.export_name(name) == MAIN;
        let addon = own.map(|own| phrase(&own.addon));
        let about = About {
            app,
            addon: addon.as_deref(),
            plan: None,
            is_main,
            is_pooled: own.is_some_and(is_pool),
            insists: Insists::of(config.environment.login_sslmode(url)),
        };
        report.add(Some(name), self.at_server(about, own, url).await);
        let asked = match own {
            Some(own) => Some(self.client.backups(&own.addon_id).await),
            None => None,
        };
        let asked = asked.map(|asked| asked.map_err(|error| error.to_string()));
        let backups = variable::backups(app, about.addon, asked.as_ref());
        let promoted = variable::promoted(app, own, &self.attachments, is_main);
        report.add(
            Some(name),
            [(Name::Backups, backups), (Name::Promoted, promoted)],
        );
    }

    async fn at_server(
        &self,
        about: About<'_>,
        own: Option<&Attachment>,
        url: &DatabaseUrl,
    ) -> Vec<(Name, Verdict)> {
        if self.config.check_login == CheckLogin::Never {
            return server::not_looked("not tried: --check-login is never");
        }
        let sslmode = self.config.environment.login_sslmode(url);
        match postgres::inspect(url.text(), sslmode).await {
            Ok(inspection) => {
                let plan = self.plan(own, &inspection).await;
                let plan = plan.as_deref();
                server::lines(About { plan, ..about }, &inspection)
            }
            Err(why) => server::not_looked(&format!("not tried: {why}")),
        }
    }

    /// It matters where nobody answers: a private database answers its own space only.
    async fn plan(&self, own: Option<&Attachment>, inspection: &Inspection) -> Option<String> {
        let is_lost = matches!(inspection.reached, Some(Err(_)));
        let own = own.filter(|_| is_lost)?;
        self.client.plan(&own.addon_id).await.ok()
    }
}

fn is_pool(attachment: &Attachment) -> bool {
    let namespace = attachment.namespace.as_deref().unwrap_or_default();
    namespace.starts_with(POOL)
}
