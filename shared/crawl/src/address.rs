//! Addresses of pages: which ones are asked for, and which of them are the same page.

use crate::host;
use aws_lc_rs::digest::{SHA256, digest};
use domain::observation::{ItemId, Reason};
use std::fmt;
use url::{Host, Url};

/// The longest address, in characters.
const LONGEST: usize = 2048;

/// The port of Lambda's Runtime API. Nothing may be asked for there, not even if the setting allows it.
const RUNTIME_API: u16 = 9001;

/// Query parameters that say where a visitor came from, and make no other page.
const TRACKING: [&str; 24] = [
    "_ga",
    "_gl",
    "_hsenc",
    "_hsmi",
    "dclid",
    "fbclid",
    "gad_campaignid",
    "gad_source",
    "gbraid",
    "gclid",
    "gclsrc",
    "igsh",
    "igshid",
    "li_fat_id",
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "msclkid",
    "srsltid",
    "ttclid",
    "twclid",
    "wbraid",
    "yclid",
    "zanpid",
];

/// Why an address is refused without asking for it: the reason, and a sentence for the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The reason.
    pub reason: Reason,
    /// The fault of the address: a text that begins with "must".
    pub message: &'static str,
}

/// The hosts that requests may go to: names at the ports of http and https, and exact entries `127.0.0.1:port` for tests, of
/// which production has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    loopback: Vec<u16>,
    /// The ports that names may have.
    of_names: Vec<u16>,
}

impl Default for Allowed {
    fn default() -> Self {
        Self { loopback: Vec::new(), of_names: vec![80, 443] }
    }
}

impl Allowed {
    /// Parses the setting: `127.0.0.1:port`, separated by commas.
    pub fn parse(setting: &str) -> Result<Self, String> {
        let entries = setting.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let ports = entries.map(|entry| {
            let port = entry.strip_prefix("127.0.0.1:").and_then(|port| port.parse().ok());
            // One spelling, as in the addresses that are compared with it.
            let port = port.filter(|port| *port > 0 && format!("127.0.0.1:{port}") == entry);
            match port {
                Some(RUNTIME_API) => Err(format!("{entry}: Lambda's Runtime API is never allowed")),
                Some(port) => Ok(port),
                None => Err(format!("{entry}: not 127.0.0.1:port")),
            }
        });
        Ok(Self { loopback: ports.collect::<Result<_, _>>()?, ..Self::default() })
    }

    /// Whether this is one of the entries, in their spelling.
    fn contains(&self, authority: &str) -> bool {
        let port = authority.strip_prefix("127.0.0.1:").filter(|port| !port.starts_with('0'));
        let port = port.and_then(|port| port.parse().ok());
        port.is_some_and(|port| port != RUNTIME_API && self.loopback.contains(&port))
    }

    /// Allows names with this port, for hosts of tests.
    #[cfg(test)]
    pub(crate) fn names_at(port: u16) -> Self {
        Self { of_names: vec![port], ..Self::default() }
    }
}

/// The address of a page that may be asked for, without fragment and tracking parameters. The same page has the same
/// address, as far as the text tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PageAddress(Url);

impl PageAddress {
    /// Parses an address as a user pastes it.
    pub fn parse(text: &str, allowed: &Allowed) -> Result<Self, Refused> {
        let text = text.trim_matches(' ');
        let malformed = |message| Refused { reason: Reason::Host, message };
        if text.chars().count() > LONGEST {
            return Err(malformed("must have at most 2048 characters"));
        }
        if text.chars().any(|c| c.is_control() || c == '\\') {
            return Err(malformed("must have no backslash and no control characters"));
        }
        if !is_web(text) {
            return Err(Refused { reason: Reason::Scheme, message: "must begin with http:// or https://" });
        }
        let url = Url::parse(text).map_err(|_| malformed("must be an address with a valid host name"))?;
        Self::check(authority(text).unwrap_or_default(), url, allowed)
    }

    /// The address that a link of this page leads to.
    pub fn join(&self, link: &str, allowed: &Allowed) -> Result<Self, Refused> {
        let malformed = Refused { reason: Reason::Host, message: "must be an address" };
        if link.chars().any(|c| c.is_control() || c == '\\') {
            return Err(malformed);
        }
        let url = self.0.join(link.trim_matches(' ')).map_err(|_| malformed)?;
        // A link without an authority keeps the page's, which has been checked in its spelling.
        let inherited = url.origin() == self.0.origin();
        let authority = authority(link).or_else(|| inherited.then(|| self.0.authority()));
        Self::check(authority.unwrap_or_default(), url, allowed)
    }

