//! CONNECTS: the loop of a supervised life. (`commands/first.rs` has the only other one: the start
//! alone, for commands that supervise nothing.)
//!
//! One turn: wait for one event, step, do what the core says in its order, and only then write the
//! log: people's lines never stand between an old child's end and the new one's start.

mod audience;
pub mod cache;
mod children;
pub mod clock;
pub mod executor;
pub mod hooks;
mod probes;
mod replies;
pub mod signals;
pub mod telemetry;
mod webhooks;

use std::collections::VecDeque;
use std::io;
use std::thread;

use tokio::sync::mpsc;
use tokio::task;

use crate::admin::{Control, Http, QUESTIONS_MAX, Question, Tally, View, metrics};
use crate::exit_code::ExitCode;
use crate::heroku::Client;
use crate::heroku::webhook::{Delivery, Receiver};
use crate::process::{self, Inherited, Manager, Program};
use crate::store::EnvFile;
use crate::supervisor::Supervisor;
use crate::supervisor::config::Config;
use crate::supervisor::event::Event;
use crate::supervisor::signal::{Origin, Signal};

use audience::Audience;
use cache::KeptCache;
use children::Children;
use clock::Clock;
use executor::{Executor, Means, Told};
use hooks::{Hook, Hooks};
use probes::Probes;
use signals::{ChildChanges, Received, Signals};
use telemetry::Context;
use webhooks::{Line, Webhooks};

/// Answers on their way to the core: of requests, of logins, and what children say of themselves.
/// When so many wait, whoever has another waits, too.
const ANSWERS_MAX: usize = 64;

/// From what has come on a descriptor to the core's event it is two turns of the event loop, and a
/// few more through TLS.
const TURNS: usize = 4;

/// Everything that supervising needs, already validated.
pub struct Setup {
    /// The core's configuration.
    pub config: Config,
    /// What is run.
    pub program: Program,
    /// Where what was fetched is written to, too.
    pub env_file: Option<EnvFile>,
    /// Where the last good values are kept for a start without Heroku.
    pub cache: Option<KeptCache>,
    /// Where the config vars come from.
    pub client: Client,
    /// What says when to ask them again.
    pub webhook: Option<Receiver>,
    /// What the supervisor was started with.
    pub inherited: Inherited,
    /// What log lines need to know beside the facts.
    pub context: Context,
    /// Whoever started us and listens.
    pub manager: Option<Manager>,
    /// What is run for what matters.
    pub hook: Option<Hook>,
    /// Where people ask for something.
    pub control: Option<Control>,
    /// Where machines look.
    pub http: Option<Http>,
    /// Draws every jitter of this life.
    pub seed: u64,
}

/// Supervises until the end, on the calling thread: it must be the main one, because a child's
/// parent-death signal comes when the *thread* that started it ends.
///
/// # Errors
/// When the system refuses what no supervisor can do without: an event loop, signal handlers.
pub fn supervise(setup: Setup) -> io::Result<ExitCode> {
    let runtime = event_loop()?;
    let code = runtime.block_on(async {
        let mut life = Life::begin(setup)?;
        reserve_thread()?;
        life.live().await
    });
    // A name lookup that hangs in the system's resolver must not hold the end up.
    runtime.shutdown_background();
    code
}

/// The one event loop of the program. Beside it there are threads for name lookups: as many as were
/// ever needed at once, which is one most often.
///
/// # Errors
/// When the system refuses.
pub fn event_loop() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(clock::LOOKUP_THREAD)
        .build()
}

/// Makes sure of one thread for name lookups and slow files; once signals are handled, because it
/// takes their mask over. Without any the event loop panics when the system refuses one, and takes
/// the program with it; and a machine is out of threads just when a program fails, and is asked
/// about. With one, whoever needs another waits for it.
///
/// # Errors
/// When the system refuses even that.
pub fn reserve_thread() -> io::Result<()> {
    // The event loop itself would panic.
    thread::Builder::new().spawn(|| ())?;
    task::spawn_blocking(|| ());
    Ok(())
}

