//! A world for the engine's core: a queue in memory, a scripted server and a clock that only moves
//! when something happens. It also watches the rules that must hold at every moment.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use batchtop::base::{Moment, Stamp};
use batchtop::context::{ModelFacts, Profile};
use batchtop::engine::core::{
    Core, Effect, End, Input, Now, Scope, SendId, Sending, Ticket, Warmed,
};
use batchtop::intake::{Item, Lines, Rules};
use batchtop::model::*;
use batchtop::store::{Claimed, Recalled, RecalledExchange, Record, Unit, Write, Written};
use jiff::tz::TimeZone;

/// What the server does with a request: given its number (from 0) and how often it was sent.
pub(crate) type Policy = Box<dyn Fn(u64, u32) -> Result<(), FailureClass>>;

pub(crate) struct World {
    pub(crate) core: Core,
    pub(crate) now: Moment,
    pub(crate) policy: Policy,
    pub(crate) latency: Duration,
    /// How much longer some answers take than others, as a part of the latency.
    pub(crate) spread: f64,
    /// When each of the server's slots is free again; without any, it works on everything at once.
    pub(crate) slots: Vec<Moment>,
    pub(crate) commit: Duration,
    pub(crate) load_time: Duration,
    /// Times at which the server does not answer.
    pub(crate) outages: Vec<(Moment, Moment)>,
    /// What the server tells about its models; of the others it tells nothing.
    pub(crate) facts: BTreeMap<String, ModelFacts>,
    /// The clock on the wall at the start.
    pub(crate) clock: Stamp,
    /// When it jumps, and by how many milliseconds.
    pub(crate) jumps: Vec<(Moment, i64)>,
    /// What a request asks, given its number.
    pub(crate) body: Box<dyn Fn(u64) -> String>,
    /// Window of a slot: the server refuses prompts that fill it.
    pub(crate) window: Option<u64>,
    /// Bytes of a message for each of its tokens.
    pub(crate) bytes_per_token: f64,
    /// The messages of every prompt that was sent, and its tokens.
    pub(crate) prompts: Vec<(RequestId, Vec<String>, u64)>,
    /// Prompts that the server refused as too long.
    pub(crate) refused: usize,
    /// Models that the server does not have.
    pub(crate) missing: BTreeSet<String>,
    pub(crate) jobs: BTreeMap<JobId, JobRow>,
    pub(crate) loads: Vec<String>,
    pub(crate) sent: BTreeMap<RequestId, u32>,
    pub(crate) order: Vec<RequestId>,
    pub(crate) ends: BTreeMap<RequestId, Vec<End>>,
    pub(crate) replies: BTreeMap<Ticket, Result<Done, CommandError>>,
    pub(crate) events: Vec<Event>,
    /// How many requests had ended before each event.
    pub(crate) ends_before: Vec<usize>,
    pub(crate) trims: Vec<Trim>,
    /// Where each request of a conversation spoke, and whether it is still remembered.
    pub(crate) talks: BTreeMap<RequestId, Talk>,
    answers: BTreeMap<RequestId, Answer>,
    guard: Option<GuardLimits>,
    /// What was learnt and stored, oldest first.
    pub(crate) learnt: Vec<Profile>,
    pub(crate) stopped: bool,
    pub(crate) peak_in_flight: usize,
    in_flight: BTreeMap<RequestId, (SendId, JobId, Parallel)>,
    probing: bool,
    agenda: BinaryHeap<Appointment>,
    appointments: u64,
    trouble: bool,
}

pub(crate) struct JobRow {
    pub(crate) job: Job,
    pub(crate) requests: BTreeMap<RequestId, RequestRow>,
}

#[derive(Debug)]
pub(crate) struct RequestRow {
    pub(crate) state: RequestState,
    pub(crate) model: i64,
    pub(crate) attempts: Attempts,
}

/// A request's place in a conversation, as it is on disk.
pub(crate) struct Talk {
    pub(crate) unit: Unit,
    pub(crate) number: i64,
    pub(crate) dropped: bool,
}

struct Appointment {
    at: Moment,
    turn: u64,
    input: Input,
}

impl PartialEq for Appointment {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Appointment {}
impl PartialOrd for Appointment {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Appointment {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.turn).cmp(&(self.at, self.turn))
    }
}