    fn check(authority: &str, mut url: Url, allowed: &Allowed) -> Result<Self, Refused> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refused { reason: Reason::Scheme, message: "must begin with http:// or https://" });
        }
        if !url.username().is_empty() || url.password().is_some() || authority.contains('@') {
            return Err(Refused {
                reason: Reason::Credentials,
                message: "must have no user name and no password",
            });
        }
        if !allowed.contains(authority) {
            match url.host() {
                Some(Host::Domain(name)) if host::is_public_name(name) => {}
                _ => {
                    let message = "must have the public name of a host, not an IP address";
                    return Err(Refused { reason: Reason::Host, message });
                }
            }
            if !url.port_or_known_default().is_some_and(|port| allowed.of_names.contains(&port)) {
                return Err(Refused { reason: Reason::Port, message: "must have no port, or 80 or 443" });
            }
        }
        canonicalise(&mut url);
        if url.as_str().chars().count() > LONGEST {
            return Err(Refused { reason: Reason::Host, message: "must have at most 2048 characters" });
        }
        Ok(Self(url))
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The id of the page's item.
    pub fn item_id(&self) -> ItemId {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, self.as_str().as_bytes()).as_ref());
        ItemId::of_digest(&sha256)
    }

    /// Scheme, host and port: what a robots.txt is for.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The host, with the port if it is not the scheme's: what limits and back-off are kept for.
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Path and query.
    pub fn path_and_query(&self) -> &str {
        &self.0[url::Position::BeforePath..url::Position::AfterQuery]
    }

    /// Whether it is the host's home page.
    pub fn is_home(&self) -> bool {
        self.0.path() == "/" && self.0.query().is_none()
    }

    /// Whether both have the same host: the same port too, but http and https count as one.
    pub fn has_host_of(&self, other: &Self) -> bool {
        self.host() == other.host()
    }

    /// The parsed address.
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// The top-level domain, for the detection of legacy encodings.
    pub(crate) fn top_level_domain(&self) -> Option<&str> {
        match self.0.host() {
            Some(Host::Domain(name)) => name.rsplit('.').next(),
            _ => None,
        }
    }
}

impl fmt::Display for PageAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a text begins with http:// or https://. The parser of addresses would accept "http:host" and "https:/host".
fn is_web(text: &str) -> bool {
    let begins =
        |prefix: &str| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    begins("http://") || begins("https://")
}

/// What a text has between `//` and the path: user information, host and port as they are spelled.
fn authority(text: &str) -> Option<&str> {
    let (before, after) = text.split_once("//")?;
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let scheme = before.strip_suffix(':').unwrap_or(before);
    if scheme.chars().all(is_scheme) && (before.is_empty() || before.ends_with(':')) {
        after.split(['/', '?', '#']).next()
    } else {
        None
    }
}

/// Removes what makes no other page. `Url` has already lowered and encoded the host, dropped a default port and
/// resolved dot segments.
fn canonicalise(url: &mut Url) {
    url.set_fragment(None);
    if let Some(host) = url.host_str().and_then(|host| host.strip_suffix('.')).map(str::to_owned) {
        // Cannot fail: the host without its last dot was valid with it.
        let _ = url.set_host(Some(&host));
    }
    let path = normal_escapes(url.path());
    url.set_path(&path);
    let kept: Vec<String> = url
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && !is_tracking(pair))
        .map(normal_escapes)
        .collect();
    url.set_query((!kept.is_empty()).then(|| kept.join("&")).as_deref());
}

fn is_tracking(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
    name.starts_with("utm_") || TRACKING.contains(&name.as_str())
}

/// Percent-encoding in its normal form (RFC 3986, section 6.2.2): unreserved characters are not encoded, and the digits
/// of others are upper case.
pub(crate) fn normal_escapes(text: &str) -> String {
    let mut normal = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        normal.push_str(before);
        let byte = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let byte = byte.filter(|_| !after.starts_with('+'));
        match byte {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) => {
                normal.push(char::from(byte));
            }
            Some(byte) => push_escape(&mut normal, byte),
            None => normal.push('%'),
        }
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    normal.push_str(rest);
    normal
}

