//! Names of hosts that can be public.

/// Top-level domains that are not of the public DNS: IANA's special-use domain names, those that ICANN reserved for
/// private use or found to collide, and those that routers use.
const NOT_PUBLIC: [&str; 18] = [
    "alt",
    "arpa",
    "corp",
    "domain",
    "example",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "mail",
    "onion",
    "private",
    "test",
    "workgroup",
];

/// Whether a name can be one of the public DNS: at least two labels, of which the last is not reserved. The name is as
/// `Url` writes it: lower case, in Punycode, never an IP address.
pub fn is_public_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let labels: Vec<&str> = name.split('.').collect();
    let well_formed = labels.iter().all(|label| (1..=63).contains(&label.len()));
    well_formed
        && name.len() <= 253
        && labels.len() >= 2
        && labels.last().is_some_and(|last| {
            !NOT_PUBLIC.contains(last) && last.starts_with(|c: char| c.is_ascii_lowercase())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_names_have_two_labels_and_a_public_end() {
        for name in ["shop.com", "www.shop.co.uk", "xn--bcher-kva.de", "a.xn--p1ai", "shop.com."] {
            assert!(is_public_name(name), "{name}");
        }
        for name in [
            "",
            ".",
            "com",
            "com.",
            "shop..com",
            ".shop.com",
            "a.localhost",
            "a.local",
            "a.internal",
            "a.home.arpa",
            "1.2",
        ] {
            assert!(!is_public_name(name), "{name}");
        }
        assert!(!is_public_name(&format!("{}.com", "a".repeat(64))));
        assert!(!is_public_name(&format!("{}com", "a.".repeat(126))));
    }
}
