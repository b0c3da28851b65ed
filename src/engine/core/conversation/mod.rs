//! Conversations: which requests speak in which, and what each has said so far.
//!
//! Requests that begin with the same tools and system messages share conversations, one a lane. A
//! request stays with its conversation until its end, tries and restarts included, so that the order
//! within it is that of the file. What a request sees is what stands before it in the file and was
//! answered; a request that failed leaves nothing behind.
//!
//! With more lanes there are more conversations. With fewer, the oldest ones are gone on with and the
//! others rest, until lanes come back or prompts that begin otherwise need their place: then those
//! that rest longest are over. The guard, which holds lanes back for a while, changes nothing of it.
//! All of it is on disk, and what is recalled after a start is what was held before.

mod compose;
mod draft;
mod prompt;
mod sent;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use self::prompt::{Beginning, Message, Prompt};
use super::{Core, Effect};
use crate::model::{Answer, JobId, Mode, RequestId, Tokens};
use crate::store::{Claimed, Recalled, RecalledExchange, Unit, Write};

pub(super) use sent::Prompts;

/// Conversations of a unit that are recalled after a start, unless it may have more lanes.
const RECALLED: usize = 64;
/// Bytes of stored text that are recalled for each token of the window: more than any text has.
const RECALLED_BYTES: u64 = 16;

/// The conversations under way.
#[derive(Debug, Default)]
pub(super) struct Conversations {
    held: BTreeMap<Place, Conversation>,
    /// Where requests speak that were sent and have no end yet.
    speakers: BTreeMap<RequestId, Place>,
    units: BTreeMap<Unit, Memory>,
    /// How the prompts of claimed requests begin that speak in conversations.
    beginnings: HashMap<RequestId, Beginning>,
    /// Where requests spoke that went back to the queue, or had no end when the process before this
    /// one died.
    promised: HashMap<RequestId, Place>,
}

/// A conversation by its unit and its number there.
type Place = (Unit, i64);

#[derive(Debug)]
struct Conversation {
    beginning: Beginning,
    /// In the order of the file.
    exchanges: Vec<Exchange>,
    /// Requests since the history was last trimmed.
    since_trim: u32,
    speaker: Option<RequestId>,
}

/// A request's own messages and the answer to them.
#[derive(Debug)]
struct Exchange {
    request: RequestId,
    question: Vec<Message>,
    answer: Message,
}

/// What is known of the conversations that a unit had before.
#[derive(Debug)]
enum Memory {
    /// The store was asked.
    Asked,
    /// Numbers up to this one are taken.
    Known(i64),
}

impl Conversations {
    /// Takes note of a claimed request that will speak in a conversation.
    fn expect(&mut self, request: RequestId, beginning: Beginning) {
        self.beginnings.insert(request, beginning);
    }

    /// Whether a request may be sent: it speaks already, or a conversation is free for it. One
    /// that is no chat waits for nobody.
    fn may_speak(&self, request: &Claimed, lanes: usize) -> bool {
        let Some(beginning) = self.beginnings.get(&request.id) else {
            return true;
        };
        let is_known = matches!(self.units.get(&request.unit), Some(Memory::Known(_)));
        is_known && self.room(request, *beginning, lanes).is_some()
    }

    /// Where a request would speak. Of the free conversations that have not come past it, it is the
    /// oldest: where lanes have become fewer, those with the longest histories go on.
    fn room(&self, request: &Claimed, beginning: Beginning, lanes: usize) -> Option<Room> {
        let promised = self.promised.get(&request.id);
        if let Some((place, talk)) = promised.and_then(|it| self.held.get_key_value(it)) {
            return talk.speaker.is_none().then_some(Room::Held(*place));
        }
        let unit = request.unit;
        let of_unit = || self.held.iter().filter(move |((of, _), _)| *of == unit);
        let free = || of_unit().filter(|(_, talk)| talk.speaker.is_none());
        let same = free().filter(|(_, talk)| talk.beginning == beginning);
        let best = same
            .max_by_key(|((_, number), talk)| (talk.last() < Some(request.id), Reverse(*number)));
        if let Some((place, _)) = best {
            return Some(Room::Held(*place));
        }
        let surplus = (of_unit().count() + 1).saturating_sub(lanes);
        let mut over: Vec<_> = free().map(|(place, talk)| (talk.last(), *place)).collect();
        over.sort_unstable();
        over.truncate(surplus);
        if surplus > 0 && over.is_empty() {
            return None;
        }
        Some(Room::New(
            over.into_iter().map(|(_, place)| place).collect(),
        ))
    }

