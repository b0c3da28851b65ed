//! The engine's core through whole runs in virtual time. Each file in `tests/data/scenario` is
//! one run: what the server does, what people ask, and what must come out.

use std::fs;
use std::time::Duration;

use batchtop::base::{Moment, Stamp};
use batchtop::engine::core::{Core, End, Input, Now, Scope};
use batchtop::model::*;
use proptest::prelude::*;
use serde::Deserialize;

use crate::world::{JobRow, World, job, seconds};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    about: String,
    #[serde(default)]
    jobs: Vec<ScenarioJob>,
    #[serde(default = "default_latency")]
    latency_ms: u64,
    #[serde(default)]
    spread: f64,
    #[serde(default)]
    faults: Vec<Fault>,
    #[serde(default)]
    outages: Vec<[f64; 2]>,
    #[serde(default)]
    disk_full: Vec<[f64; 2]>,
    #[serde(default)]
    missing_models: Vec<String>,
    #[serde(default)]
    commands: Vec<Timed>,
    stop_at: Option<[f64; 2]>,
    /// A guard with these settings, where there is one.
    guard: Option<ScenarioGuard>,
    /// What the cards say, one sample a second.
    #[serde(default)]
    readings: Vec<Stretch>,
    expect: Expect,
}

fn default_latency() -> u64 {
    50
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioJob {
    requests: u64,
    #[serde(default = "one")]
    parallel: Parallel,
    #[serde(default = "three")]
    retries: u32,
    model: Option<String>,
    #[serde(default)]
    priority: i32,
}

fn one() -> Parallel {
    Parallel::Fixed(1)
}

fn three() -> u32 {
    3
}

/// Requests whose number divides by `every` fail like this for their first `times` sendings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    every: u64,
    times: u32,
    class: FailureClass,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioGuard {
    #[serde(default)]
    watts: Option<f64>,
    #[serde(default)]
    neighbour: bool,
    hours: Option<String>,
    /// Minutes since midnight at the start.
    #[serde(default)]
    minute: i64,
    /// When the clock on the wall jumps, and by how many minutes.
    #[serde(default)]
    jumps: Vec<(f64, i64)>,
}

impl ScenarioGuard {
    fn limits(&self) -> GuardLimits {
        GuardLimits {
            watts: self.watts,
            neighbour: self.neighbour,
            hours: self.hours.as_ref().map(|hours| hours.parse().unwrap()),
            ..GuardLimits::default()
        }
    }
}

/// The same readings for some seconds, `until` excluded. Between stretches nothing is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stretch {
    from: u64,
    until: u64,
    #[serde(default = "half")]
    percent: u64,
    #[serde(default = "sixty")]
    celsius: i32,
    watts: Option<f64>,
    #[serde(default)]
    lost: bool,
    /// Per cent of the memory that models hold; then other programs hold the rest.
    models: Option<u64>,
    /// How busy another program keeps the card.
    other_busy: Option<u32>,
    /// Only every other second has these readings, the others a cool and empty card.
    #[serde(default)]
    flickers: bool,
}

fn half() -> u64 {
    50
}

fn sixty() -> i32 {
    60
}

impl Stretch {
    fn card(&self, second: u64) -> Card {
        let is_calm = self.flickers && second % 2 == 1;
        let percent = if is_calm { 10 } else { self.percent };
        let process = |name: &str, memory, busy_percent| CardProcess {
            pid: 7,
            name: Some(name.into()),
            memory: Some(memory),
            busy_percent,
        };
        let models = self
            .models
            .map(|held| process("llama-server", held << 30, None));
        let other = self
            .other_busy
            .map(|busy| process("game", 1 << 30, Some(busy)));
        let processes: Vec<CardProcess> = models.into_iter().chain(other).collect();
        let lists = self.models.is_some() || self.other_busy.is_some();
        Card {
            name: "RTX".into(),
            state: if self.lost {
                CardState::Lost {
                    why: "fell off the bus".into(),
                }
            } else {
                CardState::Awake
            },
            memory: (!self.lost).then_some(CardMemory {
                total: 100 << 30,
                used: percent << 30,
                free: (100 - percent) << 30,
            }),
            celsius: (!self.lost).then_some(if is_calm { 40 } else { self.celsius }),
            watts: self.watts,
            processes: lists.then_some(processes),
            ..Card::default()
        }
    }
}

