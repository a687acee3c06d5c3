//! Where health checks and metrics are served.

use super::*;

#[test]
fn others_are_served_only_when_that_is_said() {
    assert_eq!(run("").admin, None);
    for (options, host, remote) in [
        ("--admin|127.0.0.1:9000", "127.0.0.1", false),
        ("--admin|localhost:9000", "localhost", false),
        ("--admin|[::1]:9000", "::1", false),
        ("--admin|:9000|--admin-allow-remote", "", true),
        (
            "--admin|10.0.0.1:9000|--admin-allow-remote",
            "10.0.0.1",
            true,
        ),
    ] {
        let host = host.to_owned();
        let port = 9000;
        let expected = Admin { host, port, remote };
        assert_eq!(run(options).admin, Some(expected), "{options}");
    }
    for (options, part) in [
        ("--admin|:9000", "other machines could reach it"),
        ("--admin|0.0.0.0:9000", "other machines could reach it"),
        ("--admin|myhost:9000", "--admin-allow-remote"),
        ("--admin|/run/admin", "on a TCP port only"),
        ("--admin-allow-remote", "without --admin nothing is served"),
        ("--admin|9000", "write 127.0.0.1:9000"),
        ("--admin|localhost", "write 127.0.0.1:PORT"),
    ] {
        let error = refused(options);
        assert!(error.contains(part), "{options}: {error}");
    }
}
