//! HTTP below HTTP: requests as they arrive, answers as bytes that no well-made server would send.

use std::io;
use std::net::SocketAddr;

use jiff::{SignedDuration, Timestamp};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A request as it came, with its head kept to the letter.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    head: String,
    pub(super) body: Vec<u8>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) status: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Asked {
    /// The next request of a connection; none at its end.
    pub(super) async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let Some(head) = read_head(stream).await? else {
            return Ok(None);
        };
        let mut words = head.split_whitespace();
        let method = words.next().unwrap_or_default().to_owned();
        let path = words.next().unwrap_or_default().to_owned();
        let mut body = vec![0; length(&head)];
        stream.read_exact(&mut body).await?;
        Ok(Some(Self {
            method,
            path,
            head,
            body,
        }))
    }

    /// Whether the body holds this text.
    pub(super) fn says(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.body).contains(text)
    }

    /// What the true vendor answers.
    pub(super) async fn forward(&self, vendor: SocketAddr) -> io::Result<Said> {
        let mut stream = TcpStream::connect(vendor).await?;
        let (line, rest) = self.head.split_once("\r\n").unwrap_or((&self.head, ""));
        let head = format!("{line}\r\nconnection: close\r\n{rest}\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&self.body).await?;
        let mut stream = BufReader::new(stream);
        let head = read_head(&mut stream).await?.unwrap_or_default();
        let mut body = Vec::new();
        stream.read_to_end(&mut body).await?;
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap_or_default();
        let status = status.split_once(' ').map_or("", |(_, status)| status);
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .filter(|(name, _)| name != "connection" && name != "content-length")
            .collect();
        Ok(Said {
            status: status.to_owned(),
            headers,
            body,
        })
    }
}

impl Said {
    /// A JSON answer.
    pub(super) fn json(body: &str) -> Self {
        Self::new("200 OK", Some("application/json"), body)
    }

    pub(super) fn new(status: &str, kind: Option<&str>, body: impl Into<Vec<u8>>) -> Self {
        let kind = kind.map(|kind| ("content-type".to_owned(), kind.to_owned()));
        Self {
            status: status.to_owned(),
            headers: kind.into_iter().collect(),
            body: body.into(),
        }
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same from a clock that is off by so many hours.
    pub(super) fn dated(self, hours: i64) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "a vendor's own clock is the real one"
        )]
        let now = Timestamp::now();
        let at = now
            .checked_add(SignedDuration::from_hours(hours))
            .unwrap_or(now);
        let date = at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        self.with("date", &date)
    }

    /// Its head without the last empty line, and without a length.
    pub(super) fn head(&self) -> String {
        let mut head = format!("HTTP/1.1 {}\r\nconnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            head.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
        }
        head
    }

    /// As a well-made server sends it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head().into_bytes();
        if !self.status.starts_with("204") || !self.body.is_empty() {
            bytes.extend(format!("content-length: {}\r\n", self.body.len()).bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        bytes
    }
}

/// The head up to its empty line, without it.
async fn read_head(stream: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut head = String::new();
    loop {
        let before = head.len();
        if stream.read_line(&mut head).await? == 0 {
            return Ok(None);
        }
        if &head[before..] == "\r\n" {
            head.truncate(before.saturating_sub(2));
            return Ok(Some(head));
        }
    }
}

fn length(head: &str) -> usize {
    let of = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    };
    head.split("\r\n").find_map(of).unwrap_or(0)
}