#[derive(Debug, Deserialize)]
struct Timed {
    at: f64,
    #[serde(flatten)]
    command: Command,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// For each job: its state, answers, failures.
    jobs: Vec<(String, u64, u64)>,
    peak_in_flight: Option<usize>,
    sent: Option<u64>,
    loads: Option<Vec<String>>,
    counted: Option<u32>,
    longest: Option<f64>,
    shortest: Option<f64>,
    #[serde(default)]
    events: Vec<EventKind>,
    /// What the guard told, all of it, in order.
    #[serde(default)]
    guard: Vec<String>,
    /// Why the first job stopped: a part of the sentence.
    why: Option<String>,
}

#[test]
fn every_scenario_comes_out_as_written() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/scenario");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 10, "{} scenarios", paths.len());
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let scenario: Scenario =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        println!("{}: {}", path.display(), scenario.about);
        play(scenario);
    }
}

/// A world with the scenario's guard and readings.
fn world(scenario: &Scenario, rows: Vec<JobRow>) -> World {
    let mut world = match &scenario.guard {
        Some(guard) => {
            let clock = Stamp(guard.minute * 60_000);
            World::guarded(rows, guard.limits(), clock)
        }
        None => World::new(rows),
    };
    if let Some(guard) = &scenario.guard {
        let jumps = guard.jumps.iter();
        world.jumps = jumps.map(|(at, by)| (seconds(*at), by * 60_000)).collect();
    }
    for stretch in &scenario.readings {
        for second in stretch.from..stretch.until {
            let readings = Readings {
                cards: vec![stretch.card(second)],
                ..Readings::default()
            };
            world.at(seconds(second as f64), Input::Readings(readings.into()));
        }
    }
    world
}

fn play(scenario: Scenario) {
    let rows = scenario.jobs.iter().enumerate().map(|(n, given)| {
        let settings = JobSettings {
            parallel: given.parallel,
            retries: given.retries,
            model: given.model.clone(),
            ..JobSettings::default()
        };
        let mut row = job(n as i64 + 1, given.requests, settings);
        row.job.priority = given.priority;
        row
    });
    let mut world = world(&scenario, rows.collect());
    world.latency = Duration::from_millis(scenario.latency_ms);
    world.spread = scenario.spread;
    world.outages = scenario
        .outages
        .iter()
        .map(|[a, b]| (seconds(*a), seconds(*b)))
        .collect();
    world.missing = scenario.missing_models.into_iter().collect();
    let faults = scenario.faults;
    world.policy = Box::new(move |number, sent| {
        let hit = faults
            .iter()
            .find(|fault| number % fault.every == 0 && sent <= fault.times);
        hit.map_or(Ok(()), |fault| Err(fault.class))
    });
    for (ticket, timed) in scenario.commands.iter().enumerate() {
        world.command(timed.at, ticket as u64, timed.command.clone());
    }
    for [from, until] in scenario.disk_full {
        world.trouble(from, until);
    }
    if let Some([at, drain]) = scenario.stop_at {
        world.at(seconds(at), Input::Stop(Duration::from_secs_f64(drain)));
    }
    world.run();
    judge(&world, &scenario.expect);
    assert_eq!(
        world.replies.len(),
        scenario.commands.len(),
        "every command is answered"
    );
    assert_eq!(world.stopped, scenario.stop_at.is_some());
}

