use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rstest::rstest;

use super::*;

/// A server in virtual time: so many slots, each of which reads the shared prompt once, and a card
/// that is busy with `knee` requests at once.
#[derive(Debug, Clone)]
struct Server {
    slots: u32,
    knee: u32,
    /// Milliseconds of work for one request on an idle card, by request.
    work: fn(u64) -> u64,
    cold: u64,
    /// Whether it says how long it worked.
    tells: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            slots: 1,
            knee: u32::MAX,
            work: |n| 600 + (n * 7_919) % 800,
            cold: 2_000,
            tells: true,
        }
    }
}

/// How a job went.
#[derive(Debug)]
struct Job {
    took: u64,
    /// After how many answers the number of lanes last changed in the first stretch.
    found_after: u64,
    lanes: u32,
    /// The last time more was outstanding than slots, plus how many that were.
    most: u32,
}

/// Something outstanding: when sent, beside how many, which request.
#[derive(Debug, Clone, Copy)]
struct Outstanding {
    sent: u64,
    beside: u32,
    number: u64,
}

/// Works off `requests` with the lanes that `lanes` says, telling it every answer.
struct World {
    server: Server,
    now: u64,
    queue: VecDeque<Outstanding>,
    running: BinaryHeap<Reverse<(u64, u64)>>,
    inside: std::collections::HashMap<u64, (Outstanding, u64)>,
    warm: u32,
}

impl World {
    fn new(server: Server) -> Self {
        Self {
            server,
            now: 0,
            queue: VecDeque::new(),
            running: BinaryHeap::new(),
            inside: std::collections::HashMap::new(),
            warm: 0,
        }
    }

    fn outstanding(&self) -> u32 {
        (self.queue.len() + self.running.len()) as u32
    }

    fn send(&mut self, number: u64) {
        let beside = self.outstanding() + 1;
        self.queue.push_back(Outstanding {
            sent: self.now,
            beside,
            number,
        });
        self.start();
    }

    fn start(&mut self) {
        while self.running.len() < self.server.slots as usize
            && let Some(next) = self.queue.pop_front()
        {
            let slot = self.running.len() as u32 + 1;
            let cold = if slot > self.warm {
                self.server.cold
            } else {
                0
            };
            self.warm = self.warm.max(slot);
            let crowd = u64::from(slot.max(self.server.knee)) * 1_000 / u64::from(self.server.knee);
            let took = ((self.server.work)(next.number) + cold) * crowd.max(1_000) / 1_000;
            self.running.push(Reverse((self.now + took, next.number)));
            self.inside.insert(next.number, (next, took));
        }
    }

    /// The next answer.
    fn next(&mut self) -> Option<Sample> {
        let Reverse((at, number)) = self.running.pop()?;
        self.now = at;
        let (request, took) = self.inside.remove(&number)?;
        let sample = Sample {
            sent: moment(request.sent),
            beside: request.beside,
            inside: Duration::from_millis(at - request.sent + 3),
            worked: self.server.tells.then_some(Duration::from_millis(took)),
            work: ((self.server.work)(number) / 10) as f64,
        };
        self.start();
        Some(sample)
    }
}

fn moment(millis: u64) -> Moment {
    Moment(Duration::from_millis(millis))
}

fn run(server: &Server, requests: u64, tuner: Option<&mut Tuner>, fixed: u32) -> Job {
    let mut world = World::new(server.clone());
    let mut tuner = tuner;
    let (mut sent, mut answered, mut found_after, mut most) = (0, 0, 0, 0);
    loop {
        let lanes = tuner.as_ref().map_or(fixed, |tuner| tuner.lanes());
        while sent < requests && world.outstanding() < lanes {
            world.send(sent);
            sent += 1;
            most = most.max(world.outstanding());
        }
        let Some(sample) = world.next() else { break };
        answered += 1;
        let now = moment(world.now);
        if let Some(tuner) = tuner.as_mut() {
            let was = tuner.found();
            tuner.answered(&sample, now);
            if was.is_none() && tuner.found().is_some() && found_after == 0 {
                found_after = answered;
            }
        }
    }
    let lanes = tuner.map_or(fixed, |tuner| tuner.found().unwrap_or(tuner.lanes()));
    Job {
        took: world.now,
        found_after,
        lanes,
        most,
    }
}

#[rstest]
#[case::one(1)]
#[case::two(2)]
#[case::three(3)]
#[case::four(4)]
#[case::six(6)]
#[case::eight(8)]
fn the_number_of_slots_is_found_early_and_costs_little(
    #[case] slots: u32,
    #[values(true, false)] even: bool,
) {
    let work = if even {
        |_| 1_000
    } else {
        Server::default().work
    };
    let server = Server {
        slots,
        work,
        ..Server::default()
    };
    let mut tuner = Tuner::new(None, 64, Moment::ZERO);
    let job = run(&server, 2_000, Some(&mut tuner), 0);
    assert!(job.lanes.abs_diff(slots) <= 1, "{job:?}");
    assert!(job.found_after <= 100, "{job:?}");
    let best = (1..=16)
        .map(|n| run(&server, 2_000, None, n).took)
        .min()
        .unwrap();
    assert!(best * 100 >= job.took * 95, "{best} {job:?}");
}

