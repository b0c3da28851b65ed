//! Real queues for the tests of what reads them.

use std::path::Path;

use crate::base::Stamp;
use crate::model::{Endpoint, Failure, FailureClass, JobId, JobSettings, NewRequest, Prompt};
use crate::store::{Admission, Chunk, Invalid, NewJob, Store, Write, Written};

/// Every so many lines one is no valid request.
const BAD: u64 = 1_000;

/// A queue with one job of so many requests.
pub(super) fn queue(folder: &Path, many: u64) -> (Store, JobId) {
    queue_with(folder, many, BAD)
}

/// The same where so many of them have come to their end.
pub(super) fn ended(folder: &Path, many: u64) -> (Store, JobId) {
    queue_with(folder, many, 1)
}

fn line(admission: &mut Admission, n: u64, bad: u64) -> Option<Chunk> {
    if n % bad == bad - 1 {
        return admission.invalid(Invalid {
            line: n + 1,
            custom_id: Some(format!("bad{n}")),
            failure: Failure::new(
                FailureClass::InvalidRequest,
                format!("line {n} is no request"),
            ),
            at: Stamp(0),
        });
    }
    admission.request(NewRequest {
        line: n + 1,
        custom_id: format!("c{n}"),
        endpoint: Endpoint::Chat,
        model: Some("m".into()),
        body: "{}".into(),
        shareable: Vec::new(),
        prompt: Prompt::default(),
    })
}

fn queue_with(folder: &Path, many: u64, bad: u64) -> (Store, JobId) {
    let mut store = Store::open(folder).unwrap();
    let settings = JobSettings::default();
    let mut apply = |write| store.apply(&[write]).unwrap().remove(0);
    let opened = apply(Write::OpenJob(NewJob {
        name: "a.jsonl".into(),
        path: "/a.jsonl".into(),
        settings: settings.clone(),
        created: Stamp(0),
    }));
    let Written::Job(job) = opened else {
        panic!("no job")
    };
    let mut admission = Admission::new(&settings);
    for n in 0..many {
        if let Some(chunk) = line(&mut admission, n, bad) {
            apply(Write::Admit(job.id, chunk));
        }
    }
    apply(Write::Admit(job.id, admission.finish()));
    (store, job.id)
}
