//! Reads the workspace: its files, its manifests by `cargo metadata`, and Cargo.lock.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use serde::Deserialize;

/// Directories that hold no files of the repository.
const NOT_OURS: &[&str] = &[".git", "target", "corpus", "artifacts", "__pycache__"];

/// A file of the repository: its path from the top, with `/`, and its text.
pub struct TextFile {
    pub path: String,
    pub text: String,
}

/// A package of the workspace, as `cargo metadata` tells it.
#[derive(Deserialize)]
pub struct Package {
    pub name: String,
    pub publish: Option<Vec<String>>,
    pub manifest_path: PathBuf,
    pub dependencies: Vec<Dependency>,
    pub targets: Vec<Target>,
}

/// A dependency, as its manifest declares it.
#[derive(Deserialize)]
pub struct Dependency {
    pub name: String,
    /// `None` for a normal one, else "dev" or "build".
    pub kind: Option<String>,
}

/// A target of a package.
#[derive(Deserialize)]
pub struct Target {
    pub name: String,
    pub kind: Vec<String>,
    pub test: bool,
}

impl Package {
    /// The names of its normal dependencies.
    pub fn normal(&self) -> impl Iterator<Item = &str> {
        self.dependencies
            .iter()
            .filter(|dependency| dependency.kind.is_none())
            .map(|dependency| dependency.name.as_str())
    }
}

/// A package of Cargo.lock.
#[derive(Deserialize)]
pub struct Locked {
    pub name: String,
    #[serde(default)]
    pub version: String,
    pub source: Option<String>,
    #[serde(default)]
    pub dependencies: Vec<String>,
}

/// The top of the repository.
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every text file of the repository.
pub fn files() -> &'static [TextFile] {
    static FILES: LazyLock<Vec<TextFile>> = LazyLock::new(|| {
        let mut files = Vec::new();
        read_below(&top(), &top(), &mut files);
        files
    });
    &FILES
}

fn read_below(top: &Path, dir: &Path, files: &mut Vec<TextFile>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if NOT_OURS.contains(&name.as_str()) {
            continue;
        }
        if entry.is_dir() {
            read_below(top, &entry, files);
        } else if let Ok(text) = fs::read_to_string(&entry) {
            let path = entry.strip_prefix(top).unwrap().to_string_lossy().replace('\\', "/");
            files.push(TextFile { path, text });
        }
    }
}

/// Every Rust file of the repository.
pub fn rust_files() -> impl Iterator<Item = &'static TextFile> {
    files().iter().filter(|file| file.path.ends_with(".rs"))
}

/// The Rust files of the crates' own code: what invariants on code hold for. Tests and benches may name anything.
pub fn source_files() -> impl Iterator<Item = &'static TextFile> {
    rust_files().filter(|file| file.path.starts_with("crates/") && file.path.contains("/src/"))
}

/// The crate that a file is in: `core` for `crates/core/src/lib.rs`.
pub fn crate_of(path: &str) -> &str {
    path.strip_prefix("crates/").and_then(|path| path.split('/').next()).unwrap_or("")
}

/// The packages of the workspace. `--no-deps`: it asks for nothing that the build didn't download.
pub fn packages() -> &'static [Package] {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    static PACKAGES: LazyLock<Vec<Package>> = LazyLock::new(|| {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--offline", "--no-deps", "--format-version", "1"])
            .current_dir(top())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Metadata>(&output.stdout).unwrap().packages
    });
    &PACKAGES
}

/// The packages of a Cargo.lock.
pub fn locked(text: &str) -> Vec<Locked> {
    let mut lock: BTreeMap<String, toml::Value> = toml::from_str(text).unwrap();
    lock.remove("package").unwrap().try_into().unwrap()
}

/// This workspace's Cargo.lock.
pub fn lock() -> Vec<Locked> {
    locked(&fs::read_to_string(top().join("Cargo.lock")).unwrap())
}

/// The Cargo.lock of the fuzz targets.
pub fn fuzz_lock() -> Vec<Locked> {
    locked(&fs::read_to_string(top().join("fuzz/Cargo.lock")).unwrap())
}
