//! The programs that are measured.

use crate::operations::Operation;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Where each is.
pub struct Programs(BTreeMap<String, PathBuf>);

impl Programs {
    /// The functions in one folder, as cargo puts them there or as cargo-lambda does (`<name>/bootstrap`); the empty
    /// ones beside the benchmark itself, or there too.
    pub fn find(folder: &Path, wanted: &[Operation]) -> Self {
        let own = std::env::current_exe().expect("this program is a file");
        let examples = own.parent().and_then(Path::parent).expect("cargo's folder").join("examples");
        let mut names: Vec<_> =
            wanted.iter().flat_map(|operation| [operation.function, operation.empty]).collect();
        names.extend(["empty", "empty-stream"]);
        let find = |name: &str| {
            let places = [folder.join(name).join("bootstrap"), folder.join(name), examples.join(name)];
            places.into_iter().find(|place| place.is_file()).unwrap_or_else(|| panic!("{name} is not built"))
        };
        Self(names.into_iter().map(|name| (name.to_owned(), find(name))).collect())
    }

    /// The program of a function.
    pub fn of(&self, name: &str) -> &Path {
        &self.0[name]
    }

    /// How large a program is, and how large in the zip archive that is uploaded.
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
