//! A webhook: takes what is posted and answers as it was told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What it does with the next post.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    /// Answers with this status.
    Status(u16),
    /// Takes it and says nothing.
    Hang,
}

/// What was posted.
#[derive(Debug, Clone)]
pub(super) struct Post {
    /// The first line and the headers.
    pub(super) head: String,
    /// The body.
    pub(super) body: String,
}

/// A server on a port of its own.
pub(super) struct Hook {
    place: SocketAddr,
    posts: Arc<Mutex<Vec<Post>>>,
}

impl Hook {
    /// One that gives these answers, one after the other, and is gone then.
    pub(super) fn answering(answers: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap();
        let posts = Arc::new(Mutex::new(Vec::new()));
        let (answers, taken) = (answers.to_vec(), Arc::clone(&posts));
        thread::spawn(move || {
            let mut hanging = Vec::new();
            for answer in answers {
                let Ok((stream, _)) = listener.accept() else {
                    return;
                };
                let post = read(&stream);
                taken.lock().unwrap().push(post);
                match answer {
                    Answer::Status(status) => reply(&stream, status),
                    Answer::Hang => hanging.push(stream),
                }
            }
            if !hanging.is_empty() {
                // Until the test is over.
                let _ = listener.accept();
            }
        });
        Self { place, posts }
    }

    /// Where it listens.
    pub(super) const fn place(&self) -> SocketAddr {
        self.place
    }

    /// What was posted so far.
    pub(super) fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Post {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let headers = head.to_lowercase();
    let (_, rest) = headers.split_once("content-length: ").unwrap();
    let length = rest.lines().next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    Post { head, body }
}

fn reply(mut stream: &TcpStream, status: u16) {
    let length = if status == 204 {
        ""
    } else {
        "content-length: 0\r\n"
    };
    write!(
        stream,
        "HTTP/1.1 {status} So\r\n{length}connection: close\r\n\r\n"
    )
    .unwrap();
}
