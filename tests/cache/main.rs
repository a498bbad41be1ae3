//! The cache tier: the scripts of shared/cache on a real Valkey or Redis server.
//!
//! Late, repeated and reordered writes never replace a page by an older one. A page older than the newest known version
//! of its product is never served.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod model;
mod orders;
mod server;

use redis::{Connection, Script};
use server::Server;

/// The same values as in shared/cache and shared/app/src/cache.rs.
const GONE: u64 = 1 << 53;
const KEPT_SECONDS: i64 = 24 * 60 * 60;
const FILLED_SECONDS: i64 = 60;

/// The versions of a product and of its stock.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Version {
    product: u64,
    stock: u64,
}

/// A product whose stock does not change.
impl From<u64> for Version {
    fn from(product: u64) -> Self {
        Self { product, stock: u64::from(product != GONE) }
    }
}

/// The cached page of one product, accessed through the scripts.
struct Cache {
    scripts: [Script; 3],
    connection: Connection,
    key: String,
    _server: Server,
}

impl Cache {
    fn new() -> Self {
        let mut server = Server::start();
        let scripts = [
            include_str!("../../shared/cache/src/scripts/put.lua"),
            include_str!("../../shared/cache/src/scripts/invalidate.lua"),
            include_str!("../../shared/cache/src/scripts/fill.lua"),
        ];
        let key = format!("test:{}:{:p}", std::process::id(), &raw const server);
        let connection = server.connect();
        Self { scripts: scripts.map(Script::new), connection, key, _server: server }.emptied()
    }

    fn emptied(mut self) -> Self {
        self.clear();
        self
    }

    /// Deletes the product's key.
    fn clear(&mut self) {
        redis::cmd("DEL").arg(&self.key).query::<()>(&mut self.connection).unwrap();
    }

    /// Stores a page as of a position in the stream; an empty page means that the product has none. Returns whether the
    /// page was stored.
    fn put(&mut self, place: u64, version: impl Into<Version>, page: &str) -> bool {
        let Version { product, stock } = version.into();
        let mut put = self.scripts[0].key(&self.key);
        put.arg(product).arg(stock).arg(format!("{place:040}")).arg(page).arg(KEPT_SECONDS);
        put.invoke::<bool>(&mut self.connection).unwrap()
    }

    /// Records a version. Returns whether it is newer than the known one.
    fn invalidate(&mut self, version: impl Into<Version>) -> bool {
        let Version { product, stock } = version.into();
        let mut invalidate = self.scripts[1].key(&self.key);
        invalidate.arg(product).arg(stock).arg(KEPT_SECONDS).invoke::<bool>(&mut self.connection).unwrap()
    }

    /// Stores a page rendered on a cache miss. Returns whether it was stored.
    fn fill(&mut self, version: impl Into<Version>, page: &str) -> bool {
        let Version { product, stock } = version.into();
        let mut fill = self.scripts[2].key(&self.key);
        fill.arg(product)
            .arg(stock)
            .arg(page)
            .arg(FILLED_SECONDS)
            .invoke::<bool>(&mut self.connection)
            .unwrap()
    }

    fn field(&mut self, name: &str) -> Option<String> {
        redis::cmd("HGET").arg(&self.key).arg(name).query(&mut self.connection).unwrap()
    }

    /// The page that readers get.
    fn page(&mut self) -> Option<String> {
        self.field("page")
    }

    fn seconds_left(&mut self) -> i64 {
        redis::cmd("TTL").arg(&self.key).query(&mut self.connection).unwrap()
    }

    #[track_caller]
    fn assert_page(&mut self, page: &str) {
        assert_eq!(self.page().as_deref(), Some(page));
    }

    /// Allows 5 seconds, because the time to live decreases while the test runs.
    #[track_caller]
    fn assert_kept_for(&mut self, seconds: i64) {
        let left = self.seconds_left();
        assert!((seconds - 5..=seconds).contains(&left), "{left} seconds left");
    }
}

