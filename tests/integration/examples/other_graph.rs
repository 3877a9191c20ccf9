//! The second Graph server as a process of its own, for measurements: prints its URL, serves for a while, then prints
//! what was done.
//!
//! `other_graph SECONDS [calls_per_second=N] [reset_before=N] [reset_after=N] [fail_before=N] [fail_after=N]
//! [void_every=N] [latency_ms=N]`

use std::time::Duration;

use rescind_integration::other_graph::{Behaviour, OtherGraph};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "what it prints is its result")]
async fn main() {
    let mut args = std::env::args().skip(1);
    let seconds = args.next().and_then(|text| text.parse().ok()).unwrap_or(60);
    let mut behaviour = Behaviour::default();
    for arg in args {
        let (name, value) = arg.split_once('=').unwrap_or((&arg, ""));
        let number: Option<u32> = value.parse().ok();
        match name {
            "calls_per_second" => behaviour.calls_per_second = number,
            "reset_before" => behaviour.reset_before = number,
            "reset_after" => behaviour.reset_after = number,
            "fail_before" => behaviour.fail_before = number,
            "fail_after" => behaviour.fail_after = number,
            "void_every" => behaviour.void_every = number,
            "latency_ms" => {
                behaviour.latency = Duration::from_millis(number.unwrap_or_default().into());
            }
            other => panic!("there is no knob {other}"),
        }
    }
    let server = OtherGraph::start(behaviour).await;
    println!("{}", server.url());
    let stop = tokio::signal::ctrl_c();
    let _stopped = tokio::time::timeout(Duration::from_secs(seconds), stop).await;
    let ledger = server.ledger();
    let repeats: u64 = ledger
        .revoked
        .values()
        .map(|times| u64::from(*times) - 1)
        .sum();
    println!("reads and revocations by second: {:?}", ledger.by_second);
    println!(
        "people {} repeats {repeats} calls {} throttled {} late {} early {} tokens {}",
        ledger.revoked.len(),
        ledger.calls,
        ledger.throttled,
        ledger.throttled_late,
        ledger.early,
        ledger.tokens
    );
}
