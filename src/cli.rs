//! clap types only: exactly what the user typed, as text. What it means is `config.rs`'s.
//!
//! clap never reads the environment: `config.rs` does, so that an empty variable is an unset one,
//! errors say where a value came from, and neither help nor errors can show a value that was not
//! typed.

mod groups;
mod help;
mod words;

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

pub use groups::{
    Attend, Change, Child, Crash, Database, Operate, Ready, Source, Start, Target, Watch,
};
use help::{
    CHECK_EXAMPLE, COMPLETIONS_EXAMPLE, ENV_EXAMPLE, ENVIRONMENT, EXEC_EXAMPLE, EXIT_CODES,
    MAN_EXAMPLE, RUN_EXAMPLE,
};

const ABOUT: &str =
    "Runs a program with credentials fresh from Heroku and restarts it gracefully when they change";

const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (",
    env!("CHANGEOVER_BUILD"),
    ")"
);

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "changeover",
    version = VERSION,
    about = ABOUT,
    max_term_width = 100,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    hide_possible_values = true,
    after_help = format!("{RUN_EXAMPLE}\n\n{ENVIRONMENT}\n\n{EXIT_CODES}")
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// The command's options that were typed, by their long names, each with its values; a switch
    /// has none that matters.
    #[arg(skip)]
    pub typed: BTreeMap<String, Vec<OsString>>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// What needs Heroku.
    #[command(flatten)]
    Fetch(Fetching),
    /// What is asked of one that runs.
    #[command(flatten)]
    Talk(Talk),
    /// Print a script that completes changeover's command lines in a shell
    #[command(after_help = COMPLETIONS_EXAMPLE)]
    Completions {
        /// bash, elvish, fish, powershell or zsh
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Print the manual page, in troff
    #[command(after_help = MAN_EXAMPLE)]
    Man,
}

/// What is asked of a supervisor that runs.
#[derive(Debug, Subcommand)]
pub enum Talk {
    /// Show what a running changeover is doing
    Status {
        /// Whom.
        #[command(flatten)]
        target: Target,
        /// Print one JSON object for a script, in place of the table
        #[arg(long)]
        json: bool,
        /// Exit with 1 unless a program runs that counts as serving, for a health check
        #[arg(long)]
        check: bool,
    },
    /// Let a running changeover ask Heroku now
    Refresh(Target),
    /// Let a running changeover stop its program and start it again
    Restart {
        /// Whom.
        #[command(flatten)]
        target: Target,
        /// On the newest values that were seen, whether they log in or not, and at once
        #[arg(long)]
        force: bool,
    },
    /// Let a running changeover stop its program and end
    Stop(Target),
    /// Let a running changeover hold changes back until resume
    Hold(Target),
    /// Let a running changeover make the changes that it holds back
    Resume(Target),
}

/// What fetches from Heroku. Its options are defined when one is asked for: most of a start's work
/// on the command line was for options of other commands. (Then clap takes a command's description
/// from its `Args`, and only the list of commands has it from here.)
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Fetching {
    /// Run a program, and restart it when its credentials change
    #[command(
        override_usage = "changeover run -a APP [OPTIONS] -- COMMAND [ARGS…]",
        after_help = format!("{RUN_EXAMPLE}\n\n{ENVIRONMENT}\n\n{EXIT_CODES}")
    )]
    Run(Box<Run>),
    /// Fetch once, then become the program (no supervisor stays)
    #[command(
        override_usage = "changeover exec -a APP [OPTIONS] -- COMMAND [ARGS…]",
        after_help = format!("{EXEC_EXAMPLE}\n\n{ENVIRONMENT}\n\n{EXIT_CODES}")
    )]
    Exec(Box<Exec>),
    /// Print the fetched variables, all of them or nothing
    #[command(
        override_usage = "changeover env -a APP [OPTIONS]",
        after_help = format!("{ENV_EXAMPLE}\n\n{ENVIRONMENT}\n\n{EXIT_CODES}")
    )]
    Env(Box<Env>),
    /// Diagnose the whole way from the token to the database
    #[command(
        override_usage = "changeover check -a APP [OPTIONS]",
        after_help = format!("{CHECK_EXAMPLE}\n\n{ENVIRONMENT}\n\n{EXIT_CODES}")
    )]
    Check(Box<Check>),
}

