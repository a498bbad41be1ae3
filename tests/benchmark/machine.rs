//! The environment of a measurement.

use serde_json::{Value, json};
use std::{fs, process::Command, thread};

/// The machine and its load, the compiler, the date and the commit.
pub fn describe() -> Value {
    let of = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
        value.map_or(String::new(), |(_, value)| value.trim().to_owned())
    };
    let said = |program: &str, words: &[&str]| {
        let output = Command::new(program).args(words).current_dir(tests::project::root()).output();
        output.map_or(String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    json!({
        "processor": of("/proc/cpuinfo", "model name"),
        "cores": thread::available_parallelism().map_or(0, Into::into),
        "memory": of("/proc/meminfo", "MemTotal"),
        "kernel": said("uname", &["-srm"]),
        "rustc": said("rustc", &["--version"]),
        "date": said("date", &["-u", "+%Y-%m-%d"]),
        "commit": said("git", &["rev-parse", "--short", "HEAD"]),
        "load": fs::read_to_string("/proc/loadavg").unwrap_or_default().trim(),
    })
}
