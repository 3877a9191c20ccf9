//! What a program needs to work with the sandbox: a configuration, its secrets, a list of leavers.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

use crate::google::{GOOGLE_CLIENT_EMAIL, GOOGLE_CLIENT_ID, GOOGLE_KEY_ID};
use crate::key;
use crate::leavers;
use crate::microsoft::{MICROSOFT_CLIENT_ID, MICROSOFT_CLIENT_SECRET};
use crate::population::{MICROSOFT_INITIAL_DOMAIN, Person};
use crate::world::World;

const SECRET_FILE: &str = "entra-client-secret";
const KEY_FILE: &str = "sa.json";
const CONFIG_FILE: &str = "rescind.toml";
const LEAVERS_FILE: &str = "leavers.csv";

/// The first line of every configuration written here: by it the files of a sandbox are known.
const HEADER: &str = "# Simulated tenants on this machine. Nothing here reaches a vendor.";

/// The configuration of a program whose state and secrets lie in `folder`.
pub(crate) fn config_toml(world: &World, addr: SocketAddr, folder: &Path) -> String {
    let base = format!("http://{addr}");
    let in_folder = |name: &str| toml_string(&folder.join(name).to_string_lossy());
    let people = &world.population;
    let protected = [
        Some(people.upn(Person::BREAK_GLASS)),
        people.google_email(Person::BREAK_GLASS),
        Some(people.upn(Person::SECOND_BREAK_GLASS)),
        people.google_email(Person::SECOND_BREAK_GLASS),
        people.google_email(Person::ADMIN),
    ];
    let protected: Vec<String> = protected
        .iter()
        .flatten()
        .map(|name| toml_string(name))
        .collect();
    format!(
        r#"{HEADER}
state_dir = {state}
protected = [{protected}]

[providers.entra]
kind = "azure-graph"
domains = ["contoso.com", "{MICROSOFT_INITIAL_DOMAIN}"]
[providers.entra.settings]
tenant = "{MICROSOFT_INITIAL_DOMAIN}"
client_id = "{MICROSOFT_CLIENT_ID}"
client_secret = {{ file = {secret} }}
graph_url = "{base}"
login_url = "{base}"

[providers.workspace]
kind = "google-admin"
domains = ["example.com"]
[providers.workspace.settings]
service_account_key = {{ file = {key} }}
impersonate = "{admin}"
api_url = "{base}"
token_url = "{base}/token"

[providers.edge]
kind = "standalone-sentry"
"#,
        state = toml_string(&folder.to_string_lossy()),
        protected = protected.join(", "),
        secret = in_folder(SECRET_FILE),
        key = in_folder(KEY_FILE),
        admin = people.google_email(Person::ADMIN).unwrap_or_default(),
    )
}

/// Writes configuration, secrets (readable by their owner only) and the list of leavers into `folder`.
pub(crate) fn write(world: &World, addr: SocketAddr, folder: &Path) -> io::Result<()> {
    refuse_foreign(folder)?;
    std::fs::create_dir_all(folder)?;
    let folder = folder.canonicalize()?;
    // First, and at once: by it the folder is known as ours, however far the rest gets.
    let config = config_toml(world, addr, &folder);
    replace(&folder.join(CONFIG_FILE), config.as_bytes())?;
    replace(
        &folder.join(SECRET_FILE),
        MICROSOFT_CLIENT_SECRET.as_bytes(),
    )?;
    replace(&folder.join(KEY_FILE), service_account_key(addr).as_bytes())?;
    let mut list = BufWriter::new(File::create(folder.join(LEAVERS_FILE))?);
    leavers::write(&world.population, &mut list)?;
    list.flush()
}

/// Refuses a folder in which somebody else keeps files of the names that [`Sandbox::write_files`](crate::Sandbox::write_files)
/// writes: a real configuration, a real key.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when there is one; others when the folder cannot be read.
pub fn refuse_foreign(folder: &Path) -> io::Result<()> {
    let ours = match std::fs::read(folder.join(CONFIG_FILE)) {
        Ok(config) => config.starts_with(HEADER.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    let foreign = [CONFIG_FILE, SECRET_FILE, KEY_FILE, LEAVERS_FILE]
        .into_iter()
        .map(|name| folder.join(name))
        .find(|path| !ours && path.exists());
    match foreign {
        Some(path) => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!(
                "{} is there already, and no sandbox wrote it",
                path.display()
            ),
        )),
        None => Ok(()),
    }
}

/// The key file of the service account, as a Google project hands it out.
pub(crate) fn service_account_key(addr: SocketAddr) -> String {
    let file = json!({
        "type": "service_account",
        "project_id": "rescind-sandbox",
        "private_key_id": GOOGLE_KEY_ID,
        "private_key": key::private_pem(),
        "client_email": GOOGLE_CLIENT_EMAIL,
        "client_id": GOOGLE_CLIENT_ID,
        "auth_uri": format!("http://{addr}/auth"),
        "token_uri": format!("http://{addr}/token"),
        "universe_domain": "googleapis.com",
    });
    format!("{file:#}\n")
}

/// Replaces the file: never readable by others, not even for a moment.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(&fresh)?.write_all(content)?;
    std::fs::rename(&fresh, path)
}

/// A basic string of TOML.
fn toml_string(text: &str) -> String {
    let mut out = Vec::new();
    crate::json::string(&mut out, text);
    String::from_utf8_lossy(&out).replace('\u{7f}', "\\u007f")
}