#[test]
fn many_slots_are_found_too() {
    let server = Server {
        slots: 40,
        ..Server::default()
    };
    let mut tuner = Tuner::new(None, 64, Moment::ZERO);
    let job = run(&server, 20_000, Some(&mut tuner), 0);
    assert!(job.lanes.abs_diff(40) <= 2, "{job:?}");
}

#[test]
fn no_more_lanes_than_make_the_card_faster() {
    let server = Server {
        slots: 32,
        knee: 8,
        cold: 0,
        ..Server::default()
    };
    let mut tuner = Tuner::new(None, 64, Moment::ZERO);
    let job = run(&server, 2_000, Some(&mut tuner), 0);
    assert!((8..=16).contains(&job.lanes), "{job:?}");
}

#[rstest]
#[case(1)]
#[case(4)]
#[case(8)]
fn without_the_servers_own_times_throughput_alone_decides(#[case] slots: u32) {
    let server = Server {
        slots,
        tells: false,
        work: |_| 1_000,
        ..Server::default()
    };
    let mut tuner = Tuner::new(None, 64, Moment::ZERO);
    let job = run(&server, 2_000, Some(&mut tuner), 0);
    // Four to begin with: fewer are not tried where nobody says what waits.
    assert!(
        job.lanes >= slots && job.lanes <= slots.max(4) + 2,
        "{job:?}"
    );
}

#[test]
fn answers_of_a_millisecond_are_not_taken_for_a_queue() {
    let server = Server {
        slots: 8,
        work: |_| 10,
        cold: 0,
        ..Server::default()
    };
    let mut tuner = Tuner::new(None, 64, Moment::ZERO);
    let job = run(&server, 2_000, Some(&mut tuner), 0);
    assert!(job.lanes.abs_diff(8) <= 1, "{job:?}");
}

#[test]
fn what_was_known_is_held_and_corrected() {
    let server = Server {
        slots: 8,
        ..Server::default()
    };
    let mut tuner = Tuner::new(Some(8), 64, Moment::ZERO);
    let job = run(&server, 1_000, Some(&mut tuner), 0);
    assert!(job.lanes.abs_diff(8) <= 1, "{job:?}");
    assert!(
        job.most <= 10,
        "no doubling where the number is known: {job:?}"
    );
    let mut tuner = Tuner::new(Some(8), 64, Moment::ZERO);
    let fewer = Server {
        slots: 2,
        ..Server::default()
    };
    assert!(run(&fewer, 1_000, Some(&mut tuner), 0).lanes.abs_diff(2) <= 1);
}

#[test]
fn a_server_that_got_more_slots_is_noticed() {
    let mut tuner = Tuner::new(None, 64, Moment::ZERO);
    run(
        &Server {
            slots: 2,
            ..Server::default()
        },
        500,
        Some(&mut tuner),
        0,
    );
    assert!(tuner.lanes() <= 3);
    // Time begins anew in another world; so does what the tuner holds it against.
    tuner.since = Moment::ZERO;
    run(
        &Server {
            slots: 8,
            ..Server::default()
        },
        6_000,
        Some(&mut tuner),
        0,
    );
    assert!(tuner.lanes().abs_diff(8) <= 1, "{tuner:?}");
}

#[test]
fn trouble_halves_and_is_not_tried_again_at_once() {
    let server = Server {
        slots: 8,
        ..Server::default()
    };
    let mut tuner = Tuner::new(None, 64, Moment::ZERO);
    run(&server, 500, Some(&mut tuner), 0);
    let before = tuner.lanes();
    let retuned = tuner
        .trouble(
            "the runner crashed",
            moment(u64::MAX / 2),
            moment(u64::MAX / 2),
        )
        .unwrap();
    assert_eq!((retuned.from, retuned.to), (before, before / 2));
    assert!(retuned.found && retuned.why.contains("crashed"));
    tuner.since = Moment::ZERO;
    run(&server, 100, Some(&mut tuner), 0);
    assert_eq!(tuner.lanes(), before / 2);
    run(&server, 5_000, Some(&mut tuner), 0);
    assert!(tuner.lanes().abs_diff(8) <= 1, "it comes back: {tuner:?}");
}

#[test]
fn one_lane_is_the_least() {
    let mut tuner = Tuner::new(Some(1), 64, Moment::ZERO);
    assert_eq!(
        tuner.trouble("out of memory", Moment::ZERO, Moment::ZERO),
        None
    );
    assert_eq!(tuner.lanes(), 1);
}

#[test]
fn the_limit_holds() {
    let server = Server {
        slots: 8,
        ..Server::default()
    };
    let mut tuner = Tuner::new(None, 3, Moment::ZERO);
    let job = run(&server, 2_000, Some(&mut tuner), 0);
    assert_eq!((job.lanes, job.most), (3, 3));
}

#[test]
fn requests_beside_empty_lanes_do_not_count() {
    let mut tuner = Tuner::new(None, 64, Moment::ZERO);
    let sample = Sample {
        sent: Moment::ZERO,
        beside: 2,
        inside: Duration::from_secs(1),
        worked: Some(Duration::from_secs(1)),
        work: 1.0,
    };
    for _ in 0..1_000 {
        assert_eq!(tuner.answered(&sample, Moment::ZERO), None);
    }
    assert_eq!(tuner.found(), None);
}
