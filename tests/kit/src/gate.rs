//! A way to a server that stays closed until somebody opens it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Forwards connections on loopback to a server, once it is open; it ends with its value.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    arrived: watch::Sender<usize>,
    open: watch::Sender<bool>,
}

impl Gate {
    /// A closed gate before the server at `target`.
    ///
    /// # Panics
    /// When loopback has no port to give.
    pub async fn before(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has a name");
        let state = Arc::new(State {
            arrived: watch::Sender::new(0),
            open: watch::Sender::new(false),
        });
        let task = tokio::spawn(forward(listener, target, state.clone()));
        Self {
            address,
            state,
            task,
        }
    }

    /// Its base URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns once a request stands before the gate. Cancel-safe.
    pub async fn request_waits(&self) {
        let _ = self.state.arrived.subscribe().wait_for(|n| *n > 0).await;
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        self.state.open.send_replace(true);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(listener: TcpListener, target: SocketAddr, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = state.clone();
        connections.spawn(async move { pass(stream, target, &state).await });
    }
}

async fn pass(mut near: TcpStream, target: SocketAddr, state: &State) -> std::io::Result<()> {
    near.peek(&mut [0]).await?;
    state.arrived.send_modify(|n| *n += 1);
    // Cannot fail: the gate holds the sender for as long as this task lives.
    let _ = state.open.subscribe().wait_for(|open| *open).await;
    let mut far = TcpStream::connect(target).await?;
    tokio::io::copy_bidirectional(&mut near, &mut far).await?;
    Ok(())
}