/// Appends a byte in percent-encoding.
pub(crate) fn push_escape(text: &mut String, byte: u8) {
    text.push('%');
    text.extend(
        [byte >> 4, byte & 15]
            .into_iter()
            .filter_map(|digit| char::from_digit(digit.into(), 16))
            .map(|c| c.to_ascii_uppercase()),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, Reason> {
        let parsed = PageAddress::parse(text, &Allowed::default());
        parsed.map(|address| address.to_string()).map_err(|refused| refused.reason)
    }

    #[test]
    fn addresses_that_could_lead_inside_are_refused_by_their_text() {
        for (text, reason) in [
            ("", Reason::Scheme),
            ("shop.com/p", Reason::Scheme),
            ("ftp://shop.com/", Reason::Scheme),
            ("file:///etc/passwd", Reason::Scheme),
            ("javascript:alert(1)", Reason::Scheme),
            ("gopher://shop.com/", Reason::Scheme),
            ("http:shop.com", Reason::Scheme),
            ("http:/shop.com", Reason::Scheme),
            ("//shop.com/", Reason::Scheme),
            ("http://shop.com:8080/", Reason::Port),
            ("https://shop.com:22/", Reason::Port),
            ("http://shop.com:9001/", Reason::Port),
            ("http://shop.com:0/", Reason::Port),
            ("http://user@shop.com/", Reason::Credentials),
            ("http://user:pass@shop.com/", Reason::Credentials),
            ("http://:pass@shop.com/", Reason::Credentials),
            ("http://@shop.com/", Reason::Credentials),
            ("http://shop.com@127.0.0.1/", Reason::Credentials),
            ("http://shop.com\\@127.0.0.1/", Reason::Host),
            ("http://shop.com\\evil", Reason::Host),
            ("http://shop.com/a\nb", Reason::Host),
            ("http://shop.com/a\0", Reason::Host),
            ("http://sh\top.com/", Reason::Host),
            ("http://", Reason::Host),
            ("http://shop.com:99999/", Reason::Host),
            ("http://sh op.com/", Reason::Host),
            ("http://127.0.0.1/", Reason::Host),
            ("http://127.1/", Reason::Host),
            ("http://127.0.0.1./", Reason::Host),
            ("http://0x7f.0.0.1/", Reason::Host),
            ("http://0177.0.0.1/", Reason::Host),
            ("http://2130706433/", Reason::Host),
            ("http://0x7f000001/", Reason::Host),
            ("http://017700000001/", Reason::Host),
            ("http://１２７.0.0.1/", Reason::Host),
            ("http://127。0。0。1/", Reason::Host),
            ("http://①②⑦.0.0.1/", Reason::Host),
            ("http://%31%32%37.0.0.1/", Reason::Host),
            ("http://0/", Reason::Host),
            ("http://169.254.169.254/latest/meta-data/", Reason::Host),
            ("http://93.184.216.34/", Reason::Host),
            ("http://[::1]/", Reason::Host),
            ("http://[::ffff:127.0.0.1]/", Reason::Host),
            ("http://[fd00:ec2::254]/", Reason::Host),
            ("http://[fe80::1%25eth0]/", Reason::Host),
            ("http://localhost/", Reason::Host),
            ("http://LOCALHOST./", Reason::Host),
            ("http://intranet/", Reason::Host),
            ("http://com./", Reason::Host),
            ("http://shop.localhost/", Reason::Host),
            ("http://printer.local/", Reason::Host),
            ("http://metadata.google.internal/", Reason::Host),
            ("http://shop.test/", Reason::Host),
            ("http://shop.example/", Reason::Host),
            ("http://shop.invalid/", Reason::Host),
            ("http://shop.onion/", Reason::Host),
            ("http://router.home.arpa/", Reason::Host),
            ("http://nas.lan/", Reason::Host),
            ("http://shop.123/", Reason::Host),
        ] {
            assert_eq!(parse(text), Err(reason), "{text}");
        }
        let long = format!("http://shop.com/{}", "a".repeat(LONGEST));
        assert_eq!(parse(&long), Err(Reason::Host));
    }

    #[test]
    fn the_same_page_has_the_same_address() {
        for (text, canonical) in [
            ("https://shop.com", "https://shop.com/"),
            (" https://shop.com/p ", "https://shop.com/p"),
            ("HTTPS://Shop.COM:443/P?b=2&a=1#reviews", "https://shop.com/P?b=2&a=1"),
            ("http://shop.com:80/p", "http://shop.com/p"),
            ("http://shop.com:443/p", "http://shop.com:443/p"),
            ("https://shop.com./p", "https://shop.com/p"),
            ("https://shop.com/a/../p?", "https://shop.com/p"),
            ("https://shop.com/p?utm_source=x&id=1&gclid=2&UTM_Medium=y&fbclid", "https://shop.com/p?id=1"),
            ("https://shop.com/p?utm_source=x", "https://shop.com/p"),
            ("https://bücher.de/%7eanna/%c3%a9?q=%2f%41", "https://xn--bcher-kva.de/~anna/%C3%A9?q=%2FA"),
            ("https://shop.com/100%", "https://shop.com/100%"),
            ("https://shop.com/%2e%2E/p", "https://shop.com/p"),
            ("https://shop.com/@anna?mail=a@b", "https://shop.com/@anna?mail=a@b"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(canonical), "{text}");
            assert_eq!(parse(canonical).as_deref(), Ok(canonical));
        }
    }

    #[test]
    fn only_exact_entries_of_the_setting_are_allowed() {
        let allowed = Allowed::parse("127.0.0.1:8080, 127.0.0.1:8081").unwrap();
        for text in ["http://127.0.0.1:8080/p", "HTTP://127.0.0.1:8081", "http://127.0.0.1:8080?a#b"] {
            assert!(PageAddress::parse(text, &allowed).is_ok(), "{text}");
        }
        for text in [
            "http://127.0.0.1:8082/",
            "http://127.0.0.1/",
            "http://127.1:8080/",
            "http://2130706433:8080/",
            "http://0x7f.0.0.1:8080/",
            "http://127.0.0.1.:8080/",
            "http://127.0.0.2:8080/",
            "http://localhost:8080/",
            "http://[::1]:8080/",
            "http://[::ffff:127.0.0.1]:8080/",
            "http://a@127.0.0.1:8080/",
            "http://127.0.0.1:08080/",
            "http://127.0.0.1:9001/",
        ] {
            assert!(PageAddress::parse(text, &allowed).is_err(), "{text}");
        }
    }

    #[test]
    fn the_setting_names_loopback_ports_and_never_the_runtime_api() {
        assert_eq!(Allowed::parse(""), Ok(Allowed::default()));
        for setting in [
            "127.0.0.1:9001",
            "127.0.0.1:8080,127.0.0.1:9001",
            "127.0.0.1",
            "127.0.0.1:0",
            "127.0.0.1:08080",
            "localhost:8080",
            "10.0.0.1:80",
            "127.0.0.1:x",
            "127.0.0.2:80",
        ] {
            assert!(Allowed::parse(setting).is_err(), "{setting}");
        }
    }

    #[test]
    fn links_are_checked_as_addresses_are() {
        let allowed = Allowed::parse("127.0.0.1:8080").unwrap();
        let page = PageAddress::parse("https://shop.com/a/b?c", &allowed).unwrap();
        let join = |page: &PageAddress, link| {
            page.join(link, &allowed).map(|address| address.to_string()).map_err(|refused| refused.reason)
        };
        assert_eq!(join(&page, "d?e#f").as_deref(), Ok("https://shop.com/a/d?e"));
        assert_eq!(join(&page, "//cdn.shop.com/x").as_deref(), Ok("https://cdn.shop.com/x"));
        assert_eq!(join(&page, "http://127.0.0.1:8080/x").as_deref(), Ok("http://127.0.0.1:8080/x"));
        for (link, reason) in [
            ("http://127.0.0.1/", Reason::Host),
            ("//127.0.0.1/", Reason::Host),
            ("//127.1:8080/", Reason::Host),
            ("http://127.1:8080/http://127.0.0.1:8080/", Reason::Host),
            ("file:///etc/passwd", Reason::Scheme),
            ("http://user@shop.com/", Reason::Credentials),
            ("http://shop.com:81/", Reason::Port),
            ("\\\\127.0.0.1\\", Reason::Host),
            ("/a\r\nx", Reason::Host),
            ("http:\t//127.0.0.1/", Reason::Host),
        ] {
            assert_eq!(join(&page, link), Err(reason), "{link}");
        }
        let local = PageAddress::parse("http://127.0.0.1:8080/a", &allowed).unwrap();
        assert_eq!(join(&local, "/b").as_deref(), Ok("http://127.0.0.1:8080/b"));
        assert_eq!(join(&local, "//127.0.0.1:8080/b").as_deref(), Ok("http://127.0.0.1:8080/b"));
        assert_eq!(join(&local, "https:127.0.0.1:8080/b"), Err(Reason::Host));
        assert_eq!(join(&local, "http://127.0.0.1:9001/2018-06-01/runtime"), Err(Reason::Host));
    }

    #[test]
    fn item_ids_follow_the_canonical_address() {
        let id = |text: &str| PageAddress::parse(text, &Allowed::default()).unwrap().item_id();
        assert_eq!(id("https://shop.com/p"), id("HTTPS://SHOP.com/p?utm_source=x#y"));
        assert_ne!(id("https://shop.com/p"), id("https://shop.com/q"));
    }
}
