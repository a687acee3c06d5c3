//! Names of variables that are not everybody's to set.

/// Names that decide how a program is found, loaded or run, or who it is.
const RESERVED: [&str; 26] = [
    "BASH_ENV",
    "BASHOPTS",
    "CDPATH",
    "ENV",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "HOME",
    "HOSTALIASES",
    "IFS",
    "LOCALDOMAIN",
    "LOCPATH",
    "LOGNAME",
    "NLSPATH",
    "OLDPWD",
    "PATH",
    "POSIXLY_CORRECT",
    "PS4",
    "PWD",
    "RES_OPTIONS",
    "SHELL",
    "SHELLOPTS",
    "TERM",
    "TMPDIR",
    "TZDIR",
    "USER",
    "XDG_RUNTIME_DIR",
];
const RESERVED_PREFIXES: [&str; 5] = ["BASH_FUNC_", "DYLD_", "LD_", "LISTEN_", "MALLOC_"];

/// Names that say where a program runs, and how much of it: a dyno's are not this machine's.
const OF_THE_PLACE: [&str; 5] = ["DYNO", "LANG", "PORT", "TZ", "WEB_CONCURRENCY"];

/// Whether a config var of this name would break a program that runs elsewhere than at Heroku, or
/// take it over. Buildpacks set `PATH`, for one.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
        || RESERVED_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

/// Whether what this machine says of itself is better than what a config var of this name says:
/// `PORT`, `RACK_ENV`, `LC_ALL`.
#[must_use]
pub fn is_of_the_place(name: &str) -> bool {
    OF_THE_PLACE.contains(&name) || name.starts_with("LC_") || name.ends_with("_ENV")
}

/// Whether an environment can hold a variable of this name.
#[must_use]
pub fn is_possible(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_handed_on_unasked() {
        for name in ["PATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "HOME", "BASH_ENV"] {
            assert!(is_reserved(name), "{name}");
        }
        for name in [
            "DATABASE_URL",
            "PATHS",
            "JAVA_TOOL_OPTIONS",
            "OLD_PATH",
            "RACK_ENV",
        ] {
            assert!(!is_reserved(name), "{name}");
        }
        for name in ["PORT", "RACK_ENV", "NODE_ENV", "LC_ALL"] {
            assert!(is_of_the_place(name), "{name}");
        }
        assert!(!is_of_the_place("SUPPORT") && !is_of_the_place("ENVIRONMENT"));
        assert!(is_possible("A") && !is_possible("") && !is_possible("A=B"));
    }
}
