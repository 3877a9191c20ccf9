//! The measurement measures: program and loop both do their work. How fast is not judged here.

use std::path::PathBuf;
use std::process::Command;

use rescind_proof::speed::{self, Options};

#[test]
fn program_and_loop_do_the_same_work() {
    let proof = PathBuf::from(env!("CARGO_BIN_EXE_proof"));
    let program = proof.with_file_name("rescind");
    assert!(program.is_file(), "cargo build --workspace comes first");
    let output = Command::new(proof)
        .args([
            "speed", "--runs", "1", "--people", "60", "--many", "60", "--most", "0",
        ])
        .output()
        .expect("the instrument runs");
    let told = String::from_utf8_lossy(&output.stdout);
    for line in [
        "60 people at 200 ms: bare loop",
        "60 people at 0 ms: rescind",
        "peak memory",
    ] {
        assert!(
            told.contains(line),
            "{told}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn a_missing_program_is_named() {
    let options = Options {
        runs: 1,
        people: 1,
        many: 1,
        most: 0,
        program: Some(PathBuf::from("nowhere/rescind")),
    };
    let error = speed::run(&options).expect_err("there is no such program");
    assert!(
        error.to_string().contains("nowhere/rescind is not there"),
        "{error}"
    );
}
