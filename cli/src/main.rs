//! The `rescind` program with the connectors of this build.

use std::process::ExitCode;

/// The engine's many small allocations on many threads contend for the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    rescind::run(rescind::connectors::registry(), std::env::args_os())
}
