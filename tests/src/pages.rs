//! The cache's scripts (shared/cache/src/scripts) in Rust, for the simulation. The cache tier compares the two.

use domain::product::PageVersion;

/// The version of a withdrawn product, as shared/cache has it.
pub const WITHDRAWN: PageVersion = PageVersion { product: 1 << 53, stock: 0 };

/// The cached page of one product: the fields of its hash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct CachedPage {
    product: u64,
    stock: u64,
    place: String,
    page: Option<String>,
}

impl CachedPage {
    /// The page that readers get.
    pub fn page(&self) -> Option<&str> {
        self.page.as_deref()
    }

    /// `fill.lua`. Returns whether the page was stored.
    pub fn fill(&mut self, version: PageVersion, page: &str) -> bool {
        if self.page.is_some() || version.product < self.product || version.stock < self.stock {
            return false;
        }
        *self = Self {
            product: version.product,
            stock: version.stock,
            place: std::mem::take(&mut self.place),
            page: Some(page.to_owned()),
        };
        true
    }

    /// `invalidate.lua`. Returns whether a version is newer than the known one.
    pub fn invalidate(&mut self, version: PageVersion) -> bool {
        let newer = self.learn(version);
        if newer {
            self.page = None;
        }
        newer
    }

    /// `put.lua`; an empty page means that the product has none. Returns whether the page was stored.
    pub fn put(&mut self, version: PageVersion, place: &str, page: &str) -> bool {
        if *place <= *self.place {
            return false;
        }
        place.clone_into(&mut self.place);
        let older = version.product < self.product || version.stock < self.stock;
        self.learn(version);
        self.page = (!older && !page.is_empty()).then(|| page.to_owned());
        self.page.is_some()
    }

    fn learn(&mut self, version: PageVersion) -> bool {
        let newer = version.product > self.product || version.stock > self.stock;
        self.product = self.product.max(version.product);
        self.stock = self.stock.max(version.stock);
        newer
    }
}
