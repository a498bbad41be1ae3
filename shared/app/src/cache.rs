//! The cache of product pages, with timeouts for use in requests.
//!
//! Cache requests have a deadline. After a failure or a timeout the cache is bypassed for a few seconds, so that no
//! request fails or waits long because of the cache.

use crate::{
    aws,
    client::{Client, Needs},
    context::Context,
};
use ::cache::{PageCache, PageText};
use domain::{Error, Timestamp, id::ProductId, product::PageVersion};
use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use table::Position;
use web::product_document::ProductDocument;

/// How long a request waits for the cache.
const DEADLINE: Duration = Duration::from_millis(20);

/// How long a stream consumer waits for the cache; longer, since no HTTP client waits for it.
const CONSUMER_DEADLINE: Duration = Duration::from_secs(2);

/// How long the cache is bypassed after a failure or a timeout, in seconds.
const PAUSE_SECONDS: u64 = 2;

/// Time to live of a page that a stream consumer wrote, in seconds.
const KEPT_SECONDS: u64 = 24 * 60 * 60;

/// Time to live of a page that product-get wrote, in seconds. Short, because no stream record corrects an outdated page
/// if the stream consumer's entry was evicted just before.
const FILLED_SECONDS: u64 = 60;

const URL: &str = "CACHE_URL";

/// The cache, if the environment has its URL; connects at first use.
pub struct Cache {
    context: Context,
    url: Option<String>,
    connection: OnceLock<Option<PageCache>>,
    /// End of the bypass, in seconds since 1970.
    paused_until: AtomicU64,
}

/// The current state of a product.
pub enum CurrentPage {
    /// The page of the product, and its version.
    Page(PageVersion, ProductDocument),
    /// The product was withdrawn.
    Withdrawn,
}

impl Client for Cache {
    const NEEDS: Needs = Needs { settings: &[URL], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self {
            url: context.settings().optional(URL),
            context: context.clone(),
            connection: OnceLock::new(),
            paused_until: AtomicU64::new(0),
        })
    }
}

impl Cache {
    /// The cached page of a product; `None` if it is not cached, or the cache fails or times out.
    pub async fn page(&self, id: ProductId) -> Option<ProductDocument> {
        let text = self.in_time(self.in_request()?.page(id)).await??;
        ProductDocument::from_text(&text, id)
    }

    /// Caches a page that was just read from the table.
    pub async fn fill(&self, id: ProductId, version: PageVersion, page: &ProductDocument) {
        let Some(cache) = self.in_request() else { return };
        let text = page.to_text();
        let page = PageText { version, text: &text };
        self.in_time(cache.fill(id, page, FILLED_SECONDS)).await;
    }

    /// Invalidates cached pages older than what was just written, or read after a write. Best effort: errors are ignored.
    pub async fn invalidate(&self, id: ProductId, written: PageVersion) {
        let Some(cache) = self.in_request() else { return };
        self.in_time(cache.invalidate(id, Some(written), KEPT_SECONDS)).await;
    }

    /// Invalidates the page of a product that was just withdrawn. Best effort: errors are ignored.
    pub async fn withdraw(&self, id: ProductId) {
        let Some(cache) = self.in_request() else { return };
        self.in_time(cache.invalidate(id, None, KEPT_SECONDS)).await;
    }

    /// Whether a cache is configured.
    pub fn exists(&self) -> bool {
        self.connection().is_some()
    }

    /// Caches the state of a product at a position in the stream. `Unavailable` if the cache fails or times out.
    pub async fn put(&self, id: ProductId, position: &Position, now: &CurrentPage) -> Result<(), Error> {
        let Some(cache) = self.connection() else { return Ok(()) };
        let text;
        let page = match now {
            CurrentPage::Page(version, page) => {
                text = page.to_text();
                Some(PageText { version: *version, text: &text })
            }
            CurrentPage::Withdrawn => None,
        };
        let position = position.to_string();
        let put = cache.put(id, &position, page, KEPT_SECONDS);
        match tokio::time::timeout(CONSUMER_DEADLINE, put).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Error::unavailable(format!("cache: {error}"))),
            Err(_) => Err(Error::unavailable("cache: timeout")),
        }
    }

    fn connection(&self) -> Option<PageCache> {
        let connect = || PageCache::at(self.url.as_deref()?, aws::ROOTS, CONSUMER_DEADLINE);
        self.connection.get_or_init(connect).clone()
    }

    /// The connection, unless the cache is bypassed.
    fn in_request(&self) -> Option<PageCache> {
        let connection = self.connection()?;
        let paused = self.context.now().unix_seconds() < self.paused_until.load(Ordering::Relaxed);
        (!paused).then_some(connection)
    }

    async fn in_time<T, E>(&self, answer: impl Future<Output = Result<T, E>>) -> Option<T> {
        if let Ok(Ok(answer)) = tokio::time::timeout(DEADLINE, answer).await {
            return Some(answer);
        }
        let until: Timestamp = self.context.now().plus_seconds(PAUSE_SECONDS);
        self.paused_until.store(until.unix_seconds(), Ordering::Relaxed);
        None
    }
}
