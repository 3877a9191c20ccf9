//! The bodies of `proof hostile` under libFuzzer: one binary, which reads the name of its target from the environment, so
//! that libFuzzer's own arguments stay as they are documented. `tests/fuzz/run` builds it and runs it.
#![no_main]

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::exit;
use std::sync::OnceLock;
use std::{env, fs, io};

use libfuzzer_sys::fuzz_target;
use rescind_proof::hostile::{Target, all, mutation, named, write_examples};
use rescind_proof::machine::Machine;

/// What is fuzzed in this process.
static BODY: OnceLock<fn(&[u8])> = OnceLock::new();

fuzz_target!(
    init: { BODY.get_or_init(body); },
    |bytes: &[u8]| {
        let body = BODY.get().expect("libFuzzer begins with the initialisation");
        body(bytes);
    }
);

/// The body that `FUZZ_TARGET` names, or `FUZZ_CONTROL` for the reader that breaks one of its promises on purpose.
/// Without either the process tells what there is (`FUZZ_TELL`) and ends.
fn body() -> fn(&[u8]) {
    if let Some(what) = asked("FUZZ_TELL") {
        tell(&what).unwrap_or_else(|error| refuse(&error.to_string()));
        exit(0);
    }
    if let Some(name) = asked("FUZZ_CONTROL") {
        let control = found(&name).control;
        return control.unwrap_or_else(|| refuse(&format!("{name} has no control")));
    }
    let name = asked("FUZZ_TARGET").unwrap_or_else(|| refuse("FUZZ_TARGET names no target"));
    found(&name).body
}

fn found(name: &str) -> Target {
    named(name).unwrap_or_else(|| refuse(&format!("there is no target {name}")))
}

/// `list`: each target, and whether it has a control. `machine`: what it runs on. `examples`: writes those of each target
/// into a folder of its own below `FUZZ_FOLDER`, and a dictionary beside them.
fn tell(what: &str) -> io::Result<()> {
    match what {
        "list" => {
            for target in all() {
                let control = if target.control.is_some() {
                    " control"
                } else {
                    ""
                };
                println!("{}{control}", target.name);
            }
            Ok(())
        }
        "machine" => {
            println!("{}", Machine::look(&env::temp_dir()));
            Ok(())
        }
        "examples" => {
            let folder = asked("FUZZ_FOLDER").map(PathBuf::from);
            let folder = folder.ok_or_else(|| io::Error::other("FUZZ_FOLDER names no folder"))?;
            for target in all() {
                write_examples(&target, &folder.join(target.name))?;
            }
            fs::write(folder.join("dictionary"), dictionary())
        }
        other => Err(io::Error::other(format!("nobody can tell {other}"))),
    }
}

/// The mutator's tokens as libFuzzer reads them, every byte escaped.
fn dictionary() -> String {
    let mut entries = String::new();
    for token in mutation::TOKENS {
        entries.push('"');
        for byte in token.bytes() {
            let _infallible = write!(entries, "\\x{byte:02x}");
        }
        entries.push_str("\"\n");
    }
    entries
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command line belongs to libFuzzer"
)]
fn asked(name: &str) -> Option<String> {
    env::var(name).ok()
}

fn refuse(why: &str) -> ! {
    eprintln!("{why}");
    exit(2)
}
