//! The end of those who ask.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Ask, LONGEST_LINE, LONGEST_SNAPSHOT, Line, Reply};
use crate::model::Snapshot;
use crate::store::Owner;

/// A connection on the loopback interface takes no time at all.
const CONNECT: Duration = Duration::from_secs(2);

/// Why the owner could not be asked.
#[derive(Debug, Error)]
pub enum ControlError {
    /// Nobody listens where the note says.
    #[error("process {pid} owns the queue and cannot be reached: {source}")]
    Unreachable {
        /// Who should listen.
        pid: u32,
        /// What the operating system says.
        source: io::Error,
    },
    /// The owner hung up before it answered.
    #[error("process {pid} owns the queue and ended before it answered")]
    Ended {
        /// Who did.
        pid: u32,
    },
}

/// Asks the owner of the queue and waits for the reply, which comes when the effect is stored.
pub async fn ask(owner: &Owner, ask: Ask) -> Result<Reply, ControlError> {
    let mut stream = said(owner, ask).await?;
    let reply = line(&mut stream, LONGEST_LINE).await;
    let parsed = reply.and_then(|reply| serde_json::from_str(&reply).ok());
    parsed.ok_or(ControlError::Ended { pid: owner.pid })
}

/// The run of the owner, as it goes on.
#[derive(Debug)]
pub struct Watched {
    stream: BufReader<TcpStream>,
    pid: u32,
}

/// Starts to watch the run of the owner.
pub async fn watch(owner: &Owner) -> Result<Watched, ControlError> {
    Ok(Watched {
        stream: said(owner, Ask::Watch).await?,
        pid: owner.pid,
    })
}

impl Watched {
    /// The next snapshot; an error once the owner has ended.
    pub async fn next(&mut self) -> Result<Snapshot, ControlError> {
        let line = line(&mut self.stream, LONGEST_SNAPSHOT).await;
        let parsed = line.and_then(|line| serde_json::from_str(&line).ok());
        parsed.ok_or(ControlError::Ended { pid: self.pid })
    }
}

/// A connection to the owner on which this was said.
async fn said(owner: &Owner, ask: Ask) -> Result<BufReader<TcpStream>, ControlError> {
    let pid = owner.pid;
    let unreachable = |source| ControlError::Unreachable { pid, source };
    let port = owner.port.unwrap_or_default();
    let mut stream = timeout(CONNECT, TcpStream::connect((Ipv4Addr::LOCALHOST, port)))
        .await
        .map_err(|_| unreachable(io::ErrorKind::TimedOut.into()))?
        .map_err(unreachable)?;
    let line = Line {
        token: owner.token.clone(),
        ask,
    };
    let mut text = serde_json::to_string(&line).unwrap_or_default();
    text.push('\n');
    stream
        .write_all(text.as_bytes())
        .await
        .map_err(unreachable)?;
    Ok(BufReader::new(stream))
}

async fn line(stream: &mut BufReader<TcpStream>, longest: u64) -> Option<String> {
    let mut line = String::new();
    stream.take(longest).read_line(&mut line).await.ok()?;
    Some(line)
}
