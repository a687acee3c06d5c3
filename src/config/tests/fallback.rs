//! `--fallback` and the cache that may belong to it.

use super::*;

const CACHE: &str = "exec|-a|app|--fallback|cache|--cache|/c/file";

fn read_all(line: &str, variables: &[(&str, &str)]) -> (Fallback, Option<Cache>) {
    let config = good(&format!("{line}|--|prog"), variables);
    (config.fallback, config.cache)
}

#[test]
fn where_the_cache_is_and_how_old_it_may_be() {
    let cached = |hours: u64| Fallback::Cached {
        max_age: seconds(hours * 3600),
    };
    let cache = |key_file: Option<&str>| {
        Some(Cache {
            path: "/c/file".into(),
            key_file: key_file.map(PathBuf::from),
        })
    };
    assert_eq!(read_all(CACHE, &[]), (cached(24), cache(None)));
    let line = format!("{CACHE}|--cache-max-age|2h|--cache-key-file|k");
    assert_eq!(read_all(&line, &[]), (cached(2), cache(Some("k"))));
    let variables = [
        ("CHANGEOVER_FALLBACK", "cache"),
        ("CHANGEOVER_CACHE", "/c/file"),
        ("CHANGEOVER_CACHE_MAX_AGE", "2h"),
        ("CHANGEOVER_CACHE_KEY_FILE", "k"),
    ];
    let inherited = read_all("exec|-a|app", &variables);
    assert_eq!(inherited, (cached(2), cache(Some("k"))));
    for command in ["run|-a|app|--|prog", "env|-a|app", "check|-a|app"] {
        assert_eq!(good(command, &variables).cache, cache(Some("k")));
    }
}

#[test]
fn a_cache_that_nobody_would_read_is_none() {
    for option in [
        "--cache|/c/file",
        "--cache-key-file|k",
        "--cache-max-age|2h",
    ] {
        let told = refused(option);
        assert!(told.contains("without --fallback cache nothing"), "{told}");
        let line = format!("run|-a|app|--fallback|inherited|{option}|--|prog");
        let told = bad(&line, &[("DATABASE_URL", "postgres://h/d")]);
        assert!(told.contains("add --fallback cache"), "{told}");
    }
    // A fleet may share it, and some of it may want no cache.
    let variables = [
        ("CHANGEOVER_CACHE", "/c/file"),
        ("CHANGEOVER_CACHE_MAX_AGE", "2h"),
        ("CHANGEOVER_CACHE_KEY_FILE", "k"),
    ];
    assert_eq!(read_all("exec|-a|app", &variables), (Fallback::None, None));
}

#[test]
fn a_fallback_that_is_nowhere() {
    let told = refused("--fallback|cache");
    assert!(told.contains("add --cache with a file's path"), "{told}");
    let told = bad("env|-a|app", &[("CHANGEOVER_FALLBACK", "cache")]);
    assert!(
        told.contains("in the environment, and nothing says where"),
        "{told}"
    );
    let told = refused("--fallback|cache|--cache|/c/");
    assert!(told.contains("write the file's name behind it"), "{told}");
    let told = bad(&format!("{CACHE}|--cache-max-age|59s|--|prog"), &[]);
    assert!(told.contains("too short to work: write 1m"), "{told}");
}
