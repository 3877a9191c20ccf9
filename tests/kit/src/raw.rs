//! A server below HTTP: it breaks off, drips and floods in ways that a well-made server cannot.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How a [`RawServer`] treats everybody who connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Manner {
    /// Reads the request, then closes the connection without an answer.
    HangUp,
    /// Promises a long JSON body, sends the beginning, then closes.
    Cut,
    /// Promises a JSON body and sends one byte of it now and then, for ever.
    Drip,
    /// Sends a JSON body that never ends, as fast as it is taken.
    Flood,
}

/// A TCP server on loopback, in the test's own runtime; it ends with its value.
#[derive(Debug)]
pub struct RawServer {
    address: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Seen {
    requests: watch::Sender<usize>,
    writes: AtomicUsize,
    bytes_sent: AtomicUsize,
}

impl RawServer {
    /// Starts one.
    ///
    /// # Panics
    /// When loopback has no port to give.
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has a name");
        let seen = Arc::new(Seen {
            requests: watch::Sender::new(0),
            writes: AtomicUsize::new(0),
            bytes_sent: AtomicUsize::new(0),
        });
        let task = tokio::spawn(accept(listener, manner, seen.clone()));
        Self {
            address,
            seen,
            task,
        }
    }

    /// Its base URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests it read so far.
    pub fn requests(&self) -> usize {
        *self.seen.requests.borrow()
    }

    /// How many of them could change something: anything but `GET` and `HEAD`.
    pub fn writes(&self) -> usize {
        self.seen.writes.load(Ordering::SeqCst)
    }

    /// How many bytes of answers were taken from it.
    pub fn bytes_sent(&self) -> usize {
        self.seen.bytes_sent.load(Ordering::SeqCst)
    }

    /// Returns once a request has been read. Cancel-safe.
    pub async fn request_read(&self) {
        let _ = self
            .seen
            .requests
            .subscribe()
            .wait_for(|seen| *seen > 0)
            .await;
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, manner: Manner, seen: Arc<Seen>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, manner, seen.clone()));
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, seen: Arc<Seen>) {
    let Some(method) = read_request(&mut stream).await else {
        return;
    };
    if method != "GET" && method != "HEAD" {
        seen.writes.fetch_add(1, Ordering::SeqCst);
    }
    seen.requests.send_modify(|n| *n += 1);
    // A client that goes away ends the conversation, which is all an error here can mean.
    let _ = answer(&mut stream, manner, &seen).await;
}

async fn answer(stream: &mut TcpStream, manner: Manner, seen: &Seen) -> std::io::Result<()> {
    const LONG: &str =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4096\r\n\r\n";
    const ENDLESS: &str =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
    match manner {
        Manner::HangUp => Ok(()),
        Manner::Cut => stream.write_all(format!("{LONG}{{\"va").as_bytes()).await,
        Manner::Drip => {
            stream.write_all(LONG.as_bytes()).await?;
            loop {
                stream.write_all(b" ").await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Manner::Flood => {
            stream.write_all(ENDLESS.as_bytes()).await?;
            stream.write_all(b"{\"value\":\"").await?;
            let chunk = vec![b'x'; 16 * 1024];
            loop {
                stream.write_all(&chunk).await?;
                seen.bytes_sent.fetch_add(chunk.len(), Ordering::SeqCst);
            }
        }
    }
}

/// Reads one request, its body included, and tells its method.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let n = stream.read(&mut chunk).await.ok()?;
        if n == 0 {
            return None;
        }
        read.extend_from_slice(&chunk[..n]);
        let text = String::from_utf8_lossy(&read);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= content_length(head)
        {
            return text.split(' ').next().map(str::to_owned);
        }
    }
}

fn content_length(head: &str) -> usize {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

/// The base URL of a port on loopback where nobody listens.
///
/// # Panics
/// When loopback has no port to give.
pub async fn nobody_listens() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has a name");
    drop(listener);
    format!("http://{address}")
}