/// One supervisor's life.
struct Life {
    clock: Clock,
    core: Supervisor,
    executor: Executor,
    children: ChildChanges,
    signals: Signals,
    answers: mpsc::Receiver<Event>,
    webhooks: Webhooks,
    questions: mpsc::Receiver<Question>,
    app: String,
    tally: Tally,
    events: VecDeque<Event>,
}

impl Life {
    fn begin(setup: Setup) -> io::Result<Self> {
        let Setup {
            config,
            program,
            env_file,
            cache,
            client,
            webhook,
            inherited,
            context,
            manager,
            hook,
            control,
            http,
            seed,
        } = setup;
        let app = context.app.clone();
        let hooks = hook.map(|hook| Hooks::begin(hook, client.helpers()));
        let audience = Audience::new(context, manager, hooks);
        let (sender, answers) = mpsc::channel(ANSWERS_MAX);
        let (asker, questions) = mpsc::channel(QUESTIONS_MAX);
        if let Some(control) = control {
            tokio::spawn(control.serve(asker.clone()));
        }
        if let Some(http) = http {
            tokio::spawn(http.serve(asker));
        }
        let mark = config.mark.clone().unwrap_or_default();
        let (leftovers, ready) = (config.leftovers, config.ready.clone());
        let user = program.identity.as_ref().map(|identity| identity.uid);
        let children = Children::new(mark.clone(), program.group, leftovers);
        let probes = Probes::new(ready, user, mark, sender.clone());
        Ok(Self {
            clock: Clock::start()?,
            children: ChildChanges::install()?,
            signals: Signals::install(&inherited)?,
            core: Supervisor::new(config, seed),
            executor: Executor::new(
                Means {
                    program,
                    env_file,
                    cache,
                    client,
                },
                children,
                probes,
                audience,
                sender,
            ),
            answers,
            webhooks: Webhooks::begin(webhook),
            questions,
            app,
            tally: Tally::new(),
            events: VecDeque::from([Event::Wake]),
        })
    }

    async fn live(&mut self) -> io::Result<ExitCode> {
        loop {
            while let Some(event) = self.events.pop_front() {
                tracing::trace!(?event);
                let now = self.clock.now();
                let is_wake = matches!(event, Event::Wake);
                let at = if is_wake { now } else { self.core.moment(now) };
                self.tally.hear(now, &event);
                for action in self.core.step(at, event) {
                    self.tally.see(now, &action);
                    match self.executor.obey(action, &mut self.events) {
                        Told::GoOn => {}
                        Told::Stop(signal) => {
                            self.executor.tell();
                            self.clock.stand_still(|| process::stop_self(signal));
                            // Before the CONT: whether the child goes on, too, is known by then.
                            self.executor.reap(&mut self.events);
                        }
                        Told::Exit(code) => {
                            self.executor.tell();
                            self.executor.audience.end_hooks();
                            self.executor.finish().await;
                            // Who asked for this end is answered first.
                            turns(&mut self.answers, &mut self.events).await;
                            return Ok(code);
                        }
                    }
                }
                self.executor.keep_prepared(self.core.preparation());
            }
            self.executor.tell();
            self.wait().await?;
        }
    }

    /// Waits for one thing to happen. What already happened to children comes first.
    async fn wait(&mut self) -> io::Result<()> {
        let deadline = self.core.deadline();
        let theirs = self.executor.audience.deadline();
        let alarm = deadline.into_iter().chain(theirs).min();
        tokio::select! {
            biased;
            changed = self.children.next() => {
                changed?;
                self.tell_changes();
            }
            received = self.signals.next() => {
                let received = received?;
                self.tell_signal(received);
            }
            Some(answer) = self.answers.recv() => self.events.push_back(answer),
            delivery = self.webhooks.next() => self.tell_delivery(&delivery),
            Some(question) = self.questions.recv() => self.take(question),
            due = self.clock.until(alarm) => due?,
        }
        self.executor.audience.is_alive(self.clock.now());
        // Whatever ended the wait: not a deadline's business before everything that came by it.
        if deadline.is_some_and(|deadline| deadline <= self.clock.now()) {
            turns(&mut self.answers, &mut self.events).await;
            self.tell_changes();
            self.events.push_back(Event::Wake);
        }
        // Before all else: what it asks for answers the rest, too.
        if self.clock.slept() {
            self.events.push_front(Event::Resumed);
        }
        Ok(())
    }

