//! Reads any bytes as a page: it must end, and must not panic.
#![no_main]

use crawl::{Allowed, PageAddress, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(address) = PageAddress::parse("https://shop.com/p?variant=1", &Allowed::default()) {
        let _ = read(&address, Some("text/html"), body, &Allowed::default());
    }
});
