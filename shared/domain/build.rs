//! Compresses the list of common passwords: data/README.md says what it is and where it is from.
//!
//! Each password is stored as the number of bytes that it shares with the one before it, and its other bytes, of which
//! the last has its highest bit set. The list is sorted and ASCII.

use std::{env, fs, io, path::Path};

const LIST: &str = "data/common-passwords.txt";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={LIST}");
    let directory = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&directory).join("common-passwords.bin"), compressed(&fs::read_to_string(LIST)?)?)
}

fn compressed(list: &str) -> io::Result<Vec<u8>> {
    let mut compressed = Vec::new();
    let mut before: &[u8] = b"";
    for word in list.lines().map(str::as_bytes) {
        if word <= before || !word.is_ascii() {
            return Err(io::Error::other(format!("{LIST} is not sorted, or not ASCII")));
        }
        let shared = word.iter().zip(before).take_while(|(one, other)| one == other).count();
        compressed.push(u8::try_from(shared).map_err(io::Error::other)?);
        compressed.extend(&word[shared..]);
        if let Some(last) = compressed.last_mut() {
            *last |= 0x80;
        }
        before = word;
    }
    Ok(compressed)
}
