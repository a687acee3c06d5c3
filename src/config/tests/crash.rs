//! `--restart`, `--success-exit`, `--backoff` and `--max-restarts`.

use super::*;

#[test]
fn what_follows_the_childs_own_end() {
    assert_eq!(run("").crash, CrashPolicy::default());
    let all = run(
        "--restart|on-failure|--success-exit|143|--success-exit|3|--backoff|2s..1m|--max-restarts|5/10m",
    );
    let expected = CrashPolicy {
        restart: Restart::OnFailure,
        success: vec![143, 3],
        backoff: Backoff {
            min: seconds(2),
            max: seconds(60),
        },
        limit: Some(RestartLimit {
            count: 5,
            within: seconds(600),
        }),
    };
    assert_eq!(all.crash, expected);
    for (options, why) in [
        ("--restart|sometimes", "never, on-failure, always"),
        ("--success-exit|256", "no exit code"),
        ("--backoff|1s", "no range of pauses"),
        ("--backoff|1..60s", "\"1\" stands in the place of a pause"),
        ("--backoff|1ms..60s", "100ms or more"),
        ("--backoff|5s..1s", "below the shortest"),
        ("--max-restarts|5", "no number of restarts in a time"),
        ("--max-restarts|0/10m", "no number of restarts from 1"),
        ("--max-restarts|5/0s", "in the place of a time"),
    ] {
        let said = refused(options);
        assert!(said.contains(why), "{options}: {said}");
    }
}