    /// What happened to children: first that one stopped or goes on, which a stop signal must know;
    /// then the signals that came by now, because the terminal's Ctrl-C may be why one ended; then
    /// the rest.
    fn tell_changes(&mut self) {
        let mut news = VecDeque::new();
        self.executor.reap(&mut news);
        let is_motion =
            |event: &Event| matches!(event, Event::Stopped { .. } | Event::Continued { .. });
        let (motions, rest): (VecDeque<_>, VecDeque<_>) = news.into_iter().partition(is_motion);
        self.events.extend(motions);
        while let Some(received) = self.signals.heard() {
            self.tell_signal(received);
        }
        self.events.extend(rest);
    }

    fn take(&mut self, question: Question) {
        match question {
            // It has been told that nobody answers, and that nothing is done.
            Question::Command(_, asker) if asker.is_closed() => {}
            Question::Command(verb, asker) => {
                let reply = self.executor.replies.open(asker);
                self.events.push_back(Event::Command { reply, verb });
            }
            // Who asked may have gone away meanwhile.
            Question::Look(asker) => {
                let _ = asker.send(Box::new(self.view()));
            }
            Question::Metrics(asker) => {
                let _ = asker.send(metrics::text(self.clock.now(), &self.view(), &self.tally));
            }
        }
    }

    fn view(&self) -> View {
        let (now, overview) = (self.clock.now(), self.core.overview());
        View::new(&self.app, now, &overview, &self.tally)
    }

    fn tell_delivery(&mut self, delivery: &Delivery) {
        match self.webhooks.line(self.clock.now(), delivery) {
            Line::Warning(line) => self.executor.audience.warn(line),
            Line::Detail(line) => self.executor.audience.note(|| line),
        }
        match delivery {
            Delivery::Valid => self.events.push_back(Event::Webhook),
            Delivery::Unsigned(_) | Delivery::Undecided(_) | Delivery::Other(_) => {}
        }
    }

    fn tell_signal(&mut self, received: Received) {
        let origin = received.origin(|pid| self.executor.in_tree(pid));
        let Received { signal, sender } = received;
        self.executor
            .audience
            .note(|| telemetry::received(signal, &sender.described()));
        if (signal, origin) == (Signal::HUP, Origin::Terminal) && process::leads_session() {
            // Everybody else's terminal is gone, too, and the kernel has told them nothing.
            let origin = Origin::Process;
            self.events.push_back(Event::Signal { signal, origin });
        }
        self.events.push_back(Event::Signal { signal, origin });
    }
}

/// Lets everybody who waits for a descriptor read what has come there, and collects what they have
/// to say.
async fn turns(answers: &mut mpsc::Receiver<Event>, events: &mut VecDeque<Event>) {
    for _ in 0..TURNS {
        // The event loop runs what can run, and then asks the system what has come.
        task::yield_now().await;
        while let Ok(answer) = answers.try_recv() {
            events.push_back(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram as StdSocket;

    use tokio::net::UnixDatagram;

    use super::*;

    #[test]
    fn what_has_come_is_heard_before_a_deadline_that_passed_meanwhile() {
        event_loop().unwrap().block_on(async {
            let (ours, theirs) = StdSocket::pair().unwrap();
            ours.set_nonblocking(true).unwrap();
            let ours = UnixDatagram::from_std(ours).unwrap();
            let (sender, mut answers) = mpsc::channel(ANSWERS_MAX);
            tokio::spawn(async move {
                loop {
                    ours.recv(&mut [0]).await.unwrap();
                    sender.send(Event::Resumed).await.unwrap();
                }
            });
            // It waits for the descriptor.
            task::yield_now().await;
            task::yield_now().await;
            for _ in 0..5 {
                theirs.send(b"x").unwrap();
            }
            let mut events = VecDeque::new();
            turns(&mut answers, &mut events).await;
            assert_eq!(events.len(), 5);
        });
    }
}
