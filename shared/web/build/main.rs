//! Makes the OpenAPI document of its parts in openapi/: as it is served, plain and compressed, and the table of its paths.

mod assemble;

use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use std::{env, error::Error, fmt::Write as _, fs, io::Write as _, path::Path};

const PARTS: &str = "openapi";
const COMMON: &str = "common";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PARTS}");
    println!("cargo::rerun-if-changed=build");
    let mut areas = parts()?;
    let common = areas.iter().position(|(name, _)| name == COMMON).ok_or("there is no common.json")?;
    let (_, common) = areas.remove(common);
    let document = assemble::assemble(&common, &areas)?;
    let text = document.to_string();

    let directory = env::var("OUT_DIR")?;
    let directory = Path::new(&directory);
    fs::write(directory.join("openapi.json"), &text)?;
    fs::write(directory.join("openapi.json.gz"), gzip(text.as_bytes())?)?;
    fs::write(directory.join("openapi.json.br"), brotli(text.as_bytes())?)?;
    fs::write(directory.join("paths.rs"), paths(&document)?)?;
    Ok(())
}

/// The parts and their names, in the order of the names.
fn parts() -> Result<Vec<(String, Value)>, Box<dyn Error>> {
    let mut parts = Vec::new();
    for entry in fs::read_dir(PARTS)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let part = serde_json::from_str(&fs::read_to_string(&path)?);
            parts.push((name, part.map_err(|error| format!("{}: {error}", path.display()))?));
        }
    }
    parts.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(parts)
}

fn gzip(text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text)?;
    encoder.finish()
}

fn brotli(text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &*text, &mut compressed, &brotli::enc::BrotliEncoderParams::default())?;
    Ok(compressed)
}

/// Rust code: each path with its methods. HEAD is answered wherever GET is, and is not an operation of its own.
fn paths(document: &Value) -> Result<String, std::fmt::Error> {
    let mut code = String::from("/// The paths of the document.\npub const PATHS: &[PathItem] = &[\n");
    for (template, item) in document["paths"].as_object().into_iter().flatten() {
        let has = |method: &str| item.get(if method == "head" { "get" } else { method }).is_some();
        let methods = assemble::METHODS.iter().filter(|method| has(method));
        let methods: Vec<String> = methods.map(|method| method.to_ascii_uppercase()).collect();
        writeln!(code, "    PathItem {{ template: {template:?}, methods: &{methods:?} }},")?;
    }
    code.push_str("];\n");
    Ok(code)
}
