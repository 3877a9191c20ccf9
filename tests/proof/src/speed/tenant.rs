//! A simulated tenant in a process of its own, and the folder of somebody who works with it.

use std::fs;
use std::io::{self, BufRead, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rescind_sandbox::{
    MICROSOFT_CLIENT_ID, MICROSOFT_CLIENT_SECRET, MICROSOFT_INITIAL_DOMAIN, Population,
    SandboxOptions,
};

/// The tenant stops by itself after so long, whatever becomes of us.
const LONGEST: &str = "900";

/// A tenant that allows everything, and how long each of its answers takes.
#[derive(Debug)]
pub(super) struct Tenant {
    server: Child,
    url: String,
    pub(super) people: Population,
}

impl Tenant {
    /// Starts one with room for so many ordinary people.
    pub(super) fn start(
        program: &Path,
        folder: &Path,
        people: u32,
        latency_ms: u64,
    ) -> io::Result<Self> {
        // Some of the people have a part to play, and are not among the ordinary ones.
        let people = people + 100;
        let mut server = Command::new(program)
            .args(["sandbox", "--quota", "none", "--stop-after", LONGEST])
            .args(["--people", &people.to_string()])
            .args(["--latency-ms", &latency_ms.to_string()])
            .arg("--files")
            .arg(folder.join("tenant"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let said = server.stdout.take().map(BufReader::new);
        let url = said
            .into_iter()
            .flat_map(BufRead::lines)
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, rest) = line.split_once("http://")?;
                Some(format!("http://{}", rest.split('/').next()?))
            });
        let Some(url) = url else {
            let _ = server.kill();
            let _ = server.wait();
            return Err(io::Error::other("the sandbox did not say where it listens"));
        };
        Ok(Self {
            server,
            url,
            people: Population::new(SandboxOptions::default().seed, people),
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// A folder with a configuration for this tenant and a file of its first `people` ordinary people.
    pub(super) fn desk(&self, folder: &Path, people: u32) -> io::Result<Desk> {
        Desk::new(folder, &self.url, self.names(people))
    }

    /// The object ids of the same people.
    pub(super) fn ids(&self, people: u32) -> Vec<String> {
        let regulars = self.people.regulars().take(people as usize);
        regulars
            .map(|person| self.people.object_id(person))
            .collect()
    }

    /// The sign-in names of the first `people` ordinary people.
    pub(super) fn names(&self, people: u32) -> impl Iterator<Item = String> {
        let population = self.people;
        let regulars = population.regulars().take(people as usize);
        regulars.map(move |person| population.upn(person))
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Where `rescind` runs.
#[derive(Debug)]
pub(super) struct Desk {
    folder: PathBuf,
}

impl Desk {
    pub(super) fn new(
        folder: &Path,
        url: &str,
        names: impl Iterator<Item = String>,
    ) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let secret = folder.join("secret");
        fs::write(&secret, MICROSOFT_CLIENT_SECRET)?;
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600))?;
        let configuration = format!(
            r#"protected = ["breakglass@contoso.com"]
[providers.entra]
kind = "azure-graph"
[providers.entra.settings]
tenant = "{MICROSOFT_INITIAL_DOMAIN}"
client_id = "{MICROSOFT_CLIENT_ID}"
client_secret = {{ file = "secret" }}
graph_url = "{url}"
login_url = "{url}"
[providers.entra.lane]
quota = "unlimited"
"#
        );
        fs::write(folder.join("rescind.toml"), configuration)?;
        let mut list = io::BufWriter::new(fs::File::create(folder.join("people.csv"))?);
        writeln!(list, "subject")?;
        for name in names {
            writeln!(list, "{name}")?;
        }
        list.flush()?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// `rescind revoke` for everybody in the file.
    pub(super) fn revoke(&self, program: &Path) -> Command {
        let mut command = self.command(program);
        command
            .args(["revoke", "--file", "people.csv", "--note", "a measurement"])
            .args(["--yes", "--max-subjects", "2000000"]);
        command
    }

    /// `rescind`, run here, with nobody at the keyboard.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Forgets what was done: the next run starts with an empty state folder.
    pub(super) fn clear(&self) -> io::Result<()> {
        let keep = ["rescind.toml", "people.csv", "secret"];
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if keep.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}
