//! `--webhook-listen` and `--webhook-secret-file`.

use super::*;

const BOTH: &str = "--webhook-listen|:9000|--webhook-secret-file|secret";

#[test]
fn where_webhooks_come_in() {
    assert_eq!(run("").watch.webhook, None);
    let tcp = Address::Tcp {
        host: String::new(),
        port: 9000,
    };
    let unix = Address::Unix("/run/hooks=1.sock".into());
    for (line, address) in [
        (BOTH, tcp),
        (
            "--webhook-listen|/run/hooks=1.sock|--webhook-secret-file|secret",
            unix,
        ),
    ] {
        let secret_file = "secret".into();
        let expected = Webhook {
            address,
            secret_file,
        };
        assert_eq!(run(line).watch.webhook, Some(expected), "{line}");
    }
    for (line, part) in [
        ("--webhook-listen|:9000", "add --webhook-secret-file"),
        ("--webhook-secret-file|secret", "add --webhook-listen"),
        (
            "--webhook-listen|9000|--webhook-secret-file|secret",
            "no port and is no path",
        ),
        (
            "--webhook-listen|a=:9000|--webhook-secret-file|secret",
            "no host stands",
        ),
    ] {
        let told = refused(line);
        assert!(told.contains(part), "{line}: {told}");
    }
    let told = refused(&format!("{BOTH}|--no-watch"));
    assert!(told.contains("asked only once"), "{told}");
}

#[test]
fn polling_goes_on_beside_webhooks() {
    for (interval, is_allowed) in [("1s", true), ("10m", true), ("601s", false), ("1h", false)] {
        assert!(
            run(&format!("--interval|{interval}"))
                .watch
                .interval
                .is_some()
        );
        let line = format!("{BOTH}|--interval|{interval}");
        if is_allowed {
            assert!(run(&line).watch.webhook.is_some());
        } else {
            let told = refused(&line);
            assert!(told.contains("reaches only one host"), "{told}");
        }
    }
}
