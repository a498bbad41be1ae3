//! Access to the project's files.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the project");
    root.to_owned()
});

/// The root directory of the workspace.
pub fn root() -> &'static Path {
    &ROOT
}

/// The text of a file; the path is relative to the root.
pub fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A text file of the project.
#[derive(Debug, Clone)]
pub struct Source {
    /// The path relative to the root, with `/` as the separator.
    pub path: String,
    /// The content.
    pub text: String,
}

impl Source {
    /// Whether the file has this extension.
    pub fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|is| is == extension)
    }
}

/// All text files below a directory, sorted by path, without build output and hidden directories other than `.ci`.
pub fn sources(directory: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root().join(directory), &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(directory: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())) {
        let path = entry.expect("a directory that can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name == "target" || name == "__pycache__" || name.starts_with('.') && name != ".ci" {
            continue;
        }
        if path.is_dir() {
            collect(&path, found);
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path.strip_prefix(root()).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            found.push(Source { path, text });
        }
    }
}

/// The text of a function's `src/main.rs`; `None` if there is no such crate.
pub fn function(name: &str) -> Option<String> {
    fs::read_to_string(root().join("functions").join(name).join("src/main.rs")).ok()
}

/// The names of the direct subdirectories of a directory, sorted.
pub fn directories(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(directory)).expect("a directory of the project");
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
