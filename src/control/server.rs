//! The owner's end.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::WriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::{Ask, LONGEST_LINE, Line, Reply, random_token};
use crate::engine::{AdmitError, Handle};
use crate::model::{CommandError, Done};
use crate::store::Owner;

/// Whoever connects and says nothing is not waited for.
const SILENCE: Duration = Duration::from_secs(5);
/// Before the next try when the operating system gives no connection.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);
/// Others that may wait for their replies at once.
const CONNECTIONS: usize = 64;

/// Takes commands from other processes until it is dropped.
#[derive(Debug)]
pub struct Listener {
    owner: Owner,
    task: JoinHandle<()>,
}

impl Listener {
    /// Starts to listen on a free port of the loopback interface.
    ///
    /// # Errors
    /// When the operating system gives no port or no random bytes.
    pub async fn start(handle: Handle) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let owner = Owner {
            pid: std::process::id(),
            port: Some(listener.local_addr()?.port()),
            token: random_token()?,
        };
        let task = tokio::spawn(listen(listener, handle, owner.token.clone()));
        Ok(Self { owner, task })
    }

    /// What others need to know to reach it.
    pub const fn owner(&self) -> &Owner {
        &self.owner
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(listener: TcpListener, handle: Handle, token: String) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS => {
                match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(serve(stream, handle.clone(), token.clone()));
                    }
                    // Most often there are too many open files, which takes a while to pass.
                    Err(_) => sleep(AFTER_REFUSAL).await,
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(mut stream: TcpStream, handle: Handle, token: String) {
    let (reading, mut writing) = stream.split();
    let mut text = String::new();
    let mut reader = BufReader::new(reading.take(LONGEST_LINE));
    let read = timeout(SILENCE, reader.read_line(&mut text)).await;
    if !matches!(read, Ok(Ok(_))) {
        return;
    }
    let reply = match serde_json::from_str::<Line>(&text) {
        Ok(line) if line.ask == Ask::Watch && same(&line.token, &token) => {
            return tell(&mut writing, &handle).await;
        }
        Ok(line) if same(&line.token, &token) => answer(line.ask, &handle).await,
        _ => Reply::Refused(CommandError::new(
            "the owner of the queue did not understand",
            "use the same version of batchtop in all places",
        )),
    };
    let mut line = serde_json::to_string(&reply).unwrap_or_default();
    line.push('\n');
    // Who hung up does not need the answer.
    let _ = writing.write_all(line.as_bytes()).await;
}

/// Tells how the run goes until it ends or nobody listens any more. Who listens slowly misses
/// pictures and never holds up anything.
async fn tell(writing: &mut WriteHalf<'_>, handle: &Handle) {
    let mut snapshots = handle.snapshots();
    snapshots.mark_changed();
    while snapshots.changed().await.is_ok() {
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        let mut line = serde_json::to_string(&*snapshot).unwrap_or_default();
        line.push('\n');
        if writing.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Compares in constant time: how long it takes must not tell how much of a guess is right.
fn same(given: &str, token: &str) -> bool {
    let differences = given
        .bytes()
        .zip(token.bytes())
        .fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == token.len() && differences == 0
}

async fn answer(ask: Ask, handle: &Handle) -> Reply {
    match ask {
        Ask::Watch => Reply::Refused(CommandError::new(
            "watching has no single answer",
            "use the same version of batchtop in all places",
        )),
        Ask::Answer(request) => {
            handle.watch(request);
            Reply::Done(Done {
                changed: true,
                count: u64::from(request.is_some()),
            })
        }
        Ask::Command(command) => match handle.command(command).await {
            Ok(done) => Reply::Done(done),
            Err(_) if handle.has_ended() => Reply::Ending,
            Err(error) => Reply::Refused(error),
        },
        Ask::Enqueue(admit) => match handle.admit(admit).await {
            Ok(admitted) => Reply::Enqueued(Box::new(admitted.job)),
            Err(AdmitError::Problems(survey)) => Reply::Refused(CommandError::new(
                "the file has problems",
                format!(
                    "`batchtop check` lists all {} of them",
                    survey.problem_count()
                ),
            )),
            Err(AdmitError::Ended | AdmitError::Stopped) => Reply::Ending,
            Err(error) => Reply::Refused(CommandError {
                message: error.to_string(),
                hint: None,
            }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_the_token() {
        let token = random_token().unwrap();
        assert!(same(&token, &token));
        assert!(!same("", &token));
        assert!(!same(&token[1..], &token));
        assert!(!same(&random_token().unwrap(), &token));
    }
}