/// Run a program, and restart it when its credentials change
#[derive(Debug, Args)]
pub struct Run {
    /// The program and its arguments, after `--`
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    pub program: Vec<OsString>,
    /// Where the credentials come from.
    #[command(flatten)]
    pub source: Source,
    /// When Heroku is asked.
    #[command(flatten)]
    pub watch: Watch,
    /// What a change does.
    #[command(flatten)]
    pub change: Change,
    /// What the program's own end does.
    #[command(flatten)]
    pub crash: Crash,
    /// When the program serves, and on what.
    #[command(flatten)]
    pub ready: Ready,
    /// What is done for a database client.
    #[command(flatten)]
    pub database: Database,
    /// What the program gets.
    #[command(flatten)]
    pub child: Child,
    /// How long the start may take.
    #[command(flatten)]
    pub start: Start,
    /// How others look at it.
    #[command(flatten)]
    pub attend: Attend,
    /// What is logged.
    #[command(flatten)]
    pub operate: Operate,
}

/// Fetch once, then become the program (no supervisor stays)
#[derive(Debug, Args)]
pub struct Exec {
    /// The program and its arguments, after `--`
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    pub program: Vec<OsString>,
    /// Where the credentials come from.
    #[command(flatten)]
    pub source: Source,
    /// What is done for a database client.
    #[command(flatten)]
    pub database: Database,
    /// What the program gets.
    #[command(flatten)]
    pub child: Child,
    /// How long the start may take.
    #[command(flatten)]
    pub start: Start,
    /// What is logged.
    #[command(flatten)]
    pub operate: Operate,
}

/// Print the fetched variables, all of them or nothing
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Env {
    /// shell, dotenv, json, docker or systemd [default: shell]
    #[arg(long, value_name = "FORMAT", value_parser = words::FORMAT)]
    pub format: Option<OsString>,
    /// Where the credentials come from.
    #[command(flatten)]
    pub source: Source,
    /// What is done for a database client.
    #[command(flatten)]
    pub database: Database,
    /// What the program gets.
    #[command(flatten)]
    pub child: Child,
    /// How long the start may take.
    #[command(flatten)]
    pub start: Start,
    /// What is logged.
    #[command(flatten)]
    pub operate: Operate,
}

/// Diagnose the whole way from the token to the database
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Check {
    /// Print one JSON object for a script, in place of a text for people
    #[arg(long)]
    pub json: bool,
    /// Where the credentials come from.
    #[command(flatten)]
    pub source: Source,
    /// What is done for a database client.
    #[command(flatten)]
    pub database: Database,
    /// How long the start may take.
    #[command(flatten)]
    pub start: Start,
    /// What is logged.
    #[command(flatten)]
    pub operate: Operate,
}

impl Cli {
    /// Reads a command line.
    ///
    /// # Errors
    /// When it makes no sense, and when it asks for help or the version: clap's error knows which,
    /// and its text.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut definition = Self::command();
        let read = definition.try_get_matches_from_mut(arguments);
        let matches = read.map_err(explain)?;
        let mut cli = Self::from_arg_matches(&matches)?;
        if let Some((name, matches)) = matches.subcommand() {
            let command = definition.find_subcommand(name);
            cli.typed = command.map_or_else(BTreeMap::new, |command| typed(command, matches));
        }
        Ok(cli)
    }
}

