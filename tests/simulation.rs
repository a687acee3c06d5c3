//! The core among everything that goes wrong: lives of `testing::world`, each from a seed.
//!
//! `cargo test --test simulation` lives the committed seeds, and as many fresh ones, which it
//! prints. `SEEDS=N` lives so many; `FIRST=n` is where they begin. `SEED=n` tells one life, line by
//! line.

use std::env;
use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};
use std::panic;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use changeover::testing::world::{self, Breach, Reach};

/// The seeds that every run lives: 1 and up.
const COMMITTED: u64 = 20_000;
/// In so many lives every pair of a phase and an event that can meet must have met.
const REACH: u64 = 40_000;
/// The least that a life must have seen.
const STEPS_MIN: u64 = 50;
const CHANGES_MIN: u64 = 1;
/// After so many lives a worker looks whether two things have met that cannot.
const LOOK: usize = 512;
/// Failures after which a run stops.
const FAILURES_MAX: usize = 5;

fn main() -> ExitCode {
    if is_filtered_out() {
        return ExitCode::SUCCESS;
    }
    // A panic of the core is caught, and told with its seed.
    panic::set_hook(Box::new(|_| {}));
    if let Some(seed) = number("SEED") {
        return tell(seed);
    }
    let asked = number("SEEDS");
    let lives = asked.unwrap_or(2 * COMMITTED);
    let committed = if asked.is_some() { lives } else { COMMITTED };
    let first = number("FIRST").unwrap_or(1);
    let fresh = RandomState::new().hash_one("fresh") >> 16;
    if committed < lives {
        println!(
            "seeds {first} to {}, and from {fresh}",
            first + committed - 1
        );
    }
    let seed = |nth: u64| {
        if nth < committed {
            first + nth
        } else {
            fresh + nth - committed
        }
    };
    let sum = live_all(lives, &seed);
    sum.report(lives)
}

/// `cargo test NAME` runs this program, too.
fn is_filtered_out() -> bool {
    let mut filters = env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .peekable();
    if env::args().any(|argument| argument == "--list") {
        println!("simulation: test");
        return true;
    }
    filters.peek().is_some() && !filters.any(|filter| "simulation".contains(&filter))
}

fn number<N: FromStr<Err: Debug>>(name: &str) -> Option<N> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| {
        eprintln!("{name}={text} is not a number");
        std::process::exit(2)
    }))
}

fn tell(seed: u64) -> ExitCode {
    let (story, result) = world::retell(seed);
    print!("{story}");
    match result {
        Ok(life) => {
            println!(
                "seed {seed}: {} steps, {} changes, and nothing wrong",
                life.steps, life.changes
            );
            ExitCode::SUCCESS
        }
        Err(breach) => {
            println!("seed {seed}: {}", breach.what);
            ExitCode::FAILURE
        }
    }
}

/// What all lives came to.
struct Sum {
    reach: Reach,
    steps: Vec<u64>,
    changes: Vec<u64>,
    failures: Vec<(u64, Breach)>,
}

fn live_all(lives: u64, seed: &(impl Fn(u64) -> u64 + Sync)) -> Sum {
    let next = AtomicU64::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let sums: Vec<Sum> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| live_some(lives, seed, &next)))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker"))
            .collect()
    });
    let mut all = Sum {
        reach: Reach::new(),
        steps: Vec::new(),
        changes: Vec::new(),
        failures: Vec::new(),
    };
    for sum in sums {
        all.reach.add(&sum.reach);
        all.steps.extend(sum.steps);
        all.changes.extend(sum.changes);
        all.failures.extend(sum.failures);
    }
    all
}

fn live_some(lives: u64, seed: &impl Fn(u64) -> u64, next: &AtomicU64) -> Sum {
    let mut sum = Sum {
        reach: Reach::new(),
        steps: Vec::new(),
        changes: Vec::new(),
        failures: Vec::new(),
    };
    let mut recent = Vec::new();
    loop {
        let nth = next.fetch_add(1, Ordering::Relaxed);
        let is_over = nth >= lives || sum.failures.len() >= FAILURES_MAX;
        if is_over || recent.len() == LOOK {
            sum.look(&recent);
            recent.clear();
        }
        if is_over {
            return sum;
        }
        recent.push(seed(nth));
        match world::live(seed(nth), &mut sum.reach) {
            Ok(life) => {
                sum.steps.push(life.steps);
                sum.changes.push(life.changes);
            }
            Err(breach) => sum.failures.push((seed(nth), breach)),
        }
    }
}

impl Sum {
    /// Finds in which of these lives two things met for the first time that cannot.
    fn look(&mut self, seeds: &[u64]) {
        let told = |what: &String| self.failures.iter().any(|(_, breach)| breach.what == *what);
        if self.reach.breaches().iter().all(told) {
            return;
        }
        for seed in seeds {
            if self.failures.iter().any(|(failed, _)| failed == seed) {
                continue;
            }
            if let (_, Err(breach)) = world::retell(*seed) {
                self.failures.push((*seed, breach));
            }
        }
    }

    fn report(mut self, lives: u64) -> ExitCode {
        if let Some((seed, _)) = self.failures.first() {
            let (story, _) = world::retell(*seed);
            print!("{story}");
            for (seed, breach) in &self.failures {
                println!("SEED={seed}: {}", breach.what);
            }
        }
        let mut wrong = Vec::new();
        if lives >= REACH {
            wrong.extend(self.reach.missing());
        }
        if env::var_os("PAIRS").is_some() {
            for (phase, kind, count) in self.reach.pairs() {
                println!("{phase} met {kind:?} {count} times");
            }
        }
        if let Some((phase, kind, count)) = self.reach.rarest() {
            println!("the rarest meeting: {phase} and {kind:?}, {count} times");
        }
        let sum: u64 = self.steps.iter().sum();
        wrong.extend(spread("steps", &mut self.steps, STEPS_MIN));
        wrong.extend(spread("changes", &mut self.changes, CHANGES_MIN));
        for what in &wrong {
            println!("{what}");
        }
        let failures = self.failures.len() + wrong.len();
        println!("{lives} lives, {sum} steps, {failures} failures");
        if failures == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Tells the least and the median of what lives have seen; yields what is wrong with it.
fn spread(what: &str, counts: &mut [u64], min: u64) -> Option<String> {
    counts.sort_unstable();
    let (least, median) = (*counts.first()?, counts[counts.len() / 2]);
    println!("{what} a life: median {median}, least {least}");
    (least < min).then(|| format!("a life of {least} {what} shows nothing: at least {min}"))
}
