//! The results as Markdown tables, for the terminal and docs/benchmark.md.

use serde_json::Value;
use std::fmt::Write;

/// Larger ratios are in bold, and docs/benchmark.md explains them.
const MARK: f64 = 1.3;

/// The whole report, as Markdown.
pub fn markdown(report: &Value) -> String {
    let mut text = String::new();
    let machine = &report["machine"];
    let of = |name: &str| machine[name].as_str().unwrap_or_default();
    let _ = writeln!(
        text,
        "Measured on {} at {}: {}, {} cores, {}, {}, {}; load {}.\n",
        of("date"),
        of("commit"),
        of("processor"),
        machine["cores"],
        of("memory"),
        of("kernel"),
        of("rustc"),
        of("load"),
    );
    cold(&mut text, &report["cold"]);
    warm(&mut text, &report["warm"]);
    growth(&mut text, &report["growth"]);
    for line in report["notes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let _ = writeln!(text, "{line}\n");
    }
    text
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn ratio(value: &Value) -> String {
    let ratio = value.as_f64().unwrap_or_default();
    if ratio > MARK { format!("**{ratio:.2}**") } else { format!("{ratio:.2}") }
}

fn megabytes(bytes: &Value) -> String {
    format!("{:.1}", bytes.as_f64().unwrap_or_default() / 1e6)
}

fn cold(text: &mut String, cold: &Value) {
    if rows(cold).is_empty() {
        return;
    }
    text.push_str(
        "| cold start | to first poll: CPU ms | × empty | wall ms | × empty | to first answer: CPU ms | \
         × (empty + bare) | wall ms | × (empty + bare) | program MB | zip MB |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows(cold) {
        let (poll, answer) = (&row["toFirstPoll"], &row["toFirstAnswer"]);
        let name = row["function"].as_str().unwrap_or_default();
        let _ = write!(text, "| {name} ");
        for part in [poll, answer] {
            for kind in ["cpu", "wall"] {
                let ms = part[format!("{kind}Ms")].as_f64().unwrap_or_default();
                let _ = write!(text, "| {ms:.2} | {} ", ratio(&part[format!("{kind}Ratio")]));
            }
        }
        let _ = writeln!(text, "| {} | {} |", megabytes(&row["programBytes"]), megabytes(&row["zipBytes"]));
    }
    text.push('\n');
}

fn warm(text: &mut String, warm: &Value) {
    if rows(warm).is_empty() {
        return;
    }
    text.push_str(
        "| warm | p50 µs | p90 | p99 | max | empty p50 | bare p50 | × (empty + bare) | CPU µs | empty CPU | bare CPU | \
         × (empty + bare) | a second and core | memory MB | empty MB |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows(warm) {
        let number = |pointer: &str| row.pointer(pointer).and_then(Value::as_f64).unwrap_or_default();
        let name = row["operation"].as_str().unwrap_or_default();
        let _ = write!(text, "| {name} ");
        for part in ["p50", "p90", "p99", "max"] {
            let _ = write!(text, "| {:.0} ", number(&format!("/function/wallUs/{part}")));
        }
        let (empty, bare) = (number("/empty/wallUs/p50"), number("/bare/wallUs/p50"));
        let _ = write!(text, "| {empty:.0} | {bare:.0} | {} ", ratio(&row["wallRatio"]));
        let cpu = ["function", "empty", "bare"].map(|side| number(&format!("/{side}/cpuUs/p50")));
        let _ =
            write!(text, "| {:.0} | {:.0} | {:.0} | {} ", cpu[0], cpu[1], cpu[2], ratio(&row["cpuRatio"]));
        let unit = row["unit"].as_str().unwrap_or_default();
        let _ = write!(text, "| {:.0} {unit} ", number("/perSecondPerCore"));
        let memory = [&row["residentBytes"], &row["emptyResidentBytes"]].map(megabytes);
        let _ = writeln!(text, "| {} | {} |", memory[0], memory[1]);
    }
    text.push('\n');
}

fn growth(text: &mut String, growth: &Value) {
    let Some(first) = rows(growth).first() else { return };
    text.push_str("| growth: p50 µs at ");
    for size in rows(&first["sizes"]) {
        let _ = write!(text, "| {} ", size["size"]);
    }
    text.push_str("| largest ÷ smallest |\n|---|---|");
    text.push_str(&"---|".repeat(rows(&first["sizes"]).len()));
    text.push('\n');
    for row in rows(growth) {
        let _ = write!(text, "| {} ", row["operation"].as_str().unwrap_or_default());
        for size in rows(&row["sizes"]) {
            let _ = write!(text, "| {:.0} ", size["p50Us"].as_f64().unwrap_or_default());
        }
        let _ = writeln!(text, "| {} |", ratio(&row["ratio"]));
    }
    text.push('\n');
}
