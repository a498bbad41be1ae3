//! Makes the files that the function serves of the sources in page/: each gets a name with a hash of its content, mentions the others
//! by those names, and is compressed.
//!
//! A source mentions another file by its path without the hash, such as `/page/app.js`. Files may not mention each other in a
//! circle, because a file's hash depends on the names that it mentions.

use flate2::{Compression, write::GzEncoder};
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    error::Error,
    fmt::Write as _,
    fs,
    hash::{DefaultHasher, Hasher},
    io::Write as _,
    path::Path,
};

/// The folders of sources. No two files have the same name.
const FOLDERS: [&str; 4] = ["page", "page/screens", "page/pictures", "page/vendor"];

/// How libraries name each other, and the files that they are kept in.
const MODULES: [(&str, &str); 1] = [("\"preact\"", "\"/page/preact.mjs\"")];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=page");
    println!("cargo::rerun-if-changed=build.rs");
    let mut waiting = sources()?;
    let mut served: BTreeMap<String, String> = BTreeMap::new();
    let directory = env::var("OUT_DIR")?;
    let directory = Path::new(&directory);
    let mut table = String::from("/// Every file, sorted by name.\nconst FILES: &[File] = &[\n");
    let mut rows = BTreeSet::new();
    while !waiting.is_empty() {
        let is_ready = |text: &String| !waiting.keys().any(|name| mentions(text, name));
        let Some(name) = waiting.iter().find(|(_, text)| is_ready(text)).map(|(name, _)| name.clone()) else {
            let names: Vec<_> = waiting.into_keys().collect();
            return Err(format!("these files mention each other in a circle: {}", names.join(", ")).into());
        };
        let text = with_names(waiting.remove(&name).unwrap_or_default(), &served);
        let file = if extension(&name) == "html" { name.clone() } else { hashed(&name, &text)? };
        compress(directory, &file, text.as_bytes())?;
        rows.insert(row(&file)?);
        served.insert(name, file);
    }
    let rows: String = rows.into_iter().collect();
    writeln!(table, "{rows}];")?;
    Ok(fs::write(directory.join("files.rs"), table)?)
}

/// The sources by name.
fn sources() -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let mut sources = BTreeMap::new();
    for folder in FOLDERS {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !path.is_file() || media_type(&name).is_err() {
                continue;
            }
            let mut text = fs::read_to_string(&path)?;
            for (module, file) in MODULES {
                text = text.replace(module, file);
            }
            if folder != "page/vendor" && extension(&name) == "js" {
                text = without_comments(&text);
            }
            if sources.insert(name, text).is_some() {
                return Err(format!("{}: there is another file of this name", path.display()).into());
            }
        }
    }
    Ok(sources)
}

/// The lines of a module that are not comments.
fn without_comments(text: &str) -> String {
    let is_comment = |line: &str| line.starts_with("//") || (line.starts_with("/*") && line.ends_with("*/"));
    let lines = text.lines().map(str::trim_start).filter(|line| !is_comment(line) && !line.is_empty());
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// Whether a text mentions the file: its path, followed by something that cannot be a part of it.
fn mentions(text: &str, name: &str) -> bool {
    let path = format!("/page/{name}");
    text.match_indices(&path).any(|(at, _)| ends_a_path(&text[at + path.len()..]))
}

fn ends_a_path(rest: &str) -> bool {
    !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '-' || next == '.')
}

/// The text with the names that files are served by.
fn with_names(mut text: String, served: &BTreeMap<String, String>) -> String {
    for (name, file) in served {
        if mentions(&text, name) {
            text = text.replace(&format!("/page/{name}"), &format!("/page/{file}"));
        }
    }
    text
}

/// `app.js` is served as `app.1f0c93ab54de7712.js`. The hash tells versions apart; it protects nothing.
fn hashed(name: &str, text: &str) -> Result<String, Box<dyn Error>> {
    let (stem, extension) = name.rsplit_once('.').ok_or("a file without an extension")?;
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    Ok(format!("{stem}.{:016x}.{extension}", hasher.finish()))
}

fn compress(directory: &Path, file: &str, content: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(content)?;
    let mut brotli = Vec::new();
    // The highest quality takes half a minute for the largest file in a build without optimisation.
    let quality = if content.len() > 200_000 { 5 } else { 11 };
    let parameters = brotli::enc::BrotliEncoderParams { quality, ..Default::default() };
    brotli::BrotliCompress(&mut &*content, &mut brotli, &parameters)?;
    fs::write(directory.join(file), content)?;
    fs::write(directory.join(format!("{file}.gz")), gzip.finish()?)?;
    Ok(fs::write(directory.join(format!("{file}.br")), brotli)?)
}

/// Rust code: one entry of the table.
fn row(file: &str) -> Result<String, Box<dyn Error>> {
    let embedded = |macro_name: &str, suffix: &str| {
        format!("{macro_name}!(concat!(env!(\"OUT_DIR\"), \"/{file}{suffix}\"))")
    };
    let (plain, gzip, brotli) =
        (embedded("include_str", ""), embedded("include_bytes", ".gz"), embedded("include_bytes", ".br"));
    let mut row = String::new();
    writeln!(row, "    File {{ name: {file:?}, media_type: {:?},", media_type(file)?)?;
    writeln!(row, "        content: Content {{ plain: {plain}, gzip: {gzip}, brotli: {brotli} }} }},")?;
    Ok(row)
}

fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn media_type(name: &str) -> Result<&'static str, Box<dyn Error>> {
    match extension(name) {
        "html" => Ok("text/html; charset=utf-8"),
        "js" | "mjs" => Ok("text/javascript; charset=utf-8"),
        "css" => Ok("text/css; charset=utf-8"),
        "svg" => Ok("image/svg+xml; charset=utf-8"),
        _ => Err(format!("{name}: of no known media type").into()),
    }
}
