//! The `rescind` program with the connectors of this build.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    rescind::run(rescind::connectors::registry(), std::env::args_os())
}
