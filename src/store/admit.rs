//! Requests on their way in: prompts that repeat are kept once, beginnings that are alike get the
//! same group.

use std::collections::HashMap;
use std::mem;

use rusqlite::{Connection, OptionalExtension, params};

use crate::base::Stamp;
use crate::model::{
    Endpoint, Failure, JobId, JobSettings, NewRequest, Prompt, RequestId, RequestState,
};

/// Texts remembered because they were seen once. Beyond that many, further texts are kept whole:
/// a file with a million different long texts has nothing to share.
const REMEMBERED_TEXTS: usize = 1 << 20;
/// Groups of equal beginnings in a job. Beyond that many, the rest share one group and run in
/// input order.
const PREFIX_GROUPS: usize = 1 << 16;
/// A chunk is handed over at this many requests …
const CHUNK_REQUESTS: usize = 4_000;
/// … or this many bytes.
const CHUNK_BYTES: usize = 8 << 20;

/// A job about to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// The file's name without folders.
    pub name: String,
    /// Where it is read from.
    pub path: String,
    /// How its requests are run.
    pub settings: JobSettings,
    /// When it came.
    pub created: Stamp,
}

/// A line that is no valid request, kept so that answers and failures add up to lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Invalid {
    /// Physical line, from 1.
    pub line: u64,
    /// The user's name for it, where it has one that no other line has.
    pub custom_id: Option<String>,
    /// What is wrong with it.
    pub failure: Failure,
    /// When it was found.
    pub at: Stamp,
}

/// Collects the requests of one job into chunks for the store. Its memory is bounded.
#[derive(Debug)]
pub struct Admission {
    model: Option<String>,
    next_seq: i64,
    seen: HashMap<[u8; 16], Seen>,
    texts: i64,
    models: HashMap<String, i64>,
    prefixes: HashMap<u64, i64>,
    chunk: Chunk,
}

#[derive(Debug, Clone, Copy)]
enum Seen {
    Once,
    Stored(i64),
}

/// A part of a job, ready to be written.
#[derive(Debug, Default)]
pub struct Chunk {
    entries: Vec<Entry>,
    texts: Vec<(i64, String)>,
    models: Vec<(i64, String)>,
    endpoint: Option<Endpoint>,
    bytes: usize,
}

#[derive(Debug)]
enum Entry {
    Request {
        seq: i64,
        line: u64,
        custom_id: String,
        model: i64,
        prefix: i64,
        prompt: Prompt,
        rest: String,
        cuts: Option<String>,
    },
    Invalid {
        seq: i64,
        invalid: Invalid,
    },
}

impl Admission {
    /// For a job whose `settings` may replace the model of every line.
    pub fn new(settings: &JobSettings) -> Self {
        Self {
            model: settings.model.clone(),
            next_seq: 0,
            seen: HashMap::new(),
            texts: 0,
            models: HashMap::new(),
            prefixes: HashMap::new(),
            chunk: Chunk::default(),
        }
    }

    /// Takes a request. A chunk is returned when enough has come together.
    pub fn request(&mut self, request: NewRequest) -> Option<Chunk> {
        let seq = self.take_seq();
        let model = self.model_ordinal(request.model);
        let prompt = request.prompt;
        let groups = self.prefixes.len();
        let last = PREFIX_GROUPS as i64;
        let prefix = if groups < PREFIX_GROUPS {
            *self.prefixes.entry(prompt.prefix).or_insert(groups as i64)
        } else {
            self.prefixes.get(&prompt.prefix).copied().unwrap_or(last)
        };
        let (rest, cuts) = self.cut(request.body, &request.shareable);
        self.chunk.bytes += rest.len();
        self.chunk.endpoint.get_or_insert(request.endpoint);
        let (line, custom_id) = (request.line, request.custom_id);
        self.chunk.entries.push(Entry::Request {
            seq,
            line,
            custom_id,
            model,
            prefix,
            prompt,
            rest,
            cuts,
        });
        self.full_chunk()
    }

    /// Takes a line that is no valid request.
    pub fn invalid(&mut self, invalid: Invalid) -> Option<Chunk> {
        let seq = self.take_seq();
        self.chunk.bytes += invalid.failure.message.len();
        self.chunk.entries.push(Entry::Invalid { seq, invalid });
        self.full_chunk()
    }

    /// What has not been handed over yet.
    pub fn finish(&mut self) -> Chunk {
        mem::take(&mut self.chunk)
    }

    fn take_seq(&mut self) -> i64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        seq
    }

    fn full_chunk(&mut self) -> Option<Chunk> {
        let full = self.chunk.entries.len() >= CHUNK_REQUESTS || self.chunk.bytes >= CHUNK_BYTES;
        full.then(|| self.finish())
    }

    fn model_ordinal(&mut self, named: Option<String>) -> i64 {
        let name = self.model.clone().or(named).unwrap_or_default();
        if let Some(&ordinal) = self.models.get(&name) {
            return ordinal;
        }
        let ordinal = self.models.len() as i64;
        self.models.insert(name.clone(), ordinal);
        self.chunk.models.push((ordinal, name));
        ordinal
    }

    /// Cuts the texts out of `body` that were seen before. The first occurrence of a text stays
    /// in its body: only the second shows that it is shared.
    fn cut(
        &mut self,
        body: String,
        shareable: &[std::ops::Range<usize>],
    ) -> (String, Option<String>) {
        let mut rest = String::new();
        let mut cuts: Vec<(usize, i64)> = Vec::new();
        let mut copied = 0;
        for range in shareable {
            let Some(text) = body.get(range.clone()) else {
                continue;
            };
            let Some(number) = self.shared(text) else {
                continue;
            };
            rest.push_str(body.get(copied..range.start).unwrap_or_default());
            cuts.push((rest.len(), number));
            copied = range.end;
        }
        if cuts.is_empty() {
            return (body, None);
        }
        rest.push_str(body.get(copied..).unwrap_or_default());
        (rest, serde_json::to_string(&cuts).ok())
    }

    fn shared(&mut self, text: &str) -> Option<i64> {
        let mut key = [0; 16];
        key.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..16]);
        match self.seen.get(&key) {
            Some(Seen::Stored(number)) => Some(*number),
            Some(Seen::Once) => {
                let number = self.texts;
                self.texts += 1;
                self.seen.insert(key, Seen::Stored(number));
                self.chunk.texts.push((number, text.to_owned()));
                Some(number)
            }
            None => {
                if self.seen.len() < REMEMBERED_TEXTS {
                    self.seen.insert(key, Seen::Once);
                }
                None
            }
        }
    }
}

