//! The programs that are measured.

use crate::operations::{Operation, PEER};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tests::project;

/// The paths of the programs, by name.
pub struct Programs(BTreeMap<String, PathBuf>);

impl Programs {
    /// Finds the functions in a folder with the layout of cargo (`<name>`) or cargo-lambda (`<name>/bootstrap`), and
    /// the empty ones there or among the built examples. The peer is in a target directory of its own.
    pub fn find(folder: &Path, wanted: &[Operation]) -> Self {
        let own = std::env::current_exe().expect("this program is a file");
        let examples = own.parent().and_then(Path::parent).expect("cargo's folder").join("examples");
        let mut names: Vec<_> =
            wanted.iter().flat_map(|operation| [operation.function, operation.empty]).collect();
        names.extend(["empty", "empty-stream"]);
        if names.contains(&PEER) {
            names.push("product-get");
        }
        let find = |name: &str| {
            let peer = project::root().join("target/peer/release").join(name);
            let places = [folder.join(name).join("bootstrap"), folder.join(name), examples.join(name), peer];
            places.into_iter().find(|place| place.is_file()).unwrap_or_else(|| panic!("{name} is not built"))
        };
        Self(names.into_iter().map(|name| (name.to_owned(), find(name))).collect())
    }

    /// The program of a function.
    pub fn of(&self, name: &str) -> &Path {
        &self.0[name]
    }

    /// The sizes in bytes of a program and of the zip archive that is uploaded; 0 if the size is unknown.
    pub fn sizes(&self, name: &str) -> (u64, u64) {
        let program = self.of(name);
        let bytes = fs::metadata(program).map_or(0, |metadata| metadata.len());
        let zip = "import io, sys, zipfile; buffer = io.BytesIO(); \
                   archive = zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED); \
                   archive.write(sys.argv[1], 'bootstrap'); archive.close(); print(len(buffer.getvalue()))";
        let output = Command::new("python3").args(["-c", zip]).arg(program).output();
        let zipped =
            output.ok().and_then(|output| String::from_utf8_lossy(&output.stdout).trim().parse().ok());
        (bytes, zipped.unwrap_or_default())
    }
}
