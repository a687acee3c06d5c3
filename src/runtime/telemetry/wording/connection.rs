//! The words for the connection that is watched.

use std::time::Duration;

use tracing::Level;

use crate::credential::phrase;
use crate::supervisor::config::OnFailover;
use crate::supervisor::notice::{Child, ConnectionFact, ConnectionNotice, Failover};

use super::{human, info, untouched, warn};

pub(super) fn told(notice: &ConnectionNotice) -> (Level, String) {
    let (name, running) = (phrase(&notice.name), notice.running);
    match &notice.fact {
        ConnectionFact::Lost { why } => warn(format!(
            "the watched connection to {name} is lost ({}): a new credential may follow. {}",
            phrase(why),
            untouched(running)
        )),
        ConnectionFact::NotMade { why } => warn(format!(
            "no connection to {name} to watch ({}), so a failover would be seen late; trying again \
             quietly. {}",
            phrase(why),
            untouched(running)
        )),
        ConnectionFact::Back { lasted } => info(format!(
            "the watched connection to {name} is there again, after {} without",
            human(*lasted)
        )),
        ConnectionFact::ReadOnly => warn(format!(
            "the server behind {name} takes no writes any more: a new credential may follow. {}",
            untouched(running)
        )),
        ConnectionFact::FailedOver { how, on_failover } => {
            warn(failed_over(&name, *how, running, *on_failover))
        }
    }
}

pub(super) fn waits(running: Child, wait: Duration) -> String {
    format!(
        "the database has failed over again and again: {} for {}, then it is to connect anew. Find \
         out why its name leads here and there, or use --on-failover ignore",
        untouched(running),
        human(wait)
    )
}

fn failed_over(name: &str, how: Failover, running: Child, on_failover: OnFailover) -> String {
    let proof = match how {
        Failover::System => "another database system".to_owned(),
        Failover::Timeline { from, to } => format!("timeline {from}→{to}"),
    };
    let pid = running.pid;
    let then = match on_failover {
        OnFailover::Restart => format!("pid {pid} is to connect anew (--on-failover restart)"),
        OnFailover::Ignore => format!("{} (--on-failover ignore)", untouched(running)),
    };
    format!("{name} is unchanged and leads to another server ({proof}): a failover. {then}")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_tell, child, seconds};
    use super::*;
    use crate::supervisor::notice::Notice;

    fn fact(fact: ConnectionFact) -> Notice {
        Notice::Connection(ConnectionNotice {
            name: "DATABASE_URL".to_owned(),
            running: child(4242, 3),
            fact,
        })
    }

    #[test]
    fn a_connection_that_comes_and_goes() {
        let lost = "57P01: terminating connection due to administrator command".to_owned();
        let refused = "connection refused".to_owned();
        let lasted = seconds(63);
        all_tell(vec![
            (
                fact(ConnectionFact::Lost { why: lost }),
                "W the watched connection to DATABASE_URL is lost (57P01: terminating connection due \
                 to administrator command): a new credential may follow. pid 4242 untouched on \
                 revision 3",
            ),
            (
                fact(ConnectionFact::NotMade { why: refused }),
                "W no connection to DATABASE_URL to watch (connection refused), so a failover would \
                 be seen late; trying again quietly. pid 4242 untouched on revision 3",
            ),
            (
                fact(ConnectionFact::Back { lasted }),
                "I the watched connection to DATABASE_URL is there again, after 1 min 3 s without",
            ),
            (
                fact(ConnectionFact::ReadOnly),
                "W the server behind DATABASE_URL takes no writes any more: a new credential may \
                 follow. pid 4242 untouched on revision 3",
            ),
        ]);
    }

    #[test]
    fn a_name_that_leads_here_and_there() {
        let (running, wait) = (child(4242, 3), seconds(125));
        all_tell(vec![(
            Notice::FailoverWaits { running, wait },
            "W the database has failed over again and again: pid 4242 untouched on revision 3 for \
             2 min 5 s, then it is to connect anew. Find out why its name leads here and there, or \
             use --on-failover ignore",
        )]);
    }

    #[test]
    fn another_server_behind_the_same_url() {
        let failed_over = |how, on_failover| fact(ConnectionFact::FailedOver { how, on_failover });
        let timeline = Failover::Timeline { from: 1, to: 2 };
        all_tell(vec![
            (
                failed_over(timeline, OnFailover::Restart),
                "W DATABASE_URL is unchanged and leads to another server (timeline 1→2): a failover. \
                 pid 4242 is to connect anew (--on-failover restart)",
            ),
            (
                failed_over(Failover::System, OnFailover::Ignore),
                "W DATABASE_URL is unchanged and leads to another server (another database system): \
                 a failover. pid 4242 untouched on revision 3 (--on-failover ignore)",
            ),
        ]);
    }
}
