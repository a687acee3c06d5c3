//! `--watch-connection` and `--on-failover`.

use super::*;

#[test]
fn the_watched_connection() {
    let connection = |line| run(line).watch.connection;
    assert_eq!(connection(""), ConnectionWatch::Off);
    assert_eq!(
        connection("--watch-connection"),
        ConnectionWatch::On(OnFailover::Restart)
    );
    assert_eq!(
        connection("--watch-connection|--on-failover|ignore|--no-watch"),
        ConnectionWatch::On(OnFailover::Ignore)
    );
    let wrong = refused("--watch-connection|--on-failover|stop");
    assert!(wrong.contains("restart, ignore"), "{wrong}");
}
