//! The pages of `corpus/`, with what is read from each.

#![cfg(test)]

use crate::{Allowed, PageAddress, Reading, read};
use encoding_rs::Encoding;

const FILES: [(&str, &str); 4] = [
    ("json_ld", include_str!("../corpus/json_ld.txt")),
    ("prices", include_str!("../corpus/prices.txt")),
    ("choices", include_str!("../corpus/choices.txt")),
    ("markup", include_str!("../corpus/markup.txt")),
];

/// A page and what is read from it.
pub(crate) struct Case {
    pub(crate) title: String,
    expected: String,
    path: String,
    content_type: String,
    pub(crate) body: Vec<u8>,
}

impl Case {
    /// Reads a page with another body in the place of this one.
    pub(crate) fn read(&self, body: &[u8]) -> Reading {
        let address = format!("https://shop.com{}", self.path);
        let address = PageAddress::parse(&address, &Allowed::default()).unwrap();
        read(&address, Some(&self.content_type), body, &Allowed::default())
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let of_file = |(file, text): (&'static str, &'static str)| {
        text.split("\n== ").map(move |case| parse(file, case.strip_prefix("== ").unwrap_or(case)))
    };
    FILES.into_iter().flat_map(of_file).collect()
}

fn parse(file: &str, case: &str) -> Case {
    let (head, page) = case.split_once("\n\n").unwrap();
    let setting = |name: &str| head.lines().skip(1).find_map(|line| line.strip_prefix(name)).map(str::trim);
    let page = page.trim();
    let is_json = page.starts_with(['{', '[']);
    let page = if is_json {
        format!("<script type=\"application/ld+json\">{page}</script>")
    } else {
        page.to_owned()
    };
    let encoding = Encoding::for_label(setting("in:").unwrap_or("utf-8").as_bytes()).unwrap();
    let (body, _, has_unmappable) = encoding.encode(&page);
    assert!(!has_unmappable, "{head}");
    Case {
        title: format!("{file}: {}", head.lines().next().unwrap()),
        expected: setting("=>").unwrap().to_owned(),
        path: setting("at:").unwrap_or("/p").to_owned(),
        content_type: setting("type:").unwrap_or("text/html").to_owned(),
        body: body.into_owned(),
    }
}

fn line(reading: &Reading) -> String {
    let observed = match &reading.observation {
        Ok(observation) => {
            let from = if observation.from { "from " } else { "" };
            let price = observation.price.map(|price| format!("{from}{} {}", price.currency, price.amount));
            let availability = serde_json::to_value(observation.availability).unwrap();
            let price = price.as_deref().unwrap_or("-");
            format!("{} | {price} | {}", observation.name, availability.as_str().unwrap())
        }
        Err(reason) => reason.to_string(),
    };
    let canonical = reading.canonical.as_ref().map(|address| format!(" | canonical {address}"));
    observed + &canonical.unwrap_or_default()
}

#[test]
fn each_page_of_the_corpus_is_read_as_it_says() {
    let cases = cases();
    assert!(cases.len() >= 60, "{}", cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .map(|case| (case, line(&case.read(&case.body))))
        .filter(|(case, read)| *read != case.expected)
        .map(|(case, read)| format!("{}\n  expected {}\n  read     {read}", case.title, case.expected))
        .collect();
    assert!(wrong.is_empty(), "{} of {} pages:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn every_reason_that_a_page_can_give_is_in_the_corpus() {
    let cases = cases();
    for reason in [
        "not-html",
        "too-complex",
        "no-product",
        "several-products",
        "no-price",
        "bad-price",
        "no-currency",
        "unknown-currency",
    ] {
        assert!(cases.iter().any(|case| case.expected.starts_with(reason)), "{reason}");
    }
}
