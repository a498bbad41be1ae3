//! Visits the lists of a flash sale, and the pages of items that a list has no offer of.

use crate::{Allowed, Crawler, Failure, ListedSale, PageAddress, SalePage, Visit, sale_list};
use domain::{
    Timestamp,
    observation::{Observation, Reason, Validators},
    sale_progress::NextPage,
};

impl Crawler {
    /// The sessions that a source lists.
    pub async fn sessions(
        &self,
        source: &PageAddress,
        read_at: Timestamp,
    ) -> Result<Vec<ListedSale>, Failure> {
        let (address, page) = self.list(source).await?;
        Ok(sale_list::read_sessions(&address, &page.body, self.allowed(), read_at)?)
    }

    /// A page of a session's items. `session` is the address of the session.
    pub async fn sale_page(&self, session: &PageAddress, next: &NextPage) -> Result<SalePage, Failure> {
        let address = page_address(session, next, self.allowed()).ok_or(Reason::Host)?;
        let (address, page) = self.list(&address).await?;
        Ok(sale_list::read_page(&address, &page.body, &page.link, self.allowed())?)
    }

    /// What an item's own page says. No redirect leads to another host.
    pub async fn sale_item(&self, item: &PageAddress) -> Result<Observation, Failure> {
        match self.visit_within(Some(item), item, &Validators::default()).await? {
            Visit::Read { observation, .. } => Ok(observation),
            // It was not asked whether it has.
            Visit::NotModified => Err(Reason::ServerError.into()),
        }
    }
}

/// The address of a page: that of a link to it, which has to be on the session's host, or the session's with its number.
fn page_address(session: &PageAddress, next: &NextPage, allowed: &Allowed) -> Option<PageAddress> {
    let linked = next.url.as_deref().and_then(|url| PageAddress::parse(url, allowed).ok());
    let linked = linked.filter(|address| address.has_host_of(session));
    linked.or_else(|| session.with_page(next.number, allowed))
}

#[path = "sale_crawl_tests.rs"]
mod tests;