fn judge(world: &World, expect: &Expect) {
    for (n, (state, done, failed)) in expect.jobs.iter().enumerate() {
        let row = &world.jobs[&JobId(n as i64 + 1)];
        let counts = row.job.counts;
        let seen = (row.job.state.word(), counts.done, counts.failed);
        assert_eq!(seen, (state.as_str(), *done, *failed), "job {}", n + 1);
        let told = world.core.job(row.job.id).expect("in the core").counts;
        assert_eq!(
            (told.done, told.failed),
            (*done, *failed),
            "what is told is what is stored"
        );
    }
    assert!(
        world.ends.values().all(|ends| ends.len() == 1),
        "one end a request"
    );
    if let Some(peak) = expect.peak_in_flight {
        assert_eq!(world.peak_in_flight, peak);
    }
    if let Some(sent) = expect.sent {
        assert_eq!(
            world.sent.values().map(|n| u64::from(*n)).sum::<u64>(),
            sent
        );
    }
    if let Some(loads) = &expect.loads {
        assert_eq!(&world.loads, loads);
    }
    if let Some(counted) = expect.counted {
        let most = world.jobs.values().flat_map(|row| row.requests.values());
        assert_eq!(most.map(|row| row.attempts.counted).max(), Some(counted));
    }
    if let Some(longest) = expect.longest {
        assert!(world.now <= seconds(longest), "took until {:?}", world.now);
    }
    if let Some(shortest) = expect.shortest {
        assert!(world.now >= seconds(shortest), "took until {:?}", world.now);
    }
    let told = world.events.iter();
    let told = told.filter(|event| event.kind == EventKind::Guard);
    let told: Vec<&str> = told.map(|event| event.text.as_str()).collect();
    assert_eq!(told, expect.guard);
    if let Some(why) = &expect.why {
        let job = &world.jobs[&JobId(1)].job;
        let said = job.state.why().unwrap_or_default();
        assert!(said.contains(why), "{said}");
    }
    for kind in &expect.events {
        let told = world.events.iter().any(|event| event.kind == *kind);
        assert!(told, "{kind:?} is told of: {:?}", world.events);
    }
}

#[test]
fn one_that_kills_the_runner_is_set_aside_and_its_neighbours_are_answered() {
    let settings = JobSettings {
        parallel: Parallel::Fixed(4),
        retries: 10,
        ..JobSettings::default()
    };
    let mut world = World::new(vec![job(1, 40, settings)]);
    // Number 6 kills the runner with everything that is in flight beside it.
    world.policy = Box::new(|number, sent| match (number, sent) {
        (6, _) | (4 | 5 | 7, 1) => Err(FailureClass::RunnerCrash),
        _ => Ok(()),
    });
    world.run();
    let states = world.states(1);
    assert_eq!(
        (states[&RequestState::Done], states[&RequestState::Failed]),
        (39, 1)
    );
    let poison = RequestId(1_000_006);
    assert_eq!(world.sent[&poison], 3);
    assert!(
        matches!(&world.ends[&poison][..], [End::Failed(failure)] if failure.class == FailureClass::RunnerCrash)
    );
}

#[test]
fn a_job_that_is_followed_is_shown_however_many_newer_ones_there_are() {
    let jobs = (1..=300).map(|id| Job {
        state: JobState::Done,
        ..job(id, 0, JobSettings::default()).job
    });
    let mut core = Core::new(jobs.collect());
    let now = Now {
        moment: Moment::ZERO,
        stamp: Stamp(0),
    };
    core.step(Input::Work(Scope::Only(JobId(1))), now);
    let overview = core.overview(now.moment);
    assert!(overview.jobs.iter().any(|(job, _)| job.id == JobId(1)));
    assert_eq!(overview.jobs_left_out, 100);
}

#[test]
fn a_request_that_loses_its_connection_for_ever_does_not_hold_the_job_for_ever() {
    let mut world = World::new(vec![job(1, 3, JobSettings::default())]);
    world.policy = Box::new(|number, _| match number {
        1 => Err(FailureClass::ServerDown),
        _ => Ok(()),
    });
    world.run();
    world.assert_all_ended();
    assert_eq!(world.states(1)[&RequestState::Failed], 1);
}

#[test]
fn a_server_that_fails_everything_does_not_let_memory_grow() {
    let settings = JobSettings {
        parallel: Parallel::Fixed(8),
        retries: 2,
        ..JobSettings::default()
    };
    let mut world = World::new(vec![job(1, 5_000, settings)]);
    world.latency = Duration::from_millis(1);
    world.policy = Box::new(|_, _| Err(FailureClass::ServerError));
    while world
        .core
        .job(JobId(1))
        .is_some_and(|job| job.counts.left() > 0)
    {
        let next = world.now + Duration::from_secs(1);
        world.run_until(next);
        world.now = world.now.max(next);
        let waiting = world
            .states(1)
            .get(&RequestState::Claimed)
            .copied()
            .unwrap_or_default();
        assert!(waiting <= 1_024 + 768 + 8, "{waiting} requests in memory");
    }
    world.run();
    world.assert_all_ended();
}