    /// Lets a request speak. Returns the number of its conversation where it has just joined it,
    /// and the numbers of those that are over for it.
    fn join(&mut self, request: &Claimed, lanes: usize) -> Option<(i64, Vec<i64>)> {
        let beginning = self.beginnings.remove(&request.id)?;
        let (place, over) = match self.room(request, beginning, lanes)? {
            Room::Held(place) => (place, Vec::new()),
            Room::New(over) => (self.begin(request.unit, beginning)?, over),
        };
        for place in &over {
            self.held.remove(place);
        }
        self.promised.remove(&request.id);
        self.held.get_mut(&place)?.speaker = Some(request.id);
        self.speakers.insert(request.id, place);
        let over = over.into_iter().map(|(_, number)| number).collect();
        Some((place.1, over))
    }

    fn begin(&mut self, unit: Unit, beginning: Beginning) -> Option<Place> {
        let Some(Memory::Known(highest)) = self.units.get_mut(&unit) else {
            return None;
        };
        *highest += 1;
        let place = (unit, *highest);
        self.held.insert(place, Conversation::new(beginning));
        Some(place)
    }

    /// The request has come to its end, or goes back to the queue.
    fn leave(&mut self, request: RequestId) -> Option<&mut Conversation> {
        self.beginnings.remove(&request);
        let place = self.speakers.remove(&request)?;
        let talk = self.held.get_mut(&place)?;
        talk.speaker = None;
        Some(talk)
    }

    fn of(&self, request: RequestId) -> Option<&Conversation> {
        self.held.get(self.speakers.get(&request)?)
    }

    fn of_mut(&mut self, request: RequestId) -> Option<&mut Conversation> {
        self.held.get_mut(self.speakers.get(&request)?)
    }

    fn recalled(&mut self, unit: Unit, conversations: Vec<Recalled>, highest: i64) {
        for recalled in conversations {
            let Recalled {
                number,
                exchanges,
                unended,
                since_trim,
            } = recalled;
            let mut talk: Option<Conversation> = None;
            for RecalledExchange {
                request,
                body,
                answer,
            } in exchanges
            {
                let prompt = Prompt::of(crate::model::Endpoint::Chat, &body, &[]);
                let Some(prompt) = prompt else { continue };
                let talk = talk.get_or_insert_with(|| Conversation::new(prompt.beginning()));
                talk.add(request, prompt.own, &answer);
            }
            if let Some(mut talk) = talk {
                talk.since_trim = since_trim;
                let place = (unit, number);
                self.held.insert(place, talk);
                self.promised
                    .extend(unended.into_iter().map(|it| (it, place)));
            }
        }
        self.units.insert(unit, Memory::Known(highest));
    }

    /// Nothing more will be said in a job.
    fn forget(&mut self, job: JobId) {
        self.held.retain(|(unit, _), _| unit.job != job);
        self.speakers.retain(|_, (unit, _)| unit.job != job);
        self.units.retain(|unit, _| unit.job != job);
        self.promised.retain(|_, (unit, _)| unit.job != job);
    }
}

/// Where a request speaks.
enum Room {
    /// In a conversation that is under way.
    Held(Place),
    /// In a new one, for which these are over.
    New(Vec<Place>),
}

impl Conversation {
    const fn new(beginning: Beginning) -> Self {
        Self {
            beginning,
            exchanges: Vec::new(),
            since_trim: 0,
            speaker: None,
        }
    }

