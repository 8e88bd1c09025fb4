//! The laboratory's tool, which is no part of the project: `PINHOLE_SHARED` names the folder that holds `natlab/`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

/// The laboratory's folder; prints why there is none.
pub fn installed() -> Option<PathBuf> {
    let Some(shared) = env::var_os("PINHOLE_SHARED") else {
        println!("skipped: PINHOLE_SHARED does not name a folder with a natlab");
        return None;
    };
    let base = env::var_os("NATLAB_BASE").unwrap_or_else(|| "/tmp/natlab".into());
    if !PathBuf::from(base).join("venv").is_dir() {
        println!("skipped: natlab/setup.sh has not been run");
        return None;
    }
    let namespace = Command::new("unshare").args(["--net", "true"]).status();
    if !namespace.is_ok_and(|status| status.success()) {
        println!("skipped: no right to make a network namespace");
        return None;
    }
    Some(PathBuf::from(shared).join("natlab"))
}

/// A laboratory that stands until this is dropped, beside those of other tests and other runs.
pub struct Natlab {
    folder: PathBuf,
    /// Of the names of its namespaces.
    prefix: String,
    state: PathBuf,
}

impl Natlab {
    /// With what `natlab up --help` tells.
    pub fn up(folder: PathBuf, options: &[&str]) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        clear_away(&folder);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let natlab = Self::named(folder, &format!("{}-{number}", process::id()));
        let output = natlab.tool("natlab").arg("up").args(options).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        natlab
    }

    fn named(folder: PathBuf, name: &str) -> Self {
        let state = env::temp_dir().join(format!("{STATE}{name}"));
        Self { folder, prefix: format!("{name}-"), state }
    }

    /// One of the laboratory's programs, for this one.
    pub fn tool(&self, name: &str) -> Command {
        let mut command = Command::new("timeout");
        command.arg(PATIENCE).arg(self.folder.join(name));
        command.env("NATLAB_PREFIX", &self.prefix).env("NATLAB_STATE", &self.state);
        command
    }

    pub fn namespace(&self, network: &str) -> String {
        format!("{}{network}", self.prefix)
    }

    /// A folder that goes with it.
    pub fn state(&self) -> &Path {
        &self.state
    }
}

impl Drop for Natlab {
    fn drop(&mut self) {
        let _ = self.tool("natlab").arg("down").output();
        let _ = fs::remove_dir_all(&self.state);
    }
}

/// Takes down what runs have left that were interrupted: laboratories of processes that are no more.
fn clear_away(folder: &Path) {
    for entry in fs::read_dir(env::temp_dir()).unwrap().flatten() {
        let file = entry.file_name();
        let Some(name) = file.to_str().and_then(|file| file.strip_prefix(STATE)) else { continue };
        let owner = name.split('-').next().unwrap_or(name);
        if !Path::new("/proc").join(owner).exists() {
            drop(Natlab::named(folder.to_owned(), name));
        }
    }
}

/// How the folders of their states begin, among the temporary files; the owner's process id follows.
const STATE: &str = "natlab-of-";

/// How long one of its programs may run, in seconds.
const PATIENCE: &str = "120";