#[test]
fn a_page_is_kept_as_a_hash_that_expires() {
    let mut cache = Cache::new();
    let page = "\"7.x\"\n{\"name\": \"Kaya — 椰\\n\"}";
    assert!(cache.put(5, 7, page));
    cache.assert_page(page);
    assert_eq!(cache.field("version").as_deref(), Some("7"));
    assert_eq!(cache.field("stock").as_deref(), Some("1"));
    assert_eq!(cache.field("place"), Some(format!("{:040}", 5)));
    let fields: usize = redis::cmd("HLEN").arg(&cache.key).query(&mut cache.connection).unwrap();
    assert_eq!(fields, 4);
    let kind: String = redis::cmd("TYPE").arg(&cache.key).query(&mut cache.connection).unwrap();
    assert_eq!(kind, "hash");
    cache.assert_kept_for(KEPT_SECONDS);
}

#[test]
fn a_put_never_goes_back_in_place() {
    let mut cache = Cache::new();
    assert!(cache.put(10, 1, "later"));
    for place in [1, 9, 10] {
        assert!(!cache.put(place, 1, "earlier"), "{place}");
        assert!(!cache.put(place, 2, "earlier, of a newer version"), "{place}");
        assert!(!cache.put(place, GONE, ""), "{place}");
        cache.assert_page("later");
        assert_eq!(cache.field("version").as_deref(), Some("1"));
    }
    assert!(cache.put(11, 1, "latest"));
    cache.assert_page("latest");
}

/// A position begins with the label of its stream; the numbers of a newer stream may be lower.
#[test]
fn a_put_of_a_newer_stream_supersedes_all_of_an_older_one() {
    let mut cache = Cache::new();
    let put = |cache: &mut Cache, label: &str, number: u64, page: &str| {
        let mut put = cache.scripts[0].key(&cache.key);
        put.arg(1).arg(1).arg(format!("{label} {number:040}")).arg(page).arg(KEPT_SECONDS);
        put.invoke::<bool>(&mut cache.connection).unwrap()
    };
    let [older, newer] = ["2025-11-20T00:00:00.000", "2026-01-01T00:00:00.000"];
    assert!(cache.put(u64::MAX, 1, "without a label, as earlier releases wrote it"));
    assert!(put(&mut cache, older, 1000, "older"));
    assert!(put(&mut cache, newer, 1, "newer"));
    assert!(!put(&mut cache, older, 1001, "late"));
    cache.assert_page("newer");
    assert!(put(&mut cache, newer, 2, "newest"));
    cache.assert_page("newest");
}

#[test]
fn a_put_of_an_older_version_removes_the_page_and_keeps_its_place() {
    let mut cache = Cache::new();
    cache.invalidate(3);
    assert!(!cache.put(10, 2, "older"));
    assert_eq!(cache.page(), None);
    assert!(!cache.put(9, 3, "earlier"));
    assert!(cache.put(11, 3, "right"));
    assert!(!cache.put(12, 2, "older"));
    assert_eq!(cache.page(), None);
    assert_eq!(cache.field("version").as_deref(), Some("3"));
}

#[test]
fn a_version_that_is_told_forbids_older_pages() {
    let mut cache = Cache::new();
    cache.put(1, 9, "nine");
    assert!(!cache.invalidate(9) && !cache.invalidate(8), "that is known");
    cache.assert_page("nine");
    assert!(cache.invalidate(10), "versions are numbers");
    assert_eq!(cache.page(), None);
    assert!(!cache.fill(9, "nine, read before"));
    assert!(!cache.put(2, 9, "nine, read before"));
    assert_eq!(cache.page(), None);
    assert!(cache.fill(10, "ten"));
    cache.assert_page("ten");
    assert!(!cache.invalidate(10));
    cache.assert_page("ten");
}

