//! What stands below the options in `--help`.

pub(super) const ENVIRONMENT: &str = "\
Environment:
  Every option has a variable: --stop-timeout is CHANGEOVER_STOP_TIMEOUT. What is typed wins,
  an empty variable is an unset one, commas separate several values, and a switch is
  1/true/yes or 0/false/no.";

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  The program's own; 128+n when signal n ended it, or changeover while there was no program.
    1  what was asked of a running changeover is not done
    2  the options make no sense
   75  no answer from Heroku in time at the start, or a change under --on-change exit
   78  unusable configuration: no token, token refused, app not found, variable missing or
       malformed, no such --user or --chdir, --api-url without TLS, --env-file or --cache
       not writable, no such --hook or key file, no secret for webhooks, a socket that
       cannot be had (of a --listen or for webhooks, --control or --admin)
  125  changeover itself failed, or a program that ends with 0 met --max-restarts
  126  the program cannot be executed
  127  the program was not found";

pub(super) const RUN_EXAMPLE: &str = "\
Example:
  export HEROKU_API_KEY=$(heroku authorizations:create -s read-protected -S)
  changeover run -a my-app -- bundle exec puma";

pub(super) const EXEC_EXAMPLE: &str = "\
Example:
  changeover exec -a my-app -- sh -c 'exec psql \"$DATABASE_URL\"'";

pub(super) const ENV_EXAMPLE: &str = "\
Example:
  vars=$(changeover env -a my-app) || exit; eval \"$vars\"";

pub(super) const CHECK_EXAMPLE: &str = "\
Example:
  changeover check -a my-app";

pub(super) const COMPLETIONS_EXAMPLE: &str = "\
Example:
  changeover completions bash > ~/.local/share/bash-completion/completions/changeover";

pub(super) const MAN_EXAMPLE: &str = "\
Example:
  changeover man | man -l -";
