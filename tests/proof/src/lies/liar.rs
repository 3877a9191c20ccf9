//! A vendor that lies: it stands before the sandbox, passes on what it is not asked to lie about, and keeps to HTTP only
//! where it likes to.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::shapes::{Lie, Sent, Target};
use super::wire::{Asked, Said};

/// How much an endless answer holds.
const FLOOD: u64 = 2 << 30;

/// One liar on a loopback port; it ends with its value.
#[derive(Debug)]
pub(super) struct Liar {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Liar {
    /// Starts one that tells `lie` whenever it is asked for its target.
    pub(super) async fn start(vendor: SocketAddr, lie: Lie, effect: bool) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let teller = Arc::new(Teller {
            vendor,
            lie,
            effect,
        });
        let task = tokio::spawn(async move {
            // The connections end with the listener.
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let teller = Arc::clone(&teller);
                open.spawn(async move {
                    // A client that goes away ends the conversation, which is all an error can mean here.
                    let _ = teller.talk(stream).await;
                });
            }
        });
        Ok(Self { address, task })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct Teller {
    vendor: SocketAddr,
    lie: Lie,
    /// Whether what is lied about is carried out all the same.
    effect: bool,
}

impl Teller {
    async fn talk(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let Some(asked) = Asked::read(&mut stream).await? else {
            return Ok(());
        };
        let target = Target::of(&asked);
        if target != Some(self.lie.target()) {
            // Where the lie is about the proof, the deed is not done either.
            let withheld = !self.effect && target == Some(Target::Deed);
            let said = if withheld {
                Said::new("200 OK", Some("text/html"), "<html></html>")
            } else {
                asked.forward(self.vendor).await?
            };
            let said = self.on_time(said);
            return stream.write_all(&said.bytes()).await;
        }
        let honest = if self.effect || target != Some(Target::Deed) {
            asked.forward(self.vendor).await?
        } else {
            as_if_done(&asked)
        };
        let honest = self.on_time(honest);
        self.tell(&mut stream, self.lie.tell(&asked, honest)).await
    }

    fn on_time(&self, said: Said) -> Said {
        match self.lie.clock_hours {
            0 => said,
            hours => said.dated(hours),
        }
    }

    async fn tell(&self, stream: &mut BufReader<TcpStream>, sent: Sent) -> io::Result<()> {
        match sent {
            Sent::Whole(bytes) => stream.write_all(&bytes).await,
            Sent::ThenReset(bytes) => {
                stream.write_all(&bytes).await?;
                stream.flush().await?;
                // No lingering: what is unread at the other side is gone with a reset.
                stream.get_ref().set_zero_linger()
            }
            Sent::ThenSilence(bytes) => {
                stream.write_all(&bytes).await?;
                std::future::pending().await
            }
            Sent::Drip(head, body) => {
                stream.write_all(&head).await?;
                for byte in body {
                    stream.write_all(&[byte]).await?;
                    stream.flush().await?;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Ok(())
            }
            Sent::Flood(head) => {
                stream.write_all(&head).await?;
                let piece = vec![b' '; 1 << 16];
                for _ in 0..FLOOD >> 16 {
                    stream.write_all(&piece).await?;
                }
                Ok(())
            }
        }
    }
}

/// The answer of a vendor that did what it was asked to, made without doing it.
fn as_if_done(asked: &Asked) -> Said {
    const DONE: &str =
        r#"{"@odata.context":"https://graph.example.com/$metadata#Edm.Boolean","value":true}"#;
    if asked.path.ends_with("/$batch") {
        let batch: serde_json::Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let items = batch["requests"].as_array().cloned().unwrap_or_default();
        let done: serde_json::Value = serde_json::from_str(DONE).unwrap_or_default();
        let answers: Vec<_> = items
            .iter()
            .map(|item| serde_json::json!({"id": item["id"], "status": 200, "headers": {}, "body": done}))
            .collect();
        return Said::json(&serde_json::json!({ "responses": answers }).to_string());
    }
    if asked.path.contains("revokeSignInSessions") {
        return Said::json(DONE);
    }
    // Google documents an empty body, and sends an empty object, too: that one can be cut.
    Said::json("{}")
}