    /// The last request that was answered in it.
    fn last(&self) -> Option<RequestId> {
        self.exchanges.last().map(|it| it.request)
    }

    /// What stands before a request.
    fn before(&self, request: RequestId) -> &[Exchange] {
        let end = self.exchanges.partition_point(|it| it.request < request);
        self.exchanges.get(..end).unwrap_or_default()
    }

    /// Adds what a request said and heard, at its place in the file.
    fn add(&mut self, request: RequestId, question: Vec<Message>, answer: &Answer) {
        self.since_trim = self.since_trim.saturating_add(1);
        let Some(answer) = Message::answer(answer) else {
            return;
        };
        let at = self.exchanges.partition_point(|it| it.request < request);
        let exchange = Exchange {
            request,
            question,
            answer,
        };
        self.exchanges.insert(at, exchange);
    }

    fn drop_exchanges(&mut self, dropped: &[RequestId]) {
        self.exchanges
            .retain(|exchange| !dropped.contains(&exchange.request));
    }
}

impl Core {
    /// Takes note of requests that were claimed.
    pub(super) fn expect(&mut self, requests: &[Claimed]) {
        for request in requests {
            if self.converses(request.unit.job)
                && let Some(prompt) = self.prompts.read(request)
            {
                let beginning = prompt.beginning();
                self.conversations.expect(request.id, beginning);
            }
        }
    }

    fn converses(&self, job: JobId) -> bool {
        let entry = self.jobs.get(&job);
        entry.is_some_and(|entry| entry.settings.mode == Mode::Conversation)
    }

    /// Whether a request may be sent as far as its conversation is concerned.
    pub(super) fn may_speak(&self, request: &Claimed) -> bool {
        let lanes = self.lanes_unguarded(request.unit.job);
        self.conversations.may_speak(request, lanes)
    }

    /// Asks the store for the conversations that the next request may go on with.
    pub(super) fn recall_earlier(&mut self) {
        let Some(request) = self.ready.front() else {
            return;
        };
        let unit = request.unit;
        let is_asked = self.conversations.units.contains_key(&unit);
        if is_asked || !self.converses(unit.job) {
            return;
        }
        let load = self.jobs.get(&unit.job).and_then(|entry| entry.load(unit));
        let window = load.map_or(Tokens(0), |load| self.learning.window(&load));
        let bytes = window.0.saturating_mul(RECALLED_BYTES);
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.conversations.units.insert(unit, Memory::Asked);
        let conversations = self.lanes_unguarded(unit.job).max(RECALLED);
        let write = Write::Recall(unit, conversations, bytes);
        self.effects.push(Effect::Write(write, None));
    }

    /// The store has remembered.
    pub(super) fn recalled(&mut self, unit: Unit, conversations: Vec<Recalled>, highest: i64) {
        self.conversations.recalled(unit, conversations, highest);
    }

    /// Gives a request its place in a conversation, and notes on disk where that is.
    fn join(&mut self, request: &Claimed) {
        let unit = request.unit;
        let lanes = self.lanes_unguarded(unit.job);
        let Some((number, over)) = self.conversations.join(request, lanes) else {
            return;
        };
        let over = over
            .into_iter()
            .map(|number| Write::EndConversation(unit, number));
        let writes = over.chain([Write::Speak(unit, request.id, number)]);
        self.effects
            .extend(writes.map(|write| Effect::Write(write, None)));
    }

    /// A request goes back to the queue: when it comes again, it goes on where it was.
    pub(super) fn step_back(&mut self, request: RequestId) {
        let place = self.conversations.speakers.get(&request).copied();
        let promised = place.map(|place| (request, place));
        self.conversations.promised.extend(promised);
        self.leave(request);
    }

    /// A request is no longer on its way: nothing of it stays in its conversation.
    pub(super) fn leave(&mut self, request: RequestId) {
        self.conversations.leave(request);
        self.prompts.ended(request);
        self.learning.dropped(request);
    }

    /// A job is over: its conversations are on disk.
    pub(super) fn forget_conversations(&mut self, job: JobId) {
        self.conversations.forget(job);
    }
}
