//! Thirty days of one supervisor in virtual time: every three hours something is wrong for a while,
//! and the credential changes, gently or with a reset. Every change arrives, Heroku is asked at an
//! even pace, the log stays short, and the supervisor knows no more on the last day than on the
//! first. (`benches/soak.rs` has real polls.)

use changeover::supervisor::config::{CheckLogin, Restart};
use changeover::supervisor::time::Duration;

use crate::fault_matrix::Trouble;
use crate::scenarios::defaults;
use crate::support::stage::{Stage, Weather};

const DAYS: u64 = 30;
const EPISODES_A_DAY: u64 = 8;
const EPISODE: Duration = Duration::from_secs(24 * 3600 / EPISODES_A_DAY);

/// As in the fault matrix: once all is well, no change takes longer, be it behind a false tag.
const ARRIVES: Duration = Duration::from_secs(66 * 10 + 1 + 30 + 300);

/// A poll a minute is 1440. An outage makes them fewer, a burst of seven more.
const REQUESTS_A_DAY: std::ops::Range<usize> = 1200..1600;

/// A line every quarter of an hour while something lasts, a handful for each change; and six for
/// each start of a program whose credential is dead, once a minute, up to 40 minutes each time.
const LINES_A_DAY_MAX: usize = 1000;

#[test]
fn thirty_days() {
    let mut config = defaults();
    config.check_login = CheckLogin::Auto;
    config.crash.restart = Restart::OnFailure;
    let mut stage = Stage::new("thirty days", config, 30);
    let mut sizes = Vec::new();
    let mut changes = 0;
    for day in 0..DAYS {
        for _ in 0..EPISODES_A_DAY {
            changes += episode(&mut stage);
        }
        let requests = std::mem::take(&mut stage.requests).len();
        assert!(
            REQUESTS_A_DAY.contains(&requests),
            "day {day}: {requests} requests"
        );
        let lines = std::mem::take(&mut stage.notices).len();
        assert!(lines <= LINES_A_DAY_MAX, "day {day}: {lines} lines");
        sizes.push(stage.state_size());
    }
    assert!(changes > 150, "{changes} changes show little");
    let (first, last) = (sizes[0], *sizes.last().unwrap());
    // What is counted may have another digit.
    assert!(last <= first + 100, "what it knows grows: {sizes:?}");
}

/// Three hours; how many changes they had.
fn episode(stage: &mut Stage) -> u32 {
    let end = stage.now + EPISODE;
    let hour = 3_600_000;
    let (calm, storm) = (stage.dice.ms(0, hour), stage.dice.ms(10_000, hour));
    let trouble = stage.dice.pick(&Trouble::all());
    stage.run(calm);
    stage.weather(trouble.weather());
    let before = storm.mul_f64(0.3);
    stage.run(before);
    let changes = match stage.dice.below(4) {
        0 => 0,
        1 => {
            stage.reset();
            let later = stage.dice.ms(0, 60_000);
            stage.run(later);
            stage.show();
            1
        }
        _ => {
            stage.rotate();
            1
        }
    };
    if trouble == Trouble::Sleep {
        stage.sleep(storm - before);
    }
    stage.run(storm - before);
    stage.weather(Weather::Fine);
    stage.run_to(ARRIVES, "on the newest value", Stage::has_arrived);
    stage.run(end.since(stage.now));
    changes
}
