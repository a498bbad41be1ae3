//! Product pages in Valkey (Redis protocol).
//!
//! A page is a hash with the page itself, the newest version of the product that the cache was told of, and the place
//! in the table's stream that the page reflects. Each write is a script that runs in the server and never puts
//! something older over something newer, so late and repeated writes do no harm. Reads have a deadline, and what does
//! not answer in time is left alone for a while: nothing in a request fails, or waits long, because the cache does.

use crate::{App, environment};
use domain::{Error, Timestamp, Version, id::ProductId};
use redis::{
    Client, Script, TlsCertificates,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use std::{
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use table::Sequence;
use web::pages::ProductDocument;

/// How long a request waits for the cache.
const DEADLINE: Duration = Duration::from_millis(20);

/// How long a consumer of the stream waits: nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a cache that did not answer in time is left alone, in seconds.
const PAUSE_SECONDS: u64 = 2;

/// How long a page that the stream brought is kept, in seconds.
const KEPT_SECONDS: u64 = 24 * 60 * 60;

/// How long a page that a reader made is kept, in seconds: short, for nobody corrects it if the stream's own page was
/// evicted just before.
const FILLED_SECONDS: u64 = 60;

/// The version of what is gone for good: no page is ever newer.
const GONE: Version = 1 << 53;

static FILL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("cache/fill.lua")));
static PUT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("cache/put.lua")));
static TELL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("cache/tell.lua")));

/// The cache, if the environment names one; connected to when first used.
#[derive(Default)]
pub struct Cache {
    connection: OnceLock<Option<ConnectionManager>>,
    /// Seconds since 1970 until which the cache is left alone.
    paused_until: AtomicU64,
}

/// What a product is now, as the stream tells it.
pub enum Now {
    /// There, with this page.
    There(ProductDocument),
    /// Gone.
    Gone,
}

impl App {
    /// The page of a product, if the cache has it and answers in time.
    pub async fn cached_page(&self, id: ProductId) -> Option<ProductDocument> {
        let mut connection = self.cache_in_request()?;
        let mut read = redis::cmd("HGET");
        let asked = read.arg(key(id)).arg("page").query_async::<Option<String>>(&mut connection);
        ProductDocument::from_text(&self.in_time(asked).await??, id)
    }

    /// Keeps a page that was just read from the table.
    pub async fn fill_cache(&self, id: ProductId, page: &ProductDocument) {
        let Some(mut connection) = self.cache_in_request() else { return };
        let mut fill = FILL.key(key(id));
        fill.arg(page.version).arg(page.to_text()).arg(FILLED_SECONDS);
        self.in_time(fill.invoke_async::<i64>(&mut connection)).await;
    }

    /// Tells the cache of a version that was just written: it serves no older one from now on, if it hears of it.
    pub async fn tell_cache(&self, id: ProductId, version: Version) {
        let Some(mut connection) = self.cache_in_request() else { return };
        let mut tell = TELL.key(key(id));
        tell.arg(version).arg(KEPT_SECONDS);
        self.in_time(tell.invoke_async::<i64>(&mut connection)).await;
    }

    /// Tells the cache that a product was just withdrawn.
    pub async fn tell_cache_gone(&self, id: ProductId) {
        self.tell_cache(id, GONE).await;
    }

    /// Whether there is a cache to be kept warm.
    pub fn has_cache(&self) -> bool {
        self.connection().is_some()
    }

    /// Puts what a product is at a place in the stream into the cache.
    pub async fn put_into_cache(&self, id: ProductId, place: &Sequence, now: &Now) -> Result<(), Error> {
        let Some(mut connection) = self.connection() else { return Ok(()) };
        let mut put = PUT.key(key(id));
        match now {
            Now::There(page) => put.arg(page.version).arg(place.as_str()).arg(page.to_text()),
            Now::Gone => put.arg(GONE).arg(place.as_str()).arg(""),
        };
        put.arg(KEPT_SECONDS);
        match tokio::time::timeout(PATIENCE, put.invoke_async::<i64>(&mut connection)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Error::unavailable(format!("cache: {error}"))),
            Err(_) => Err(Error::unavailable("cache: no answer")),
        }
    }

    fn connection(&self) -> Option<ConnectionManager> {
        self.cache.connection.get_or_init(connect).clone()
    }

    /// The connection, unless the cache is being left alone.
    fn cache_in_request(&self) -> Option<ConnectionManager> {
        let connection = self.connection()?;
        let paused = self.now().unix_seconds() < self.cache.paused_until.load(Ordering::Relaxed);
        (!paused).then_some(connection)
    }

    async fn in_time<T>(&self, asked: impl Future<Output = redis::RedisResult<T>>) -> Option<T> {
        if let Ok(Ok(answer)) = tokio::time::timeout(DEADLINE, asked).await {
            return Some(answer);
        }
        let until: Timestamp = self.now().plus_seconds(PAUSE_SECONDS);
        self.cache.paused_until.store(until.unix_seconds(), Ordering::Relaxed);
        None
    }
}

/// A connection that is opened when it is first used, and again when it breaks.
fn connect() -> Option<ConnectionManager> {
    let url = environment::optional("CACHE_URL")?;
    let client = if url.starts_with("rediss://") {
        let certificates = TlsCertificates { client_tls: None, root_cert: Some(crate::aws::ROOTS.to_vec()) };
        Client::build_with_tls(url, certificates)
    } else {
        Client::open(url)
    };
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE))
        .set_number_of_retries(1);
    ConnectionManager::new_lazy_with_config(client.ok()?, config).ok()
}

fn key(id: ProductId) -> String {
    format!("product:{id}")
}