impl Chunk {
    /// Requests and invalid lines in it.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Makes the row of a job that is being read.
pub(super) fn open_job(connection: &Connection, job: &NewJob) -> rusqlite::Result<JobId> {
    let source = serde_json::json!({"path": job.path, "bytes": 0, "hash": ""}).to_string();
    connection.execute(
        "INSERT INTO job (name, state, settings, source, created) VALUES (?1, 'reading', ?2, ?3, ?4)",
        params![job.name, super::row::json(&job.settings)?, source, job.created.0],
    )?;
    let id = connection.last_insert_rowid();
    connection.execute("UPDATE job SET position = id WHERE id = ?1", [id])?;
    Ok(JobId(id))
}

/// Writes a chunk and adds it to the job's counts.
pub(super) fn write(connection: &Connection, job: JobId, chunk: &Chunk) -> rusqlite::Result<()> {
    for (number, content) in &chunk.texts {
        connection
            .prepare_cached("INSERT INTO text (job, number, content) VALUES (?1, ?2, ?3)")?
            .execute(params![job.0, number, content])?;
    }
    for (ordinal, name) in &chunk.models {
        connection
            .prepare_cached("INSERT INTO job_model (job, ordinal, name) VALUES (?1, ?2, ?3)")?
            .execute(params![job.0, ordinal, name])?;
    }
    let mut failed = 0;
    for entry in &chunk.entries {
        failed += u64::from(write_entry(connection, job, entry)?);
    }
    connection.execute(
        "UPDATE job SET total = total + ?2, failed = failed + ?3,
                endpoint = coalesce(endpoint, ?4) WHERE id = ?1",
        params![
            job.0,
            chunk.entries.len() as i64,
            failed as i64,
            chunk.endpoint.map(Endpoint::url)
        ],
    )?;
    Ok(())
}

/// Writes one entry; true when it is a failure from the start.
fn write_entry(connection: &Connection, job: JobId, entry: &Entry) -> rusqlite::Result<bool> {
    let mut row = connection.prepare_cached(
        "INSERT INTO request (job, seq, line, custom_id, state, model, prefix)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    match entry {
        Entry::Request {
            seq,
            line,
            custom_id,
            model,
            prefix,
            prompt,
            rest,
            cuts,
        } => {
            let state = RequestState::Queued.code();
            row.execute(params![
                job.0,
                seq,
                *line as i64,
                custom_id,
                state,
                model,
                prefix
            ])?;
            connection
                .prepare_cached(
                    "INSERT INTO body (request, rest, cuts, prompt, lead, prefix)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    connection.last_insert_rowid(),
                    rest,
                    cuts,
                    prompt.bytes as i64,
                    prompt.lead as i64,
                    prompt.prefix as i64
                ])?;
            Ok(false)
        }
        Entry::Invalid { seq, invalid } => {
            let state = RequestState::Failed.code();
            let line = invalid.line as i64;
            row.execute(params![job.0, seq, line, invalid.custom_id, state, 0, 0])?;
            let request = RequestId(connection.last_insert_rowid());
            super::save::insert_failure(connection, (job, request), &invalid.failure, invalid.at)?;
            Ok(true)
        }
    }
}

/// Puts the texts of a body back where they were cut out.
pub(super) fn whole_body(
    rest: String,
    cuts: Option<&str>,
    mut text: impl FnMut(i64) -> rusqlite::Result<std::sync::Arc<str>>,
) -> rusqlite::Result<String> {
    let Some(cuts) = cuts else { return Ok(rest) };
    let cuts: Vec<(usize, i64)> = super::row::parse(cuts)?;
    let mut texts = Vec::with_capacity(cuts.len());
    for (offset, number) in cuts {
        texts.push((offset, text(number)?));
    }
    let length = rest.len() + texts.iter().map(|(_, text)| text.len()).sum::<usize>();
    let mut body = String::with_capacity(length);
    let mut copied = 0;
    for (offset, text) in texts {
        body.push_str(rest.get(copied..offset).unwrap_or_default());
        body.push_str(&text);
        copied = offset;
    }
    body.push_str(rest.get(copied..).unwrap_or_default());
    Ok(body)
}

/// Reads a shared text.
pub(super) fn read_text(
    connection: &Connection,
    job: i64,
    number: i64,
) -> rusqlite::Result<String> {
    connection
        .prepare_cached("SELECT content FROM text WHERE job = ?1 AND number = ?2")?
        .query_row([job, number], |row| row.get(0))
        .optional()
        .map(Option::unwrap_or_default)
}