#[derive(Debug, Clone)]
enum Deed {
    Command(Command),
    Outage(u16),
    DiskFull(u16),
}

fn deed() -> impl Strategy<Value = Deed> {
    let job = (1i64..=3).prop_map(JobId);
    prop_oneof![
        job.clone()
            .prop_map(|job| Deed::Command(Command::Pause { job })),
        job.clone()
            .prop_map(|job| Deed::Command(Command::Resume { job })),
        job.clone().prop_map(|job| Deed::Command(Command::Retry {
            job,
            which: WhichFailures::All
        })),
        (job.clone(), -2i32..3).prop_map(|(job, step)| {
            Deed::Command(Command::Prioritize {
                job,
                priority: Priority::Step(step),
            })
        }),
        (job.clone(), any::<bool>()).prop_map(|(job, up)| {
            let to = if up { Move::Up } else { Move::Down };
            Deed::Command(Command::Reorder { job, to })
        }),
        (job, 1u32..6).prop_map(|(job, lanes)| Deed::Command(Command::SetParallel {
            job,
            parallel: Parallel::lanes(lanes)
        })),
        Just(Deed::Command(Command::PauseAll)),
        Just(Deed::Command(Command::ResumeAll)),
        (100u16..20_000).prop_map(Deed::Outage),
        (100u16..5_000).prop_map(Deed::DiskFull),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens in whatever order: the rules that `World` watches hold (never more in
    /// flight than allowed, nothing starts in a paused job, attempts are stored first, one model
    /// at a time), and when everything is resumed every request reaches exactly one end.
    #[test]
    fn nothing_is_lost_whatever_happens(
        sizes in prop::collection::vec((1u64..60, 1u32..5, 0usize..2), 1..4),
        deeds in prop::collection::vec((0.0f64..60.0, deed()), 0..12),
        faults in prop::collection::vec(0usize..FailureClass::ALL.len(), 0..4),
        rate in 2u64..20,
    ) {
        let jobs = sizes.iter().enumerate().map(|(n, (requests, parallel, model))| {
            let model = Some(["a", "b"][*model].to_owned());
            let settings = JobSettings { parallel: Parallel::lanes(*parallel), model, ..JobSettings::default() };
            job(n as i64 + 1, *requests, settings)
        });
        let mut world = World::new(jobs.collect());
        let count = sizes.len() as i64;
        let classes: Vec<FailureClass> = faults.iter().map(|n| FailureClass::ALL[*n]).collect();
        world.policy = Box::new(move |number, sent| {
            let index = (number * 7 + u64::from(sent)) / rate;
            let hit = (number + u64::from(sent)) % rate == 0;
            match classes.get(index as usize % classes.len().max(1)) {
                Some(class) if hit => Err(*class),
                _ => Ok(()),
            }
        });
        for (ticket, (at, deed)) in deeds.into_iter().enumerate() {
            match deed {
                Deed::Command(command) => world.command(at, ticket as u64, command),
                Deed::Outage(ms) => {
                    let from = seconds(at);
                    world.outages.push((from, from + Duration::from_millis(ms.into())));
                }
                Deed::DiskFull(ms) => world.trouble(at, at + f64::from(ms) / 1000.0),
            }
        }
        world.command(200.0, 900, Command::ResumeAll);
        // A job may stop several times on a failure that stops jobs: resume until it is through.
        for again in 0..60 {
            for id in 1..=count {
                let at = 200.0 + f64::from(again) * 100.0;
                world.command(at, 1_000 + again as u64 * 10 + id as u64, Command::Resume { job: JobId(id) });
            }
        }
        world.run();
        world.assert_all_ended();
        for ends in world.ends.values() {
            let answers = ends.iter().filter(|end| matches!(end, End::Answered { .. })).count();
            prop_assert!(answers <= 1);
        }
    }

    /// A stop ends at once or after what is in flight, and leaves nothing claimed.
    #[test]
    fn after_a_stop_nothing_is_left_hanging(at in 0.0f64..20.0, drain in 0.0f64..1.0, outage in any::<bool>()) {
        let settings = JobSettings { parallel: Parallel::Fixed(4), ..JobSettings::default() };
        let mut world = World::new(vec![job(1, 2_000, settings)]);
        world.policy = Box::new(|number, sent| match (number % 9, sent) {
            (0, 1) => Err(FailureClass::ServerError),
            _ => Ok(()),
        });
        if outage {
            world.outages.push((seconds(5.0), seconds(9.0)));
        }
        world.at(seconds(at), Input::Stop(Duration::from_secs_f64(drain)));
        world.run();
        prop_assert!(world.stopped);
        prop_assert!(world.now <= seconds(at + drain + 0.5), "stopped at {:?}", world.now);
        let claimed = world.states(1).get(&RequestState::Claimed).copied();
        prop_assert_eq!(claimed, None);
        for (id, sent) in &world.sent {
            prop_assert!(world.jobs[&JobId(1)].requests[id].attempts.sent >= *sent);
        }
    }
}

#[test]
fn what_became_due_while_nobody_looked_is_not_passed_over() {
    let mut world = World::new(vec![job(1, 1, JobSettings::default())]);
    world.outages.push((seconds(0.0), seconds(3.5)));
    world.run_until(seconds(3.2));
    let due = world.core.wake_at().expect("the server is asked again");
    // The machine was busy for a while: when it looks again, the time is past.
    world.now = due + Duration::from_secs(5);
    assert_eq!(world.core.wake_at(), Some(due));
    world.run();
    world.assert_all_ended();
}

#[test]
fn lanes_that_end_at_once_find_a_round_of_requests_claimed_already() {
    let settings = JobSettings {
        parallel: Parallel::Fixed(64),
        ..JobSettings::default()
    };
    let mut world = World::new(vec![job(1, 640, settings)]);
    world.commit = Duration::from_millis(40);
    world.run();
    world.assert_all_ended();
    let took = world.now.0.saturating_sub(world.load_time);
    // A claim, ten rounds of 50 ms, the last answers, the end of the job; some milliseconds for
    // looking at server and model. Lanes that run dry cost a commit each time.
    assert!(
        took < Duration::from_millis(40 + 500 + 40 + 40 + 10),
        "{took:?}"
    );
}

#[test]
fn a_claim_that_comes_after_the_model_was_changed_goes_back() {
    let settings = |model: &str| JobSettings {
        parallel: Parallel::Fixed(2),
        model: Some(model.to_owned()),
        ..JobSettings::default()
    };
    let mut world = World::new(vec![job(1, 400, settings("a")), job(2, 40, settings("b"))]);
    // The disk takes longer than loading: a claim for `a` is on its way while `b` is loaded.
    world.load_time = Duration::from_millis(10);
    world.commit = Duration::from_millis(700);
    for (ticket, at) in [1.0, 2.05, 3.1, 4.15, 5.2].into_iter().enumerate() {
        let priority = Priority::Set(if ticket % 2 == 0 { 5 } else { -5 });
        let job = JobId(2);
        world.command(at, ticket as u64, Command::Prioritize { job, priority });
    }
    world.run();
    world.assert_all_ended();
    assert!(world.loads.len() > 2, "{:?}", world.loads);
}

/// Works off 2,000 requests over a server with so many slots.
fn over_slots(slots: usize, parallel: Parallel) -> World {
    let settings = JobSettings {
        parallel,
        ..JobSettings::default()
    };
    let mut world = World::new(vec![job(1, 2_000, settings)]);
    world.slots = vec![Moment::ZERO; slots];
    world.latency = Duration::from_secs(1);
    world.spread = 0.5;
    world.run();
    world.assert_all_ended();
    world
}

#[rstest::rstest]
#[case(1)]
#[case(2)]
#[case(4)]
#[case(8)]
fn the_number_of_lanes_is_found(#[case] slots: usize) {
    let world = over_slots(slots, Parallel::Auto);
    let told = |event: &&Event| event.kind == EventKind::Lanes;
    let place = world.events.iter().position(|event| told(&event)).unwrap();
    assert!(
        world.ends_before[place] <= 100,
        "{}",
        world.ends_before[place]
    );
    for event in world.events.iter().filter(told) {
        let lanes: usize = event.text.split(' ').next().unwrap().parse().unwrap();
        assert!(lanes.abs_diff(slots) <= 1, "{}", event.text);
    }
    let best = over_slots(slots, Parallel::Fixed(slots as u32)).now.0;
    assert!(
        best >= world.now.0.mul_f64(0.95),
        "{best:?} {:?}",
        world.now
    );
}
