//! What the process keeps to itself when it breaks: secrets are in its memory, and in what a panic may have to say.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};

use crate::output::remark;

/// Leaves no memory behind: no core file, and nobody but root may read this process or attach to it. The limit alone
/// would not do, since a kernel that hands dumps to a program does not ask for it.
pub(crate) fn keep_memory() {
    // Both only take something away; a kernel that refuses even that leaves the process as it was.
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let nothing = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _unlimited = setrlimit(Resource::Core, nothing);
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _dumpable = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// Makes panics say where they happened, and no more than what stands in the source. A message that was put together may
/// hold whatever was at hand, a secret or a person; and it would reach the terminal unescaped.
pub(crate) fn keep_panics_quiet() {
    panic::set_hook(Box::new(|panic| {
        remark(&told(panic));
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            remark(&trace.to_string());
        }
    }));
}

fn told(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map_or_else(
        || "an unknown place".to_owned(),
        |place| format!("{}:{}:{}", place.file(), place.line(), place.column()),
    );
    let what = match panic.payload().downcast_ref::<&'static str>() {
        Some(literal) => format!(": {literal}"),
        None => String::new(),
    };
    format!("a bug: broke at {place}{what}")
}