/// A seller changes the product while its stock changes: a page shows both or is not kept.
#[test]
fn a_page_is_older_if_one_of_its_versions_is() {
    let mut cache = Cache::new();
    let version = |product, stock| Version { product, stock };
    assert!(cache.put(1, version(3, 10), "three and ten"));
    assert!(!cache.invalidate(version(2, 10)) && !cache.invalidate(version(3, 9)), "that is known");
    cache.assert_page("three and ten");
    assert!(cache.invalidate(version(3, 11)), "of the stock");
    assert_eq!(cache.page(), None);
    assert!(!cache.fill(version(4, 10), "of a newer product"));
    assert!(!cache.put(2, version(4, 10), "of a newer product"));
    assert_eq!(cache.page(), None);
    assert_eq!(cache.field("version").as_deref(), Some("4"), "the newer one is known from then on");
    assert!(!cache.fill(version(3, 12), "of a newer stock"));
    assert!(!cache.put(3, version(3, 12), "of a newer stock"));
    assert!(!cache.fill(version(4, 11), "that is known"));
    assert!(cache.fill(version(4, 12), "both"));
    cache.assert_page("both");
    assert!(cache.put(4, version(4, 13), "sold"));
    cache.assert_page("sold");
}

#[test]
fn an_invalidation_before_the_first_page_is_kept() {
    let mut cache = Cache::new();
    assert!(cache.invalidate(2));
    cache.assert_kept_for(KEPT_SECONDS);
    assert!(!cache.fill(1, "one"));
    assert!(cache.fill(2, "two"));
}

#[test]
fn a_reader_never_replaces_a_page() {
    let mut cache = Cache::new();
    assert!(cache.fill(2, "first"));
    for version in [1, 2, 3] {
        assert!(!cache.fill(version, "second"));
    }
    cache.assert_page("first");
    assert!(cache.put(1, 2, "of the stream"), "the stream knows better");
    assert!(!cache.fill(3, "third"));
    cache.assert_page("of the stream");
}

#[test]
fn a_page_that_a_reader_made_is_kept_for_a_short_time() {
    let mut cache = Cache::new();
    cache.fill(1, "one");
    cache.assert_kept_for(FILLED_SECONDS);
    cache.put(1, 1, "of the stream");
    cache.assert_kept_for(KEPT_SECONDS);
    cache.invalidate(2);
    cache.fill(2, "two");
    cache.assert_kept_for(FILLED_SECONDS);
}

#[test]
fn a_put_without_change_does_not_extend_the_time_to_live() {
    let mut cache = Cache::new();
    cache.put(5, 2, "page");
    redis::cmd("EXPIRE").arg(&cache.key).arg(7).query::<()>(&mut cache.connection).unwrap();
    cache.put(5, 2, "page");
    cache.put(4, 1, "page");
    cache.invalidate(2);
    cache.fill(2, "page");
    cache.assert_kept_for(7);
}

#[test]
fn a_withdrawn_page_stays_withdrawn() {
    let mut cache = Cache::new();
    cache.put(1, 7, "page");
    assert!(!cache.put(2, GONE, ""));
    for version in [7, 8, GONE - 1] {
        assert!(!cache.fill(version, "read before"));
        assert!(!cache.put(version, version, "read before"));
        assert!(!cache.invalidate(version));
        assert_eq!(cache.page(), None, "{version}");
    }
    cache.clear();
    cache.put(1, 7, "page");
    assert!(cache.invalidate(GONE), "by the one who withdrew it");
    assert!(!cache.put(2, 7, "page") && !cache.fill(7, "page"));
    assert!(!cache.put(3, GONE, ""));
    assert_eq!(cache.page(), None);
}

#[test]
fn products_are_kept_apart() {
    let mut cache = Cache::new();
    cache.put(5, 5, "one");
    let other = format!("{}:other", cache.key);
    let one = std::mem::replace(&mut cache.key, other);
    assert_eq!(cache.page(), None);
    assert!(cache.put(1, 1, "other"));
    cache.clear();
    cache.key = one;
    cache.assert_page("one");
    cache.clear();
}
