//! What goes into the core and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{Moment, Stamp};
use crate::context::ModelFacts;
use crate::model::{
    Answer, Command, CommandError, Done, Event, Failure, FailureClass, Job, JobId, JobSettings,
    LoadOptions, LoadedModel, Readings, RequestId, Timings, Usage,
};
use crate::store::{Claimed, Write, Written};

/// The time of an input, by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For measuring.
    pub moment: Moment,
    /// For people.
    pub stamp: Stamp,
}

/// Marks a command, so that its reply finds the one who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Marks one sending of a request; a request that is sent again gets another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SendId(pub u64);

/// Which jobs are worked off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// None: only what commands ask is done.
    Nothing,
    /// This one alone.
    Only(JobId),
    /// All of them.
    Everything,
}

/// What the core is told.
#[derive(Debug)]
pub enum Input {
    /// Work these jobs off from now on.
    Work(Scope),
    /// A job was read to its end and is in the queue.
    Admitted(Box<Job>),
    /// Somebody asks for something.
    Command(Ticket, Command),
    /// The store wrote something.
    Written(Option<Ticket>, Result<Written, String>),
    /// The store cannot write at present.
    StoreTrouble(String),
    /// The store can write again.
    StoreWell,
    /// The server was asked about a model that is to be loaded.
    Looked(LoadOptions, Result<Box<ModelFacts>, Failure>),
    /// What the cards that the models run on are called in profiles.
    Card(String),
    /// The server was asked to load a model.
    Warmed(LoadOptions, Result<Warmed, Failure>),
    /// The server was asked what it holds in memory.
    Loaded(Vec<LoadedModel>),
    /// The cards were read.
    Readings(Arc<Readings>),
    /// The server was asked whether it is there.
    Probed(Result<(), Failure>),
    /// A request that was sent came to its end.
    Ended(RequestId, SendId, Result<Box<Answer>, Failure>),
    /// Start nothing new and let what is in flight finish for so long.
    Stop(Duration),
    /// Time has passed.
    Tick,
}

/// A model that the server has just loaded, or had already.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Warmed {
    /// How long that took.
    pub took: Duration,
    /// Hash of the model's manifest, where the server tells it.
    pub digest: Option<String>,
    /// Whether the server had to load it, so that none of its prompts can be cached.
    pub is_fresh: bool,
    /// What the server says of it now.
    pub loaded: Option<LoadedModel>,
}

/// What is to be done.
#[derive(Debug)]
pub enum Effect {
    /// Write this; the ticket comes back with the result.
    Write(Write, Option<Ticket>),
    /// Send a request in a lane.
    Send(Box<Sending>),
    /// Drop the connection of a request in flight.
    Abort(RequestId),
    /// Ask the server about a model before it is loaded.
    Look(LoadOptions),
    /// Load a model; the names are those that must be installed before the job may start.
    Warm(LoadOptions, Vec<String>),
    /// Stop loading, and asking about what was to be loaded.
    AbortWarm,
    /// Ask the server whether it is there.
    Probe,
    /// Answer a command.
    Reply(Ticket, Result<Done, CommandError>),
    /// Something worth telling happened.
    Tell(Event),
    /// The end of a request is on disk and may be told.
    Publish(Published),
    /// The failures of a job by class are these now.
    Failed(JobId, Vec<(FailureClass, u64)>),
    /// Everything is stored and nothing runs: the engine may end.
    Stopped,
}

/// A request on its way out.
#[derive(Debug)]
pub struct Sending {
    /// Which sending.
    pub id: SendId,
    /// In which lane, from 1.
    pub lane: u32,
    /// The request.
    pub request: Claimed,
    /// The messages to send instead of those in its body, each as JSON in OpenAI's form: with
    /// the history before them, or without what did not fit.
    pub messages: Option<Vec<Arc<str>>>,
    /// What the server has to have loaded.
    pub load: LoadOptions,
    /// The settings of its job.
    pub settings: Arc<JobSettings>,
    /// How often it was stopped for repeating itself: asks for another seed.
    pub nudge: u32,
}

/// The stored end of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// Its job.
    pub job: JobId,
    /// The request.
    pub request: RequestId,
    /// How it ended.
    pub end: End,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// With an answer.
    Answered {
        /// Its tokens.
        usage: Usage,
        /// Its times.
        timings: Timings,
        /// Whether the answer was cut off.
        cut: bool,
    },
    /// With a failure.
    Failed(Failure),
}
