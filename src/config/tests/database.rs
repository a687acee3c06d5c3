//! `--database`: what takes the place of `--var`'s default, beside it, and what contradicts it.

use super::{good, refused};

#[test]
fn a_database_takes_the_place_of_the_default_and_stands_beside_a_var() {
    let selection = |line| good(line, &[]).environment.selection;
    let alone = selection("env|-a|app|--database|postgresql-round-1");
    assert!(alone.watched.is_empty());
    assert_eq!(alone.databases[0].export_as, "DATABASE_URL");
    assert_eq!(alone.required().collect::<Vec<_>>(), ["postgresql-round-1"]);
    assert_eq!(alone.export_name("postgresql-round-1"), "DATABASE_URL");
    let both = selection("env|-a|app|--database|VIOLET=V|--var|REDIS_URL");
    assert_eq!(both.watched[0].pattern, "REDIS_URL");
    assert_eq!(both.export_name("VIOLET"), "V");
    let variable = ("CHANGEOVER_DATABASE", "postgresql-round-1, VIOLET=V");
    let inherited = good("env|-a|app", &[variable]).environment.selection;
    assert!(inherited.watched.is_empty());
    assert_eq!(inherited.export_name("VIOLET"), "V");
    let neither = selection("env|-a|app");
    assert_eq!(neither.watched[0].pattern, "DATABASE_URL");
}

#[test]
fn databases_that_contradict() {
    for (options, part) in [
        ("--database=", "no add-on or attachment can be called"),
        ("--database=app::DATABASE", "no add-on or attachment"),
        ("--database=A*", "no add-on or attachment"),
        ("--database=A=", "no name for an environment variable"),
        ("--database=A=HEROKU_API_KEY", "changeover's own"),
        (
            "--database=a|--database=b",
            "already gives the program a variable DATABASE_URL",
        ),
        (
            "--database=a|--var=DATABASE_URL",
            "already gives the program a variable DATABASE_URL",
        ),
        ("--database=a=X|--database=a=Y", "watches the same name"),
        ("--database=A=X|--var=A=Y", "watches the same name"),
    ] {
        let error = refused(options);
        assert!(error.contains(part), "{options}: {error}");
    }
    let shown = refused("--database=postgres://u:CANARY@h/d");
    assert!(!shown.contains("CANARY"), "{shown}");
}
