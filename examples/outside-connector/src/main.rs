//! `rescind`, with one connector more.

use std::process::ExitCode;

use acme_rescind::Acme;

fn main() -> ExitCode {
    let registry = rescind::connectors::registry().with(Acme);
    rescind::run(registry, std::env::args_os())
}