pub(crate) fn seconds(s: f64) -> Moment {
    Moment(Duration::from_secs_f64(s))
}

/// A queued job with `requests` requests, numbered from `id * 1_000_000`.
pub(crate) fn job(id: i64, requests: u64, settings: JobSettings) -> JobRow {
    let models = vec![settings.model.clone().unwrap_or_else(|| "m".into())];
    let job = Job {
        id: JobId(id),
        name: format!("job{id}.jsonl"),
        state: JobState::Queued,
        priority: 0,
        position: id,
        settings,
        source: Source {
            path: String::new(),
            bytes: 0,
            hash: String::new(),
            receipt: None,
        },
        endpoint: Some(Endpoint::Chat),
        models,
        counts: Counts {
            total: requests,
            ..Counts::default()
        },
        energy: None,
        created: Stamp(0),
        started: None,
        finished: None,
    };
    let row = || RequestRow {
        state: RequestState::Queued,
        model: 0,
        attempts: Attempts::default(),
    };
    let requests = (0..requests as i64)
        .map(|n| (RequestId(id * 1_000_000 + n), row()))
        .collect();
    JobRow { job, requests }
}

impl World {
    pub(crate) fn new(jobs: Vec<JobRow>) -> Self {
        Self::knowing(Vec::new(), jobs)
    }

    /// A world whose core is guarded, from this time of the wall clock (UTC) on.
    pub(crate) fn guarded(jobs: Vec<JobRow>, limits: GuardLimits, clock: Stamp) -> Self {
        Self::with(jobs, Some(limits), clock, Vec::new())
    }

    /// A world whose core knows what earlier runs have learnt.
    pub(crate) fn knowing(known: Vec<Profile>, jobs: Vec<JobRow>) -> Self {
        Self::with(jobs, None, Stamp(0), known)
    }

    fn with(
        jobs: Vec<JobRow>,
        guard: Option<GuardLimits>,
        clock: Stamp,
        known: Vec<Profile>,
    ) -> Self {
        let jobs: BTreeMap<JobId, JobRow> = jobs.into_iter().map(|row| (row.job.id, row)).collect();
        let core = core(&jobs, guard, known.clone());
        let mut world = Self {
            core,
            now: Moment::ZERO,
            policy: Box::new(|_, _| Ok(())),
            latency: Duration::from_millis(50),
            spread: 0.0,
            slots: Vec::new(),
            commit: Duration::from_millis(8),
            load_time: Duration::from_secs(3),
            outages: Vec::new(),
            facts: BTreeMap::new(),
            clock,
            jumps: Vec::new(),
            body: Box::new(|_| "{}".to_owned()),
            window: None,
            bytes_per_token: 4.0,
            prompts: Vec::new(),
            refused: 0,
            missing: BTreeSet::new(),
            jobs,
            loads: Vec::new(),
            sent: BTreeMap::new(),
            order: Vec::new(),
            ends: BTreeMap::new(),
            replies: BTreeMap::new(),
            events: Vec::new(),
            ends_before: Vec::new(),
            trims: Vec::new(),
            talks: BTreeMap::new(),
            answers: BTreeMap::new(),
            guard,
            learnt: known,
            stopped: false,
            peak_in_flight: 0,
            in_flight: BTreeMap::new(),
            probing: false,
            agenda: BinaryHeap::new(),
            appointments: 0,
            trouble: false,
        };
        world.step(Input::Work(Scope::Everything));
        world
    }

    /// The process dies, and another one takes over what is on the disk.
    pub(crate) fn crash(&mut self) {
        self.agenda.clear();
        self.in_flight.clear();
        self.probing = false;
        for row in self.jobs.values_mut() {
            if matches!(row.job.state, JobState::Running | JobState::Finishing) {
                row.job.state = JobState::Queued;
            }
            let claimed = row.requests.values_mut();
            for request in claimed.filter(|it| it.state == RequestState::Claimed) {
                request.state = RequestState::Queued;
            }
        }
        self.core = core(&self.jobs, self.guard, self.learnt.clone());
        self.step(Input::Work(Scope::Everything));
    }

    pub(crate) fn at(&mut self, at: Moment, input: Input) {
        self.appointments += 1;
        self.agenda.push(Appointment {
            at,
            turn: self.appointments,
            input,
        });
    }

