//! Listening, and the connections: opened, closed, cut, reset.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::router;
use super::server::Server;

/// Pause after a connection could not be accepted, as when file descriptors run out.
const ACCEPT_AGAIN: Duration = Duration::from_millis(10);

/// Where connections come in.
#[derive(Debug, Default)]
pub(super) struct Door(Option<Opened>);

#[derive(Debug)]
struct Opened {
    /// Cancelled to stop listening and to cut every connection.
    token: CancellationToken,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Accepts connections from this listener.
    pub(super) async fn listen(self: &Arc<Self>, listener: TcpListener) {
        let token = self.stop.child_token();
        let accepting = accept(Arc::clone(self), listener, token.clone());
        let accepting = self.tasks.spawn(accepting);
        let mut door = self.door.lock().await;
        door.0 = Some(Opened { token, accepting });
    }

    /// Listens at the same address again; nothing where it does already.
    pub(super) async fn open_door(self: &Arc<Self>) -> io::Result<()> {
        if self.door.lock().await.0.is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(self.address).await?;
        self.listen(listener).await;
        Ok(())
    }

    /// Stops listening and cuts every connection. New ones are refused once this returns.
    pub(super) async fn close_door(&self) {
        if let Some(opened) = self.door.lock().await.0.take() {
            opened.token.cancel();
            // The listener is closed when its task has ended.
            let _ = opened.accepting.await;
        }
    }
}

async fn accept(server: Arc<Server>, listener: TcpListener, open: CancellationToken) {
    loop {
        tokio::select! {
            () = open.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    server.tasks.spawn(serve(Arc::clone(&server), stream, open.clone()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
            },
        }
    }
}

/// Serves one connection until it ends or the server closes. hyper notices when the client
/// leaves and drops whatever works on its request: that frees the slot.
async fn serve(server: Arc<Server>, stream: TcpStream, open: CancellationToken) {
    let reset = Arc::new(AtomicBool::new(false));
    // Streamed records are small and must not wait for each other.
    let _ = stream.set_nodelay(true);
    let line = Line {
        stream,
        reset: Arc::clone(&reset),
    };
    let closing = open.clone();
    let service = service_fn(move |request| {
        router::answer(
            Arc::clone(&server),
            request,
            closing.clone(),
            Arc::clone(&reset),
        )
    });
    let serving = http1::Builder::new().serve_connection(TokioIo::new(line), service);
    // Biased: a server that goes away says nothing more, not even that its runners have died.
    tokio::select! {
        biased;
        () = open.cancelled() => {}
        _ = serving => {}
    }
}

/// A connection that can be told to end with a reset instead of a good-bye.
struct Line {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
