//! Processor time and memory for reading large pages, as in docs/price-watch.md: `cargo run --release -p crawl --example measure`.

use crawl::{Allowed, PageAddress, read};
use std::process::Command;

const OFFER: &str = r#"<script type="application/ld+json">{"@type": "Product", "name": "Tea",
    "offers": {"price": "12.99", "priceCurrency": "EUR"}}</script>"#;

fn page(name: &str) -> Option<String> {
    let row =
        "<div class=\"row\"><a href=\"/p?x=1\" title='Tea &amp; more'><span>Tea</span> for two</a></div>\n";
    Some(match name {
        "1 MB" => format!("{OFFER}{}", row.repeat(1_000_000 / row.len())),
        "4 MB" => format!("{OFFER}{}", row.repeat(4_000_000 / row.len())),
        "100,000 nested elements" => format!("{OFFER}{}", "<div>".repeat(100_000)),
        "60,000 attributes" => {
            let attributes: Vec<String> = (0..60_000).map(|number| format!("a{number}=b")).collect();
            format!("{OFFER}<div {}>", attributes.join(" "))
        }
        "1 MB of JSON-LD" => {
            let item = r#"{"@type": "Review", "name": "good", "reviewRating": {"ratingValue": 5}},"#;
            let reviews = item.repeat(1_000_000 / item.len());
            format!("{OFFER}<script type='application/ld+json'>[{reviews}]</script>")
        }
        _ => return None,
    })
}

/// The peak memory of this process, in MB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().map_or(0.0, |kilobytes| kilobytes / 1024.0)
}

/// The time that this process has been on a processor, in milliseconds: other processes do not count.
fn processor_time() -> f64 {
    let statistics = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds = statistics.split(' ').next().unwrap_or_default();
    nanoseconds.parse::<f64>().map_or(0.0, |nanoseconds| nanoseconds / 1e6)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Each page in a process of its own, for the peak of its memory.
    let Some(name) = std::env::args().nth(1) else {
        for name in ["1 MB", "4 MB", "100,000 nested elements", "60,000 attributes", "1 MB of JSON-LD"] {
            Command::new(std::env::current_exe()?).arg(name).status()?;
        }
        return Ok(());
    };
    let page = page(&name).ok_or("no such page")?;
    let address =
        PageAddress::parse("https://shop.com/p", &Allowed::default()).map_err(|refused| refused.message)?;
    let before = peak();
    let mut times = Vec::new();
    let mut outcome = String::new();
    for _ in 0..15 {
        let start = processor_time();
        let reading = read(&address, Some("text/html"), page.as_bytes(), &Allowed::default());
        times.push(processor_time() - start);
        outcome = reading.observation.map_or_else(|reason| reason.to_string(), |_| "read".to_owned());
    }
    times.sort_by(f64::total_cmp);
    let milliseconds = times[times.len() / 2];
    println!("{name}: {milliseconds:.1} ms, {:.1} MB above the page itself, {outcome}", peak() - before);
    Ok(())
}
