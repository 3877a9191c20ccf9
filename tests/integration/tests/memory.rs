//! The memory of a process that holds secrets stays its own: no core file, and nobody may read it while it runs.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use rescind_integration::program::{Desk, binary};

/// A command of the shell that has lifted its limit on core files, in the desk's folder.
fn unlimited(desk: &Desk, then: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -c unlimited 2>/dev/null; {then}")])
        .current_dir(desk.path())
        .stdin(Stdio::null());
    command
}

fn left_a_core(desk: &Desk, status: ExitStatus) -> bool {
    let names = fs::read_dir(desk.path()).expect("a folder");
    let mut names = names.map(|entry| entry.expect("an entry").file_name());
    status.core_dumped() || names.any(|name| name.to_string_lossy().starts_with("core"))
}

#[test]
fn a_process_that_is_killed_leaves_no_core_and_nobody_may_read_it() {
    let desk = Desk::empty();
    let sandbox = format!(
        "exec {} sandbox --files files --output json --stop-after 120",
        binary().display()
    );
    let mut child = unlimited(&desk, &sandbox)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    assert!(line.contains("rescind.sandbox/1"), "{line}");

    let pid = child.id();
    let proc = |name: &str| format!("/proc/{pid}/{name}");
    let limits = fs::read_to_string(proc("limits")).expect("limits");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file"));
    let core: Vec<_> = core.unwrap_or_default().split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"], "{limits}");
    // Of a process that may not be read, the kernel gives this to root.
    let owner = fs::metadata(proc("environ")).expect("a process").uid();
    assert_eq!(owner, 0, "others of this user may read it");

    // Whoever may lift the limit again (root) gets no core either: this is what a kernel that hands dumps to a program does.
    let _not_root = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), "--core=unlimited"])
        .stderr(Stdio::null())
        .status();
    let sent = Command::new("kill")
        .args(["-ABRT", &pid.to_string()])
        .status();
    assert!(sent.is_ok_and(|sent| sent.success()), "it takes signals");
    let status = child.wait().expect("a child");
    assert_eq!(status.signal(), Some(6), "{status}");
    assert!(!left_a_core(&desk, status), "{status}");
}

#[test]
fn another_process_here_would_leave_a_core() {
    let desk = Desk::empty();
    let status = unlimited(&desk, "kill -ABRT $$").status();
    let status = status.expect("a shell");
    if !left_a_core(&desk, status) {
        println!("this machine keeps no cores: that ours leaves none says little here");
    }
}
