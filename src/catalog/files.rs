//! Reads the files of a workspace from a folder: bounded, and nothing from outside it.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::model::catalog::Files;

use super::mistake::Mistake;
use super::restraint::CONTACT_FILE;

/// The largest file, in bytes.
pub const MAX_FILE: u64 = 256 * 1024;

/// The most bytes of all files.
pub const MAX_TOTAL: usize = 8 * 1024 * 1024;

/// The most files.
pub const MAX_FILES: usize = 2_000;

/// The deepest folder.
const MAX_DEPTH: usize = 8;

/// Reads `contact.yaml`, `playbooks/`, `prompts/`, `adapters/` and `sources/`. Hidden files are left out, and so are files of other
/// kinds beside playbooks, adapters and sources.
///
/// # Errors
/// Files that cannot be read, are too large, or lie outside the folder by a symbolic link.
pub fn read_workspace(dir: &Path) -> Result<Files, Vec<Mistake>> {
    find_workspace(dir).whole()
}

/// The same, as far as it can be read.
pub fn find_workspace(dir: &Path) -> Found {
    read_folders(dir, &["adapters", "playbooks", "prompts", "sources"], &[CONTACT_FILE])
}

/// Reads `tests/`: the scenarios of a workspace, which are no part of its catalog.
///
/// # Errors
/// As for [`read_workspace`].
pub fn read_scenarios(dir: &Path) -> Result<Files, Vec<Mistake>> {
    find_scenarios(dir).whole()
}

/// The same, as far as they can be read.
pub fn find_scenarios(dir: &Path) -> Found {
    read_folders(dir, &["tests"], &[])
}

/// What was read of a folder, and what could not be: one bad file hides no mistake of another.
#[derive(Debug, Default)]
pub struct Found {
    /// The files that could be read.
    pub files: Files,
    /// One of each that could not.
    pub mistakes: Vec<Mistake>,
}

impl Found {
    /// The files, where all could be read.
    fn whole(self) -> Result<Files, Vec<Mistake>> {
        if self.mistakes.is_empty() { Ok(self.files) } else { Err(self.mistakes) }
    }

    /// Whether a path, or a folder that it lies in, could not be read.
    pub fn missed(&self, path: &str) -> bool {
        self.mistakes.iter().any(|mistake| {
            let rest = path.strip_prefix(mistake.file.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// Whether all of a folder could be read.
    pub fn has_all_of(&self, folder: &str) -> bool {
        let within =
            |file: &str| file.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        !self.mistakes.iter().any(|mistake| within(&mistake.file))
    }
}

fn read_folders(dir: &Path, folders: &[&str], files: &[&str]) -> Found {
    let nothing = |why: String| {
        let mistakes = vec![Mistake::whole(&dir.display().to_string(), why)];
        Found { files: Files::new(), mistakes }
    };
    let root = match fs::canonicalize(dir) {
        Ok(root) if root.is_dir() => root,
        Ok(_) => return nothing("this is no folder".to_owned()),
        Err(problem) => return nothing(format!("this cannot be read: {problem}")),
    };
    let mut walk = Walk { root, files: Files::new(), total: 0, mistakes: Vec::new() };
    for folder in folders {
        let path = dir.join(folder);
        if path.symlink_metadata().is_ok() {
            walk.folder(&path, folder, 1);
        }
    }
    for file in files {
        let path = dir.join(file);
        if path.symlink_metadata().is_ok() {
            walk.file(&path, file);
        }
    }
    Found { files: walk.files, mistakes: walk.mistakes }
}

/// SHA-256 of paths and contents, in hex: the name of a catalog.
pub fn hash(files: &Files) -> String {
    let mut hasher = Sha256::new();
    for (path, content) in files {
        for part in [path.as_bytes(), content.as_slice()] {
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(part);
        }
    }
    let mut text = String::with_capacity(64);
    for byte in hasher.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

struct Walk {
    root: PathBuf,
    files: Files,
    total: usize,
    mistakes: Vec<Mistake>,
}

impl Walk {
    fn wrong(&mut self, name: &str, message: impl Into<String>) {
        self.mistakes.push(Mistake::whole(name, message));
    }

    fn folder(&mut self, path: &Path, name: &str, depth: usize) {
        let Some(real) = self.inside(path, name) else { return };
        if depth > MAX_DEPTH {
            self.wrong(name, format!("folders are at most {MAX_DEPTH} deep"));
            return;
        }
        let entries = match fs::read_dir(&real) {
            Ok(entries) => entries,
            Err(problem) => {
                self.wrong(name, format!("this folder cannot be read: {problem}"));
                return;
            }
        };
        let mut names: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.file_name())).collect();
        names.sort();
        for file in names {
            let shown = format!("{name}/{}", file.to_string_lossy());
            let Some(text) = file.to_str() else {
                self.wrong(&shown, "the file's name is not UTF-8");
                continue;
            };
            if text.starts_with('.') {
                continue;
            }
            if self.mistakes.len() >= 100 || self.files.len() > MAX_FILES {
                return;
            }
            let path = path.join(&file);
            if path.is_dir() {
                // Only prompts have folders of their own.
                if name.starts_with("prompts") {
                    self.folder(&path, &shown, depth + 1);
                }
            } else if name.starts_with("prompts") || text.ends_with(".yaml") || text.ends_with(".yml") {
                self.file(&path, &shown);
            }
        }
    }

    fn file(&mut self, path: &Path, name: &str) {
        let Some(real) = self.inside(path, name) else { return };
        if !real.is_file() {
            self.wrong(name, "this is no file");
            return;
        }
        let mut content = Vec::new();
        let read = fs::File::open(&real).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut content));
        if let Err(problem) = read {
            self.wrong(name, format!("this cannot be read: {problem}"));
            return;
        }
        if u64::try_from(content.len()).unwrap_or(u64::MAX) > MAX_FILE {
            self.wrong(name, format!("the file is larger than {} KiB", MAX_FILE / 1024));
            return;
        }
        self.total += content.len();
        self.files.insert(name.to_owned(), content);
        if self.files.len() > MAX_FILES {
            self.wrong(name, format!("the workspace has more than {MAX_FILES} files"));
        } else if self.total > MAX_TOTAL {
            self.wrong(name, format!("the workspace is larger than {} MiB", MAX_TOTAL / 1024 / 1024));
        }
    }

    /// Where a path really is, if that is inside of the workspace.
    fn inside(&mut self, path: &Path, name: &str) -> Option<PathBuf> {
        match fs::canonicalize(path) {
            Ok(real) if real.starts_with(&self.root) => Some(real),
            Ok(_) => {
                self.wrong(name, "this is a link to something outside of the workspace");
                None
            }
            Err(problem) => {
                self.wrong(name, format!("this cannot be read: {problem}"));
                None
            }
        }
    }
}