    pub(crate) fn command(&mut self, at: f64, ticket: u64, command: Command) {
        self.at(seconds(at), Input::Command(Ticket(ticket), command));
    }

    /// Lets time pass until nothing happens any more.
    pub(crate) fn run(&mut self) {
        self.run_until(Moment(Duration::MAX));
    }

    pub(crate) fn run_until(&mut self, end: Moment) {
        for turn in 0.. {
            assert!(
                turn < 3_000_000,
                "the world does not come to rest at {:?}",
                self.now
            );
            let wake = self.core.wake_at();
            let next = self.agenda.peek().map(|appointment| appointment.at);
            let Some(at) = [wake, next].into_iter().flatten().min() else {
                break;
            };
            if at > end || self.stopped {
                break;
            }
            self.now = self.now.max(at);
            let input = match self.agenda.peek() {
                Some(appointment) if Some(appointment.at) <= wake || wake.is_none() => {
                    self.agenda.pop().expect("just peeked").input
                }
                _ => Input::Tick,
            };
            self.step(input);
        }
    }

    pub(crate) fn step(&mut self, input: Input) {
        if let Input::Ended(request, send, _) = &input {
            if self
                .in_flight
                .get(request)
                .is_none_or(|(now, ..)| now != send)
            {
                return;
            }
            self.in_flight.remove(request);
        }
        let jumps = self.jumps.iter().filter(|(at, _)| *at <= self.now);
        let jumped: i64 = jumps.map(|(_, by)| by).sum();
        let now = Now {
            moment: self.now,
            stamp: Stamp(self.clock.0 + jumped + self.now.0.as_millis() as i64),
        };
        let effects = self.core.step(input, now);
        self.perform(effects);
        self.check();
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            assert!(!self.stopped, "{effect:?} after the end");
            match effect {
                Effect::Write(write, ticket) => {
                    let written = self.write(write);
                    self.at(self.now + self.commit, Input::Written(ticket, Ok(written)));
                }
                Effect::Send(sending) => self.send(*sending),
                Effect::Abort(request) => {
                    self.in_flight
                        .remove(&request)
                        .expect("only what flies is aborted");
                }
                Effect::Look(load) => self.look(load),
                Effect::Warm(load, _) => self.warm(load),
                // What is shown by class comes from the store, which the world has none of.
                Effect::AbortWarm | Effect::Failed(..) => {}
                Effect::Probe => self.probe(),
                Effect::Reply(ticket, reply) => {
                    assert!(
                        self.replies.insert(ticket, reply).is_none(),
                        "one reply a command"
                    );
                }
                Effect::Tell(event) => {
                    self.ends_before.push(self.ends.len());
                    self.events.push(event);
                }
                Effect::Publish(published) => {
                    self.ends
                        .entry(published.request)
                        .or_default()
                        .push(published.end);
                }
                Effect::Stopped => self.stopped = true,
            }
        }
    }

    fn is_down(&self, at: Moment) -> bool {
        self.outages
            .iter()
            .any(|(from, until)| (*from..*until).contains(&at))
    }

    fn send(&mut self, sending: Sending) {
        let Sending {
            id,
            request,
            load,
            messages,
            ..
        } = sending;
        let job = &self.jobs[&request.unit.job];
        let row = &job.requests[&request.id];
        assert_eq!(
            row.state,
            RequestState::Claimed,
            "only what is claimed on disk is sent"
        );
        assert_eq!(
            row.attempts.sent, request.attempts.sent,
            "an attempt is stored before it is made"
        );
        assert!(
            job.job.state.is_runnable(),
            "nothing starts in a job that is {}",
            job.job.state
        );
        assert!(!self.trouble, "nothing starts while the disk is full");
        assert_eq!(
            job.job.models.get(request.unit.model as usize),
            Some(&load.model),
            "a request is sent to its own model"
        );
        assert_eq!(
            self.loads.last(),
            Some(&load.model),
            "the model is loaded first"
        );
        *self.sent.entry(request.id).or_default() += 1;
        self.order.push(request.id);
        let lanes = job.job.settings.parallel;
        self.check_guard(lanes);
        let before = self
            .in_flight
            .insert(request.id, (id, request.unit.job, lanes));
        assert!(before.is_none(), "a request flies once at a time");
        let number = (request.id.0 % 1_000_000) as u64;
        let slowness = 1.0 + self.spread * (number % 7) as f64 / 7.0;
        let worked = self.latency.mul_f64(slowness);
        self.check_history(&request, messages.as_deref());
        let end = self.occupy(worked);
        let fate = self.fate((number, self.sent[&request.id]), end);
        let result = match (fate, self.read(&request, messages.as_deref())) {
            (Err(class), _) => Err(Failure::new(class, "x")),
            (Ok(()), Err(refusal)) => Err(refusal),
            (Ok(()), Ok(tokens)) => {
                let answer = answer((number, tokens), end - self.now, worked);
                Ok(Box::new(answer))
            }
        };
        self.at(end, Input::Ended(request.id, id, result));
    }

    /// What becomes of a request that is sent now and would be answered at `end`.
    fn fate(&self, (number, sent): (u64, u32), end: Moment) -> Result<(), FailureClass> {
        let mut outages = self.outages.iter();
        if self.is_down(self.now) {
            Err(FailureClass::ServerDown)
        } else if outages.any(|(from, _)| *from > self.now && *from < end) {
            Err(FailureClass::StreamCut)
        } else {
            (self.policy)(number, sent)
        }
    }

    /// Reads a prompt as the server does: its tokens, or a refusal.
    fn read(&mut self, request: &Claimed, sent: Option<&[Arc<str>]>) -> Result<u64, Failure> {
        let body: serde_json::Value = serde_json::from_str(&request.body).expect("JSON");
        let own = || body["messages"].as_array().cloned().unwrap_or_default();
        let messages: Vec<String> = match sent {
            Some(messages) => messages.iter().map(ToString::to_string).collect(),
            None => own().iter().map(ToString::to_string).collect(),
        };
        let cost = |it: &String| (it.len() as f64 / self.bytes_per_token).ceil() as u64;
        let tokens = messages.iter().map(cost).sum();
        self.prompts.push((request.id, messages, tokens));
        match self.window {
            Some(window) if tokens >= window => {
                self.refused += 1;
                let need = TokenNeed {
                    prompt: Tokens(tokens),
                    window: Tokens(window),
                };
                let failure = Failure::new(FailureClass::ContextLength, "too long");
                Err(Failure {
                    need: Some(need),
                    ..failure
                })
            }
            _ => Ok(tokens),
        }
    }

    /// No more is in flight than the guard allows, with the request that is being sent.
    fn check_guard(&self, lanes: Parallel) {
        let Some(guard) = self.core.guard_view() else {
            return;
        };
        let most = lanes.fixed().unwrap_or(u32::MAX);
        let allowed = match guard.level {
            GuardLevel::Free => most,
            GuardLevel::Ease => most.div_ceil(2),
            GuardLevel::Least => 1,
            GuardLevel::Pause => 0,
        };
        assert!(self.in_flight.len() < allowed as usize, "{guard:?}");
    }

    /// When the server has worked for so long on a request that arrives now.
    fn occupy(&mut self, worked: Duration) -> Moment {
        let now = self.now;
        match self.slots.iter_mut().min() {
            Some(slot) => {
                *slot = (*slot).max(now) + worked;
                *slot
            }
            None => now + worked,
        }
    }

    fn look(&mut self, load: LoadOptions) {
        let facts = self.facts.get(&load.model).cloned().map(Box::new);
        let facts = facts.ok_or_else(|| Failure::new(FailureClass::BadReply, "no such question"));
        self.at(
            self.now + Duration::from_millis(5),
            Input::Looked(load, facts),
        );
    }

    fn warm(&mut self, load: LoadOptions) {
        assert!(
            self.in_flight.is_empty(),
            "a model is changed only when nothing is in flight"
        );
        let result = if self.is_down(self.now) {
            Err(Failure::new(FailureClass::ServerDown, "refused"))
        } else if self.missing.contains(&load.model) {
            Err(Failure::new(FailureClass::ModelMissing, "no such model"))
        } else {
            self.loads.push(load.model.clone());
            Ok(Warmed {
                took: self.load_time,
                digest: Some(format!("digest of {}", load.model)),
                is_fresh: true,
                loaded: None,
            })
        };
        self.at(self.now + self.load_time, Input::Warmed(load, result));
    }

    fn probe(&mut self) {
        let result = if self.is_down(self.now) {
            Err(Failure::new(FailureClass::ServerDown, "refused"))
        } else {
            Ok(())
        };
        assert!(
            !self.probing || self.now == Moment::ZERO,
            "one probe at a time"
        );
        self.at(self.now + Duration::from_millis(2), Input::Probed(result));
    }

    pub(crate) fn trouble(&mut self, from: f64, until: f64) {
        self.at(seconds(from), Input::StoreTrouble("no room".into()));
        self.at(seconds(until), Input::StoreWell);
    }

    fn check(&mut self) {
        self.peak_in_flight = self.peak_in_flight.max(self.in_flight.len());
        let lanes = self.in_flight.values().map(|(_, _, lanes)| lanes.fixed());
        let most = lanes.map(|lanes| lanes.unwrap_or(64)).max();
        assert!(
            self.in_flight.len() <= most.unwrap_or(0) as usize,
            "more in flight than lanes"
        );
    }

    fn write(&mut self, write: Write) -> Written {
        match write {
            Write::Claim(unit, limit, _) => self.claim(unit, limit),
            Write::Save(record) => self.save(&record),
            Write::SetState(job, state, _) => self.change(job, |job| job.state = state),
            Write::SetSettings(job, settings) => self.change(job, |job| job.settings = settings),
            Write::SetPriority(job, priority) => self.change(job, |job| job.priority = priority),
            Write::Retry(job, _) => self.retry(job),
            Write::Reorder(job, to) => self.reorder(job, to),
            Write::Speak(unit, request, number) => {
                let talk = Talk {
                    unit,
                    number,
                    dropped: false,
                };
                self.talks.insert(request, talk);
                Written::Nothing
            }
            Write::EndConversation(unit, number) => {
                let talks = self.talks.values_mut();
                for talk in talks.filter(|it| (it.unit, it.number) == (unit, number)) {
                    talk.dropped = true;
                }
                Written::Nothing
            }
            Write::Trim(_, _, trim, dropped) => {
                self.trims.push(trim);
                for request in dropped {
                    self.talks.get_mut(&request).expect("it spoke").dropped = true;
                }
                Written::Nothing
            }
            Write::Recall(unit, limit, _) => self.recall(unit, limit),
            Write::Learn(profile) => {
                self.learnt.retain(|it| it.ground != profile.ground);
                self.learnt.push(*profile);
                Written::Nothing
            }
            Write::Remove(job) => {
                self.jobs.remove(&job);
                Written::Nothing
            }
            other => panic!("the core does not write {other:?}"),
        }
    }

    fn recall(&self, unit: Unit, limit: usize) -> Written {
        let of_unit = || self.talks.iter().filter(move |(_, talk)| talk.unit == unit);
        let mut last: BTreeMap<i64, RequestId> = BTreeMap::new();
        for (request, talk) in of_unit().filter(|(_, talk)| !talk.dropped) {
            last.insert(talk.number, *request);
        }
        let mut numbers: Vec<i64> = last.keys().copied().collect();
        numbers.sort_by_key(|number| std::cmp::Reverse(last[number]));
        numbers.truncate(limit);
        let conversations = numbers.into_iter().map(|number| {
            let spoke = self.spoke(unit, number);
            let state = |request: &RequestId| self.jobs[&unit.job].requests[request].state;
            let (answered, others): (Vec<_>, Vec<_>) = spoke
                .into_iter()
                .partition(|request| self.answers.contains_key(request));
            let exchange = |request: RequestId| RecalledExchange {
                request,
                body: (self.body)((request.0 % 1_000_000) as u64),
                answer: self.answers[&request].clone(),
            };
            Recalled {
                number,
                exchanges: answered.into_iter().map(exchange).collect(),
                unended: others
                    .into_iter()
                    .filter(|request| state(request) != RequestState::Failed)
                    .collect(),
                since_trim: 0,
            }
        });
        Written::Recalled {
            unit,
            conversations: conversations.collect(),
            highest: of_unit().map(|(_, talk)| talk.number).max().unwrap_or(0),
        }
    }

    /// The requests of a conversation that are remembered, in the order of the file.
    fn spoke(&self, unit: Unit, number: i64) -> Vec<RequestId> {
        let talks = self.talks.iter();
        let same = talks.filter(|(_, it)| (it.unit, it.number) == (unit, number) && !it.dropped);
        same.map(|(request, _)| *request).collect()
    }

    /// A prompt has the history that the disk has: what was said before it in its conversation, was
    /// answered and was not left out.
    fn check_history(&self, request: &Claimed, sent: Option<&[Arc<str>]>) {
        let job = &self.jobs[&request.unit.job];
        let Some(talk) = self.talks.get(&request.id) else {
            let converses = job.job.settings.mode == Mode::Conversation;
            assert!(
                !converses || request.body.as_ref() == "{}",
                "it speaks nowhere"
            );
            return;
        };
        let spoke = self.spoke(request.unit, talk.number).into_iter();
        let expected: Vec<String> = spoke
            .filter(|before| *before < request.id)
            .filter_map(|before| match &self.answers.get(&before)?.body {
                AnswerBody::Chat { content, .. } => Some(content.clone()),
                other => panic!("{other:?}"),
            })
            .collect();
        let own = serde_json::from_str::<serde_json::Value>(&request.body).expect("JSON");
        let said = |messages: Vec<serde_json::Value>| -> Vec<String> {
            let answers = messages.into_iter().filter(|it| it["role"] == "assistant");
            answers
                .filter_map(|it| it["content"].as_str().map(str::to_owned))
                .collect()
        };
        let own = said(own["messages"].as_array().cloned().unwrap_or_default());
        let sent = sent.unwrap_or_default().iter();
        let sent = said(
            sent.map(|it| serde_json::from_str(it).expect("JSON"))
                .collect(),
        );
        let history: Vec<String> = sent.into_iter().filter(|it| !own.contains(it)).collect();
        assert_eq!(
            history, expected,
            "before {:?} in {}",
            request.id, talk.number
        );
    }

    fn change(&mut self, id: JobId, change: impl FnOnce(&mut Job)) -> Written {
        let row = self.jobs.get_mut(&id).expect("a known job");
        change(&mut row.job);
        Written::Job(Box::new(row.job.clone()))
    }

    fn claim(&mut self, unit: Unit, limit: usize) -> Written {
        let rows = &mut self.jobs.get_mut(&unit.job).expect("its job").requests;
        let queued = rows
            .iter_mut()
            .filter(|(_, row)| row.state == RequestState::Queued && row.model == unit.model);
        let requests: Vec<Claimed> = queued
            .take(limit)
            .map(|(id, row)| {
                row.state = RequestState::Claimed;
                row.attempts.sent += 1;
                let body = (self.body)((id.0 % 1_000_000) as u64);
                Claimed {
                    id: *id,
                    unit,
                    custom_id: Arc::from(id.0.to_string()),
                    endpoint: Endpoint::Chat,
                    prompt: prompt_of(&body),
                    body: body.into(),
                    attempts: row.attempts,
                }
            })
            .collect();
        let exhausted = requests.len() < limit;
        Written::Claimed {
            unit,
            requests,
            exhausted,
        }
    }

    fn save(&mut self, record: &Record) -> Written {
        let request = record.request();
        if let Record::Answered { answer, .. } = record {
            self.answers.insert(request, answer.as_ref().clone());
        }
        let (state, attempts) = match record {
            Record::Answered { .. } => (RequestState::Done, None),
            Record::Failed { attempts, .. } => (RequestState::Failed, Some(*attempts)),
            Record::Again { attempts, .. } => (RequestState::Claimed, Some(*attempts)),
            Record::Released { attempts, .. } => (RequestState::Queued, Some(*attempts)),
        };
        let job = self
            .jobs
            .get_mut(&JobId(request.0 / 1_000_000))
            .expect("its job");
        let row = job.requests.get_mut(&request).expect("its row");
        assert_eq!(
            row.state,
            RequestState::Claimed,
            "only what is claimed ends: {record:?}"
        );
        row.state = state;
        row.attempts = attempts.unwrap_or(row.attempts);
        match state {
            RequestState::Done => job.job.counts.done += 1,
            RequestState::Failed => job.job.counts.failed += 1,
            _ => {}
        }
        Written::Saved {
            request,
            moved: true,
        }
    }

    fn retry(&mut self, id: JobId) -> Written {
        let row = self.jobs.get_mut(&id).expect("its job");
        let mut count = 0;
        for request in row
            .requests
            .values_mut()
            .filter(|r| r.state == RequestState::Failed)
        {
            request.state = RequestState::Queued;
            request.attempts = Attempts {
                sent: request.attempts.sent,
                ..Attempts::default()
            };
            count += 1;
        }
        row.job.counts.failed -= count;
        if row.job.state == JobState::Done && count > 0 {
            row.job.state = JobState::Queued;
        }
        Written::Retried {
            count,
            failed: Vec::new(),
            job: Box::new(row.job.clone()),
        }
    }

    fn reorder(&mut self, id: JobId, to: Move) -> Written {
        let mut places: Vec<(i64, JobId)> = self
            .jobs
            .values()
            .map(|row| (row.job.position, row.job.id))
            .collect();
        places.sort_unstable();
        let at = places
            .iter()
            .position(|(_, job)| *job == id)
            .expect("its place");
        let other = match to {
            Move::Up => at.checked_sub(1),
            Move::Down => Some(at + 1).filter(|at| *at < places.len()),
        };
        if let Some(other) = other {
            self.jobs
                .get_mut(&places[at].1)
                .expect("its job")
                .job
                .position = places[other].0;
            self.jobs
                .get_mut(&places[other].1)
                .expect("its job")
                .job
                .position = places[at].0;
        }
        let jobs = self.jobs.values().map(|row| row.job.clone()).collect();
        Written::Reordered {
            changed: other.is_some(),
            jobs,
        }
    }

    /// Whether the answer to a request is on the disk.
    pub(crate) fn is_answered(&self, request: RequestId) -> bool {
        self.answers.contains_key(&request)
    }

    /// How many requests of a job stand at each state.
    pub(crate) fn states(&self, id: i64) -> BTreeMap<RequestState, usize> {
        let mut states = BTreeMap::new();
        for row in self.jobs[&JobId(id)].requests.values() {
            *states.entry(row.state).or_default() += 1;
        }
        states
    }

    /// Every request of every job has exactly one end, on disk and told.
    pub(crate) fn assert_all_ended(&self) {
        for row in self.jobs.values() {
            for (id, request) in &row.requests {
                assert!(
                    matches!(request.state, RequestState::Done | RequestState::Failed),
                    "{id:?} is {request:?}"
                );
            }
            assert_eq!(row.job.state, JobState::Done);
            let core = self.core.job(row.job.id).expect("known to the core");
            assert_eq!(core.counts.done, row.job.counts.done);
            assert_eq!(core.counts.failed, row.job.counts.failed);
        }
    }
}

