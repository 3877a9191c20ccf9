//! Who is at the keyboard.

use rescind_core::order::Actor;

/// The person who started this process, as the operating system knows them; behind `sudo`, both names.
#[expect(
    clippy::disallowed_methods,
    reason = "who acts is told by the operating system, not configured"
)]
pub(crate) fn current() -> Actor {
    let named = |name: &str| {
        std::env::var(name)
            .ok()
            .filter(|value| !value.trim().is_empty())
    };
    let user = named("USER")
        .or_else(|| named("LOGNAME"))
        .or_else(|| named("USERNAME"));
    let user = user.unwrap_or_else(owner_of_process);
    let name = match named("SUDO_USER") {
        Some(person) if person != user => format!("{person} (as {user})"),
        _ => user,
    };
    Actor::new(name, "os-user")
}

/// The name of the account that owns this process, for environments that tell nothing (cron, containers).
#[cfg(target_os = "linux")]
fn owner_of_process() -> String {
    // Not the owner of /proc/self: that is root for a process whose memory nobody may read.
    let uid = rustix::process::geteuid().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("uid {uid}"))
}

#[cfg(not(target_os = "linux"))]
fn owner_of_process() -> String {
    "unknown".to_owned()
}
