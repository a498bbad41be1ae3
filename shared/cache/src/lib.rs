//! The cache of product pages, in Valkey or Redis.
//!
//! A page is a hash with the page's text, the newest known versions of the product and of its stock, and the position in
//! the table's stream that the page reflects. Each write is a Lua script that never replaces newer data by older data, so late and
//! repeated writes have no effect.

use domain::{id::ProductId, product::PageVersion};
use redis::{
    Client, RedisResult, Script, TlsCertificates,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use std::{sync::LazyLock, time::Duration};

/// The version of a withdrawn product, higher than any version of a page.
const WITHDRAWN: PageVersion = PageVersion { product: 1 << 53, stock: 0 };

static FILL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/fill.lua")));
static PUT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/put.lua")));
static INVALIDATE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/invalidate.lua")));

/// The cache of product pages. It connects on first use and reconnects after a failure.
#[derive(Clone)]
pub struct PageCache(ConnectionManager);

/// A page's text and its version.
#[derive(Debug, Clone, Copy)]
pub struct PageText<'a> {
    /// The versions of the product and of its stock.
    pub version: PageVersion,
    /// The text.
    pub text: &'a str,
}

impl PageCache {
    /// A client for a `redis://` or `rediss://` URL; `None` if the URL is malformed. TLS trusts `certificates` (PEM)
    /// only. `timeout` applies to connecting and to each response.
    pub fn at(url: &str, certificates: &[u8], timeout: Duration) -> Option<Self> {
        let client = if url.starts_with("rediss://") {
            // The builds of two are linked, so redis cannot choose one. If one is chosen already, it stays.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
            let certificates = TlsCertificates { client_tls: None, root_cert: Some(certificates.to_vec()) };
            Client::build_with_tls(url, certificates)
        } else {
            Client::open(url)
        };
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout))
            .set_number_of_retries(1);
        ConnectionManager::new_lazy_with_config(client.ok()?, config).ok().map(Self)
    }

    /// The cached text of a product's page.
    pub async fn page(mut self, id: ProductId) -> RedisResult<Option<String>> {
        redis::cmd("HGET").arg(key(id)).arg("page").query_async(&mut self.0).await
    }

    /// Stores a page that was read from the table, unless a page is stored or a newer version is known. It expires
    /// after `keep_seconds`.
    pub async fn fill(mut self, id: ProductId, page: PageText<'_>, keep_seconds: u64) -> RedisResult<()> {
        let mut fill = FILL.key(key(id));
        fill.arg(page.version.product).arg(page.version.stock).arg(page.text).arg(keep_seconds);
        fill.invoke_async(&mut self.0).await
    }

    /// Records what was written and deletes an older page. `None` means that the product was withdrawn.
    /// The record expires after `keep_seconds`.
    pub async fn invalidate(
        mut self,
        id: ProductId,
        written: Option<PageVersion>,
        keep_seconds: u64,
    ) -> RedisResult<()> {
        let mut invalidate = INVALIDATE.key(key(id));
        let written = written.unwrap_or(WITHDRAWN);
        invalidate.arg(written.product).arg(written.stock).arg(keep_seconds);
        invalidate.invoke_async(&mut self.0).await
    }

    /// Stores the page as of a position in the stream; `None` means that the product is withdrawn. Has no effect if a
    /// later position is stored. Positions are compared as strings, which begin with the label of the stream. The entry
    /// expires after `keep_seconds`.
    pub async fn put(
        mut self,
        id: ProductId,
        position: &str,
        page: Option<PageText<'_>>,
        keep_seconds: u64,
    ) -> RedisResult<()> {
        let PageText { version, text } = page.unwrap_or(PageText { version: WITHDRAWN, text: "" });
        let mut put = PUT.key(key(id));
        put.arg(version.product).arg(version.stock).arg(position).arg(text).arg(keep_seconds);
        put.invoke_async(&mut self.0).await
    }
}

fn key(id: ProductId) -> String {
    format!("product:{id}")
}
