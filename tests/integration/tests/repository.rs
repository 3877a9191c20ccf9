//! What the repository says about itself.

use std::fs;
use std::path::{Path, PathBuf};

/// Made by a measurement, a recording or a run: they may be missing from a working copy.
const MADE: [&str; 3] = [
    "docs/performance.md",
    "docs/img/first-run.svg",
    "target/fuzz",
];

fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("two folders up")
}

/// Every file below `folder` that is not built, not hidden and not the version control's.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder can be read") {
        let path = entry.expect("an entry can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_file() {
            found.push(path);
        } else if path.is_dir() && (name == ".ci" || !name.starts_with('.')) && name != "target" {
            files(&path, found);
        }
    }
}

fn pages() -> Vec<PathBuf> {
    let mut found = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    files(&root().join("docs"), &mut found);
    found.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    found
}

/// What stands between `open` and `close`, within one line.
fn between<'a>(text: &'a str, open: &str, close: char) -> Vec<&'a str> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut rest = line;
        while let Some((_, after)) = rest.split_once(open) {
            let Some((inside, after)) = after.split_once(close) else {
                break;
            };
            found.push(inside);
            rest = after;
        }
    }
    found
}

/// Whether `text` means a file of the repository: a path that begins with one of its folders.
fn names_a_file(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let Some((first, _)) = text.split_once('/') else {
        return false;
    };
    text.chars().all(plain) && !matches!(first, "" | "." | "..") && root().join(first).is_dir()
}

#[test]
fn a_file_that_a_page_names_is_there() {
    let mut missing = Vec::new();
    let mut seen = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page is text");
        let folder = page.parent().expect("a page is in a folder");
        let linked = between(&text, "](", ')').into_iter().filter_map(|target| {
            let file = target.split('#').next().unwrap_or_default();
            (!file.is_empty() && !file.contains("://")).then(|| (folder.join(file), target))
        });
        let named = between(&text, "`", '`')
            .into_iter()
            .filter(|name| names_a_file(name))
            .map(|name| (root().join(name), name));
        for (path, written) in linked.chain(named) {
            seen += 1;
            let made = MADE.iter().any(|made| path.ends_with(made));
            if !made && !path.exists() {
                missing.push(format!("{}: {written}", page.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(seen > 20, "only {seen} names were recognised");
}

#[test]
fn no_file_names_the_host_of_a_package_registry() {
    let hosts = [
        ["crates", "io"],
        ["pypi", "org"],
        ["pythonhosted", "org"],
        ["npmjs", "org"],
    ];
    let hosts = hosts.map(|host| host.join("."));
    let mut all = Vec::new();
    files(root(), &mut all);
    let mut naming = Vec::new();
    for path in all {
        // Every lock file of Cargo names its registry.
        let locked = path.ends_with("Cargo.lock");
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        if !locked && hosts.iter().any(|host| text.contains(host)) {
            naming.push(path);
        }
    }
    assert!(naming.is_empty(), "{naming:#?}");
}
