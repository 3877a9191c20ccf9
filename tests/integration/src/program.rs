//! The program under test, as a user runs it: a process of its own in a folder of its own.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder with a configuration, in which the program runs.
#[derive(Debug)]
pub struct Desk {
    dir: TempDir,
}

impl Desk {
    /// An empty folder.
    pub fn empty() -> Self {
        Self {
            dir: TempDir::new().expect("a temporary folder"),
        }
    }

    /// A folder whose configuration points at a Graph server that is not ours, without a known quota.
    pub fn at_graph(url: &str) -> Self {
        let desk = Self::empty();
        desk.write("secret", "s3cret-of-the-test\n");
        desk.private("secret");
        desk.write(
            "rescind.toml",
            &format!(
                r#"protected = ["breakglass@contoso.com"]
[providers.entra]
kind = "azure-graph"
[providers.entra.settings]
tenant = "contoso.onmicrosoft.com"
client_id = "11111111-2222-3333-4444-555555555555"
client_secret = {{ file = "secret" }}
graph_url = "{url}"
login_url = "{url}"
[providers.entra.lane]
quota = "unlimited"
"#
            ),
        );
        desk
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).expect("the folder can be written");
        path
    }

    /// Makes a file readable by its owner only.
    pub fn private(&self, name: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.dir.path().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("the file is ours");
    }

    /// Writes a CSV of `u<n>@contoso.com` for a range of numbers.
    pub fn people(&self, name: &str, numbers: std::ops::Range<u64>) -> PathBuf {
        let mut text = String::from("subject\n");
        for number in numbers {
            let _ = writeln!(text, "u{number}@contoso.com");
        }
        self.write(name, &text)
    }

    /// A command line of the program in this folder, with nothing of our environment that it could read.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("USER", "tester")
            .env("TZ", "UTC")
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&self.command(args).output().expect("the program starts"))
    }

    /// Runs it to its end with something on standard input.
    pub fn run_with_input(&self, args: &[&str], input: &[u8]) -> Ran {
        let file = self.dir.path().join(".stdin");
        fs::write(&file, input).expect("the folder can be written");
        let mut command = self.command(args);
        command.stdin(fs::File::open(&file).expect("just written"));
        Ran::of(&command.output().expect("the program starts"))
    }

    /// Starts it and lets it run; its output goes nowhere.
    pub fn start(&self, args: &[&str]) -> Child {
        self.command(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts")
    }
}

/// What a run left behind.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Data.
    pub stdout: String,
    /// Everything else.
    pub stderr: String,
}

impl Ran {
    /// Takes what a process left behind.
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Asserts the exit code, and shows everything when it differs.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Its data as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.stdout, self.stderr))
    }
}

/// The program, built beside this test.
pub fn binary() -> PathBuf {
    let mut path = std::env::current_exe().expect("a test has a path");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    let path = path.join("rescind");
    assert!(
        path.exists(),
        "{} is missing: build the whole workspace, as tests/run does",
        path.display()
    );
    path
}

/// The books of one JSON report balance.
#[track_caller]
pub fn balances(counts: &Value) {
    let n = |name: &str| {
        counts[name]
            .as_u64()
            .unwrap_or_else(|| panic!("no {name} in {counts}"))
    };
    let sum = n("confirmed") + n("gone") + n("open") + n("parked") + n("refused") + n("cancelled");
    assert_eq!(n("accepted"), sum, "{counts}");
}
