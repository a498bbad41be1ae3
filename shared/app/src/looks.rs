//! Looks at pages of watched items: reads the page, and stores what changed.

use crate::{
    alerts::Alerts,
    client::{Client, Needs},
    context::Context,
    table::Table,
};
use crawl::{Crawler, Failure, PageAddress, Refused, Visit};
use domain::{
    Error, Timestamp,
    alert::PriceChanged,
    back_off::BackOff,
    observation::{ItemId, Observation, Reason, Validators},
    watched_item::{Interest, WatchedItem},
};

/// The observation of a look at a page with the page's validators; `None` if the page has not changed.
pub type Found = Result<Option<(Observation, Validators)>, Reason>;

/// How often an item is read again that others change at the same time.
const ATTEMPTS: usize = 4;

/// The crawler, and the items that it looks at.
pub struct Looks {
    table: Table,
    alerts: Alerts,
    crawler: Crawler,
}

impl Looks {
    /// Parses an address as a user pastes it.
    pub fn address(&self, text: &str) -> Result<PageAddress, Refused> {
        PageAddress::parse(text, self.crawler.allowed())
    }

    /// Reads a page that a user wants to watch, and stores it as an item if it is none yet. The error is a reason that is for
    /// good. A host that asked to be left alone is not asked; the item is then looked at later.
    pub async fn open(
        &self,
        address: PageAddress,
        now: Timestamp,
    ) -> Result<Result<(ItemId, Found), Reason>, Error> {
        let host = address.host();
        let (known, back_off) =
            futures::try_join!(self.known(address.item_id()), self.table.back_off(&host))?;
        let validators = known.map(|item| item.validators).unwrap_or_default();
        let visit = if back_off.may_insist(now) {
            let visit = self.visit(&address, &validators).await;
            let next = back_off_after(back_off, &visit, now);
            if next != back_off {
                self.table.set_back_off(&host, &next).await?;
            }
            visit
        } else {
            Err(Reason::RateLimited.into())
        };
        let (address, first) = match visit {
            Ok(Visit::NotModified) => return Ok(Ok((address.item_id(), Ok(None)))),
            Ok(Visit::Read { address, observation, validators }) => (address, Ok((observation, validators))),
            Err(failure) if failure.reason.may_pass() => (address, Err(failure.reason)),
            Err(failure) => return Ok(Err(failure.reason)),
        };
        let item_id = address.item_id();
        let place = (address.as_str().to_owned(), address.host());
        let item = WatchedItem::new(item_id, place, first.clone(), now);
        self.table.create_watched_item(&item).await?;
        Ok(Ok((item_id, first.map(Some))))
    }

    async fn known(&self, id: ItemId) -> Result<Option<WatchedItem>, Error> {
        match self.table.watched_item(id).await {
            Err(Error::NotFound { .. }) => Ok(None),
            known => known.map(Some),
        }
    }

    /// Marks an item as watched, and stores what a look found. It is called after the watch is stored: a crawl at the same time
    /// either finds the watch, or has marked the item as unwatched before this reads it.
    pub async fn keep(&self, id: ItemId, found: Found, now: Timestamp) -> Result<WatchedItem, Error> {
        for _ in 0..ATTEMPTS {
            let seen = self.table.watched_item(id).await?;
            if let Some(item) = self.store(&seen, found.clone(), Interest::Watched, now).await? {
                return Ok(item);
            }
        }
        Err(Error::unavailable("an item changes all the time"))
    }

    /// Reads a page, if it has changed since these validators.
    pub async fn visit(&self, address: &PageAddress, validators: &Validators) -> Result<Visit, Failure> {
        self.crawler.visit(address, validators).await
    }

    /// Stores what a look found, and whether anybody watches the item. Returns the item as it is then; `None` if another look
    /// was faster.
    pub async fn store(
        &self,
        seen: &WatchedItem,
        found: Found,
        interest: Interest,
        now: Timestamp,
    ) -> Result<Option<WatchedItem>, Error> {
        let looked = seen.after(found, now).map(|next| WatchedItem { interest, ..next });
        let Some(next) = looked.or_else(|| seen.with_interest(interest)) else {
            return Ok(Some(seen.clone()));
        };
        // Before it is stored: if this function dies in between, the queue finds out whether it was.
        if let Some(change) = PriceChanged::between(seen, &next) {
            self.alerts.send(&change).await?;
        }
        let is_stored = self.table.replace_watched_item(seen, &next).await?;
        Ok(is_stored.then_some(next))
    }
}

/// The back-off of a host after a visit.
pub fn back_off_after(before: BackOff, visit: &Result<Visit, Failure>, now: Timestamp) -> BackOff {
    match visit {
        Ok(_) => BackOff::default(),
        Err(failure) if failure.is_own_pace => before,
        Err(failure) => before.after(failure.reason, failure.retry_after.map(|wait| wait.as_secs()), now),
    }
}

impl Client for Looks {
    const NEEDS: Needs = Needs {
        settings: &["TABLE_NAME", "ALERT_QUEUE_URL", "CRAWL_ALLOW", "CRAWL_USER_AGENT"],
        operations: &[
            "back_off",
            "create_watched_item",
            "replace_watched_item",
            "set_back_off",
            "watched_item",
        ],
    };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self {
            table: context.table()?,
            alerts: Alerts::new(context)?,
            crawler: <Crawler as Client>::new(context)?,
        })
    }
}