fn core(jobs: &BTreeMap<JobId, JobRow>, guard: Option<GuardLimits>, known: Vec<Profile>) -> Core {
    let listed = jobs.values().map(|row| row.job.clone()).collect();
    let core = Core::new(listed).knowing(known);
    match guard {
        Some(limits) => core.guarded_by(limits, TimeZone::UTC),
        None => core,
    }
}

fn answer((number, prompt): (u64, u64), total: Duration, worked: Duration) -> Answer {
    Answer {
        model: "m".into(),
        body: AnswerBody::Chat {
            content: format!("answer {number} says so"),
            thinking: None,
            tool_calls: None,
            logprobs: None,
        },
        finish: Finish::Stop,
        usage: Usage {
            prompt: Some(Tokens(prompt)),
            cached: None,
            answer: Some(Tokens(10)),
            ..Usage::default()
        },
        timings: Timings {
            load: Some(Duration::from_millis(2)),
            total: Some(total + Duration::from_millis(2)),
            prefill: Some(worked / 4),
            decode: Some(worked * 3 / 4),
            ..Timings::default()
        },
    }
}

/// What intake says of a prompt; nothing where the body is none that it would take.
fn prompt_of(body: &str) -> Option<Prompt> {
    let line = format!(
        r#"{{"custom_id":"c","method":"POST","url":"/v1/chat/completions","body":{body}}}"#
    );
    let rules = Rules {
        model_override: true,
        ..Rules::default()
    };
    match Lines::new(line.as_bytes(), rules).next() {
        Some(Ok(Item::Request(request, _))) => Some(request.prompt),
        _ => None,
    }
}
