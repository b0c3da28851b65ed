//! A mail server for one letter.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A letter and how it came.
#[derive(Debug, Clone, Default)]
pub(super) struct Letter {
    /// What AUTH PLAIN said.
    pub(super) credentials: String,
    /// The lines that name who gets it.
    pub(super) to: Vec<String>,
    /// The letter itself.
    pub(super) text: String,
}

/// A server on a port of its own.
pub(super) struct MailServer {
    port: u16,
    thread: JoinHandle<Letter>,
}

impl MailServer {
    /// One that lets everybody in, or repeats the password to those whom it does not.
    pub(super) fn start(lets_in: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            talk(&stream, lets_in)
        });
        Self { port, thread }
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// What it was given, once the connection has ended.
    pub(super) fn letter(self) -> Letter {
        self.thread.join().unwrap()
    }
}

fn talk(mut stream: &TcpStream, lets_in: bool) -> Letter {
    let mut letter = Letter::default();
    let mut reader = BufReader::new(stream);
    stream.write_all(b"220 test ESMTP\r\n").unwrap();
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
        let said = std::mem::take(&mut line);
        let said = said.trim_end();
        let reply = match said.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => "250-test\r\n250 AUTH PLAIN".to_owned(),
            "AUTH" => {
                let coded = said.rsplit(' ').next().unwrap();
                letter.credentials = String::from_utf8(STANDARD.decode(coded).unwrap()).unwrap();
                if lets_in {
                    "235 welcome".to_owned()
                } else {
                    "535 `pa55word` is wrong".to_owned()
                }
            }
            "RCPT" => {
                letter.to.push(said.to_owned());
                "250 ok".to_owned()
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").unwrap();
                while !letter.text.ends_with("\r\n.\r\n") {
                    assert!(reader.read_line(&mut letter.text).unwrap() > 0);
                }
                "250 taken".to_owned()
            }
            "QUIT" => "221 bye".to_owned(),
            _ => "250 ok".to_owned(),
        };
        if stream.write_all(format!("{reply}\r\n").as_bytes()).is_err() {
            break;
        }
    }
    letter
}
