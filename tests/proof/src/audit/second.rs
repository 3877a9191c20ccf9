//! The second verifier, in Python: one process looks at many exports.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use rescind_core::audit::note::PublicKey;

/// Runs the script as it stands for each line of standard input, and answers with a line.
const DRIVER: &str = "
import contextlib, io, sys
script = open(sys.argv[1]).read()
code = compile(script, sys.argv[1], 'exec')
for line in sys.stdin:
    path, key = line.split()
    sys.argv = [path, path, '--public-key', key]
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            exec(code, {'__name__': '__main__'})
        said = 'no exit code'
    except SystemExit as end:
        said = f'{end.code or 0} {out.getvalue().strip()}'
    except BaseException as error:
        said = f'failed: {error!r}'
    print(said, flush=True)
";

/// `examples/verify_audit.py`, waiting for exports.
#[derive(Debug)]
pub(super) struct Second {
    child: Child,
    answers: BufReader<ChildStdout>,
    export: PathBuf,
}

impl Second {
    /// `None` on a machine without Python.
    pub(super) fn start(folder: &Path) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/verify_audit.py");
        let mut child = Command::new("python3")
            .args(["-c", DRIVER])
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let answers = BufReader::new(child.stdout.take()?);
        Some(Self {
            child,
            answers,
            export: folder.join("second.jsonl"),
        })
    }

    /// What it says of an export: exit code and line.
    pub(super) fn says(&mut self, export: &[u8], key: &PublicKey) -> std::io::Result<String> {
        std::fs::write(&self.export, export)?;
        let input = self.child.stdin.as_mut().expect("piped");
        writeln!(input, "{} {key}", self.export.display())?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        Ok(answer.trim_end().to_owned())
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
