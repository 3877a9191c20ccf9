//! Files that nobody but their owner reads, whatever the mode of the folder they lie in.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use rescind_core::audit::entry::to_hex;
use rescind_core::store::StoreError;

use super::failed;

/// Makes a folder for its owner alone, as durable as what will lie in it; warns when others may write to one that is
/// there.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        warn_if_shared(path)?;
        return Ok(());
    }
    let missing: Vec<&Path> = path.ancestors().take_while(|one| !one.exists()).collect();
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)?;
    missing.iter().try_for_each(|made| sync_name(made))
}

/// Syncs the folder that a file or folder lies in: without it the power may take the name away, and what is under it.
#[cfg(unix)]
pub(crate) fn sync_name(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        None => return Ok(()),
        Some(here) if here.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
    };
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
pub(crate) fn sync_name(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Options that make a file for its owner alone.
pub(crate) fn options() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "modes are for Unix"))]
    let mut options = File::options();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// Makes a file under another name and links it to its own, so that it is never seen half made. Processes that start
/// together end up with the same one.
pub(super) fn make_aside(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut suffix = [0; 8];
    getrandom::fill(&mut suffix).map_err(|error| StoreError::Io(error.to_string()))?;
    let aside = path.with_extension(to_hex(&suffix));
    let made = options()
        .write(true)
        .create_new(true)
        .open(&aside)
        .map_err(|error| failed("make", &aside, &error));
    let filled = made
        .and_then(|file| {
            fill(&aside)?;
            file.sync_all()
                .map_err(|error| failed("sync", &aside, &error))
        })
        .and_then(|()| match fs::hard_link(&aside, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(failed("make", path, &error))
            }
            _ => Ok(()),
        });
    let _ = fs::remove_file(&aside);
    filled.and_then(|()| sync_name(path).map_err(|error| failed("sync", path, &error)))
}

/// Takes a file that is ours away from everybody else, if it is there.
#[cfg(unix)]
pub(super) fn tighten(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found
            .map_err(|error| failed("read", path, &error))?
            .permissions()
            .mode(),
    };
    if mode & 0o700 == mode & 0o777 {
        return Ok(());
    }
    match fs::set_permissions(path, fs::Permissions::from_mode(0o600)) {
        // The last process that closes the database removes its log.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(_) => Err(StoreError::Unsafe(format!(
            "{} may be read by others and is not ours; set its mode to 0600",
            path.display()
        ))),
        Ok(()) => Ok(()),
    }
}

#[cfg(not(unix))]
pub(super) fn tighten(_: &Path) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(unix)]
fn warn_if_shared(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if fs::metadata(path)?.permissions().mode() & 0o022 != 0 {
        tracing::warn!(
            "others may write to the state folder {}, and so put files of theirs in the place of ours; \
             set its mode to 0700",
            path.display()
        );
    }
    Ok(())
}

#[cfg(not(unix))]
fn warn_if_shared(_: &Path) -> io::Result<()> {
    Ok(())
}
