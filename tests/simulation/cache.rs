//! Replaces `app::cache`: its client in simulated time, over the scripts in Rust (`tests::pages`). The client of
//! `shared/app` measures its deadlines in real time, which a simulation must not depend on.

use crate::{
    Client, Context,
    network::{Answered, Sent},
    point::Access,
    simulation::{self, Simulation},
};
pub use clients_of_functions::cache::CurrentPage;
use clients_of_functions::client::Needs;
use domain::{Error, id::ProductId, product::PageVersion};
use serde_json::Value;
use std::{cell::Cell, collections::BTreeMap};
use table::Position;
use tests::pages::{CachedPage, WITHDRAWN};
use web::product_document::ProductDocument;

/// How long the cache is bypassed after a failure, in milliseconds, as in shared/app/src/cache.rs.
const PAUSE_MS: u64 = 2_000;

/// The pages on the server, by product.
pub type Pages = BTreeMap<ProductId, CachedPage>;

/// A command to the server, about the page of a product.
#[derive(Debug, Clone)]
pub struct Command {
    product: ProductId,
    of: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Get,
    Fill(PageVersion, String),
    Invalidate(PageVersion),
    Put(PageVersion, String, String),
}

impl Command {
    /// A description for the trace.
    pub fn describe(&self) -> String {
        let (name, PageVersion { product, stock }) = match &self.of {
            Kind::Get => return format!("cache get {}", self.product),
            Kind::Fill(version, _) => ("fill", version),
            Kind::Invalidate(version) | Kind::Put(version, ..) if *version == WITHDRAWN => {
                return format!("cache withdraw {}", self.product);
            }
            Kind::Invalidate(version) => ("invalidate", version),
            Kind::Put(version, ..) => ("put", version),
        };
        format!("cache {name} {}, version {product}, stock {stock}", self.product)
    }

    /// The resources that it reads and writes.
    pub fn access(&self) -> Access {
        let page = vec![format!("cache {}", self.product)];
        match self.of {
            Kind::Get => Access { reads: page, writes: Vec::new() },
            _ => Access { reads: Vec::new(), writes: page },
        }
    }

    /// Carries it out on the server.
    pub fn carry_out(&self, pages: &mut Pages) -> Answered {
        let page = pages.entry(self.product).or_default();
        let body = match &self.of {
            Kind::Get => page.page().map_or(Value::Null, Value::from),
            Kind::Fill(version, text) => page.fill(*version, text).into(),
            Kind::Invalidate(version) => page.invalidate(*version).into(),
            Kind::Put(version, place, text) => page.put(*version, place, text).into(),
        };
        Answered { status: 200, replayed: false, body }
    }
}

/// The client.
pub struct Cache {
    /// End of the bypass, in simulated milliseconds, and the run that it belongs to.
    paused: Cell<(u64, u64)>,
}

impl Client for Cache {
    const NEEDS: Needs = <clients_of_functions::cache::Cache as Client>::NEEDS;

    fn new(_: &Context) -> Result<Self, Error> {
        Ok(Self { paused: Cell::default() })
    }
}

impl Cache {
    /// The cached page of a product; `None` if it is not cached or the cache fails.
    pub async fn page(&self, id: ProductId) -> Option<ProductDocument> {
        let text = self.in_request(id, Kind::Get).await?;
        ProductDocument::from_text(text.as_str()?, id)
    }

    /// Caches a page that was just read from the table.
    pub async fn fill(&self, id: ProductId, version: PageVersion, page: &ProductDocument) {
        self.in_request(id, Kind::Fill(version, page.to_text())).await;
    }

    /// Invalidates cached pages older than what was just written.
    pub async fn invalidate(&self, id: ProductId, written: PageVersion) {
        if self.in_request(id, Kind::Invalidate(written)).await.is_none() {
            simulation::current().excuse_cache();
        }
    }

    /// Invalidates the page of a product that was just withdrawn.
    pub async fn withdraw(&self, id: ProductId) {
        self.invalidate(id, WITHDRAWN).await;
    }

    /// Whether a cache is configured.
    pub fn exists(&self) -> bool {
        true
    }

    /// Caches the state of a product at a position in the stream.
    pub async fn put(&self, id: ProductId, position: &Position, now: &CurrentPage) -> Result<(), Error> {
        let (version, text) = match now {
            CurrentPage::Page(version, page) => (*version, page.to_text()),
            CurrentPage::Withdrawn => (WITHDRAWN, String::new()),
        };
        let sent = send(id, Kind::Put(version, position.to_string(), text)).await;
        sent.map(drop).ok_or_else(|| Error::unavailable("cache: no answer"))
    }

    /// The answer, unless the cache fails or is bypassed.
    async fn in_request(&self, id: ProductId, of: Kind) -> Option<Value> {
        let simulation = simulation::current();
        let (run, until) = self.paused.get();
        if run == simulation.run_number() && simulation.clock() < until {
            return None;
        }
        let answer = send(id, of).await;
        if answer.is_none() {
            self.paused.set((simulation.run_number(), simulation.clock() + PAUSE_MS));
        }
        answer
    }
}

async fn send(product: ProductId, of: Kind) -> Option<Value> {
    match simulation::current().send(Sent::Cache(Command { product, of })).await {
        Some(Ok(Answered { status: 200, body, .. })) => Some(body),
        _ => None,
    }
}

impl Simulation {
    /// The pages in the cache.
    pub fn page(&self, id: ProductId) -> Option<String> {
        self.pages().get(&id).and_then(CachedPage::page).map(str::to_owned)
    }
}