fn typed(command: &clap::Command, matches: &ArgMatches) -> BTreeMap<String, Vec<OsString>> {
    let is_typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let values = |id: &str| matches.get_raw(id).into_iter().flatten();
    command
        .get_arguments()
        .filter(|argument| is_typed(argument.get_id().as_str()))
        .filter_map(|argument| {
            let values = values(argument.get_id().as_str()).map(OsString::from);
            Some((argument.get_long()?.to_owned(), values.collect()))
        })
        .collect()
}

impl Fetching {
    /// The options about logs, which each of them has.
    #[must_use]
    pub fn operate(&self) -> &Operate {
        match self {
            Self::Run(run) => &run.operate,
            Self::Exec(exec) => &exec.operate,
            Self::Env(env) => &env.operate,
            Self::Check(check) => &check.operate,
        }
    }
}

/// An option of `run`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its long name.
    pub name: String,
    /// It is no switch.
    pub takes_value: bool,
}

/// The options of `run`, in the order of its help.
#[must_use]
pub fn options_of_run() -> Vec<Known> {
    let definition = whole();
    let run = definition.find_subcommand("run");
    run.into_iter()
        .flat_map(options_of)
        .filter_map(|argument| {
            Some(Known {
                name: argument.get_long()?.to_owned(),
                takes_value: argument.get_action().takes_values(),
            })
        })
        .collect()
}

/// The long names of all options of all commands, sorted: each has an environment variable.
#[must_use]
pub fn options() -> Vec<String> {
    let mut names: Vec<String> = whole()
        .get_subcommands()
        .flat_map(options_of)
        .filter_map(|argument| argument.get_long().map(str::to_owned))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The definition with the options of every command; a start defines those of its own command
/// alone.
pub(crate) fn whole() -> clap::Command {
    let mut definition = Cli::command();
    definition.build();
    definition
}

/// Without `--help`, which clap adds.
fn options_of(command: &clap::Command) -> impl Iterator<Item = &clap::Arg> {
    let is_ours = |argument: &&clap::Arg| !matches!(argument.get_action(), ArgAction::Help);
    command.get_arguments().filter(is_ours)
}

/// An option that only `run` knows is not a spelling mistake: say why the other commands have none.
fn explain(error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let option = given.split('=').next().unwrap_or(given);
    let known = |name: &String| option.strip_prefix("--") == Some(name.as_str());
    if error.kind() != ErrorKind::UnknownArgument || !options().iter().any(known) {
        return error;
    }
    let why = format!(
        "{option} has no meaning for this command, so it is refused rather than ignored: leave it out, or use the \
         command that has it (see `changeover run --help`)\n"
    );
    clap::Error::raw(ErrorKind::UnknownArgument, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        Cli::read(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn clap_finds_nothing_wrong_with_the_definition() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_command_says_of_itself_what_the_list_of_commands_does() {
        let list = Cli::command();
        for (listed, whole) in list.get_subcommands().zip(whole().get_subcommands()) {
            let about = |command: &clap::Command| command.get_about().map(ToString::to_string);
            assert_eq!(about(listed), about(whole), "{}", listed.get_name());
        }
    }

    #[test]
    fn what_follows_the_program_is_the_programs() {
        for line in [
            "changeover run -- prog -v --app x",
            "changeover run prog -v --app x",
        ] {
            let Command::Fetch(Fetching::Run(run)) = read(line).unwrap().command else {
                panic!("{line}");
            };
            assert_eq!(run.program, ["prog", "-v", "--app", "x"], "{line}");
            assert_eq!(run.source.app, None, "{line}");
        }
    }

    #[test]
    fn an_option_of_another_command_is_told_from_a_spelling_mistake() {
        let other = read("changeover env --interval=5s")
            .unwrap_err()
            .to_string();
        assert!(other.contains("--interval has no meaning"), "{other}");
        let typo = read("changeover run --intervall 5s -- prog").unwrap_err();
        assert!(typo.to_string().contains("--interval"), "{typo}");
    }
}
