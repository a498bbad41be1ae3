//! Visits a page as a polite crawler: robots.txt first, at the host's pace, through redirects, to the canonical page.

use crate::{
    Allowed, PageAddress, Reading,
    client::{Answer, Failure, PageClient, Resource, ServedPage},
    limiter::Limiter,
    page,
    resolver::Resolver,
    robots::Robots,
};
use domain::observation::{Observation, Reason, Validators};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, timeout};

const MOST_REDIRECTS: usize = 5;

/// The time that a visit may spend with hosts: robots.txt, redirects and the canonical page included. Waiting for the
/// host's pace does not count.
const TIME: Duration = Duration::from_secs(10);

/// A visit that would have to wait longer for the host's pace fails, and says how long.
const PATIENCE: Duration = Duration::from_secs(5);

/// The time for which a robots.txt is not asked for again (RFC 9309, section 2.4: at most a day).
const ROBOTS_KEPT: Duration = Duration::from_hours(1);

/// A crawler with the limits of all hosts that it visits.
#[derive(Debug)]
pub struct Crawler {
    client: PageClient,
    allowed: Allowed,
    /// The name that robots.txt files call it by: its user agent up to the version.
    token: String,
    limiter: Limiter,
    robots: Mutex<HashMap<String, Arc<KnownRobots>>>,
    time: Duration,
}

/// The robots.txt of an origin, and when it was read. Held while it is read, so that it is read once.
type KnownRobots = tokio::sync::Mutex<Option<(Instant, Robots)>>;

/// What a visit found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visit {
    /// The page has not changed since the visit that the validators are from.
    NotModified,
    /// The page.
    Read {
        /// Its address: that of the canonical page, after redirects.
        address: PageAddress,
        /// What it says.
        observation: Observation,
        /// For the next visit.
        validators: Validators,
    },
}

/// A page at the end of its redirects.
struct Fetched {
    address: PageAddress,
    page: ServedPage,
    reading: Reading,
}

impl Crawler {
    /// A crawler with this `User-Agent`, which asks for public addresses and for those of the setting.
    pub fn new(user_agent: &str, allowed: Allowed) -> Self {
        Self::with_client(user_agent, allowed, PageClient::new(user_agent, Resolver::system()))
    }

    pub(crate) fn with_client(user_agent: &str, allowed: Allowed, client: PageClient) -> Self {
        let token = user_agent.split(['/', ' ']).next().unwrap_or_default().to_owned();
        let (limiter, robots) = (Limiter::default(), Mutex::default());
        Self { client, allowed, token, limiter, robots, time: TIME }
    }

    /// The crawler with less time for a visit.
    #[cfg(test)]
    pub(crate) fn within(self, time: Duration) -> Self {
        Self { time, ..self }
    }

    /// The addresses that it may ask for besides public ones.
    pub fn allowed(&self) -> &Allowed {
        &self.allowed
    }

    /// Reads a page, and the one that it calls its canonical page instead, if that can be read. `validators` are those of
    /// an earlier visit to this address.
    pub async fn visit(&self, address: &PageAddress, validators: &Validators) -> Result<Visit, Failure> {
        self.visit_within(None, address, validators).await
    }

    /// As [`Crawler::visit`]; with `home`, no redirect leads to another host than that of this address.
    pub(crate) async fn visit_within(
        &self,
        home: Option<&PageAddress>,
        address: &PageAddress,
        validators: &Validators,
    ) -> Result<Visit, Failure> {
        let mut left = self.time;
        let Some(fetched) = self.fetch(home, address, validators, &mut left).await? else {
            return Ok(Visit::NotModified);
        };
        let canonical = match &fetched.reading.canonical {
            Some(link) => self.canonical(home, link, &mut left).await,
            None => None,
        };
        let Fetched { address, page, reading } = canonical.unwrap_or(fetched);
        let observation = reading.observation?;
        Ok(Visit::Read { address, observation, validators: page.validators })
    }

    /// The canonical page, if it can be read and does not name another one.
    async fn canonical(
        &self,
        home: Option<&PageAddress>,
        link: &PageAddress,
        left: &mut Duration,
    ) -> Option<Fetched> {
        let fetched = self.fetch(home, link, &Validators::default(), left).await.ok().flatten()?;
        let is_canonical = fetched.reading.observation.is_ok() && fetched.reading.canonical.is_none();
        (is_canonical && fetched.address.has_host_of(link)).then_some(fetched)
    }

    /// Follows redirects to a page and reads it; `None` if it has not changed.
    async fn fetch(
        &self,
        home: Option<&PageAddress>,
        address: &PageAddress,
        validators: &Validators,
        left: &mut Duration,
    ) -> Result<Option<Fetched>, Failure> {
        let served = self.follow(home, address, Resource::Page(validators), left).await?;
        Ok(served.map(|(address, page)| {
            let reading = page::read(&address, page.content_type.as_deref(), &page.body, &self.allowed);
            Fetched { address, page, reading }
        }))
    }

    /// A list, at the end of its redirects on its host.
    pub(crate) async fn list(&self, address: &PageAddress) -> Result<(PageAddress, ServedPage), Failure> {
        let mut left = self.time;
        let served = self.follow(Some(address), address, Resource::List, &mut left).await?;
        served.ok_or_else(|| Reason::ServerError.into())
    }

    /// Follows redirects; `None` if the page has not changed. Each address is checked as the first one was.
    async fn follow(
        &self,
        home: Option<&PageAddress>,
        address: &PageAddress,
        resource: Resource<'_>,
        left: &mut Duration,
    ) -> Result<Option<(PageAddress, ServedPage)>, Failure> {
        let mut address = address.clone();
        for redirects in 0..=MOST_REDIRECTS {
            let robots = self.robots(&address, left).await?;
            if !robots.allows(address.path_and_query()) {
                return Err(Reason::Robots.into());
            }
            // A redirect is a part of the same visit.
            let delay = robots.crawl_delay.filter(|_| redirects == 0);
            match self.get(&address, resource, delay, left).await? {
                Answer::NotModified => return Ok(None),
                Answer::Page(page) => return Ok(Some((address, page))),
                Answer::Redirect(location) => address = self.redirected(&address, &location)?,
            }
            if home.is_some_and(|home| !address.has_host_of(home)) {
                let cause = "redirect: to another host".to_owned();
                return Err(Failure { cause, ..Reason::Host.into() });
            }
        }
        Err(Reason::TooManyRedirects.into())
    }

    fn redirected(&self, address: &PageAddress, location: &str) -> Result<PageAddress, Failure> {
        address.join(location, &self.allowed).map_err(|refused| Failure {
            cause: format!("redirect: {}", refused.message),
            ..refused.reason.into()
        })
    }

    /// One request, at the host's pace, within the time that is left.
    async fn get(
        &self,
        address: &PageAddress,
        resource: Resource<'_>,
        delay: Option<Duration>,
        left: &mut Duration,
    ) -> Result<Answer, Failure> {
        let permit = self.limiter.admit(&address.host(), delay, PATIENCE).await;
        let _permit = permit.map_err(|wait| Failure {
            retry_after: Some(wait),
            is_own_pace: true,
            cause: "the host's pace".to_owned(),
            ..Reason::RateLimited.into()
        })?;
        let start = Instant::now();
        let answer = timeout(*left, self.client.get(address, resource)).await;
        *left = left.saturating_sub(start.elapsed());
        answer.unwrap_or_else(|_| Err(Reason::Timeout.into()))
    }

    /// The rules for an address, read once for each origin.
    async fn robots(&self, address: &PageAddress, left: &mut Duration) -> Result<Robots, Failure> {
        let known = {
            let mut robots = self.robots.lock().unwrap_or_else(PoisonError::into_inner);
            robots.entry(address.origin()).or_default().clone()
        };
        let mut known = known.lock().await;
        if let Some((at, robots)) = known.as_ref()
            && at.elapsed() < ROBOTS_KEPT
        {
            return Ok(robots.clone());
        }
        let robots = self.read_robots(address, left).await?;
        *known = Some((Instant::now(), robots.clone()));
        Ok(robots)
    }

    /// RFC 9309, section 2.3.1: without a robots.txt (4xx) everything is allowed; if the host fails (5xx), nothing is.
    async fn read_robots(&self, address: &PageAddress, left: &mut Duration) -> Result<Robots, Failure> {
        let mut address = self.redirected(address, "/robots.txt")?;
        for _ in 0..=MOST_REDIRECTS {
            match self.get(&address, Resource::Robots, None, left).await {
                Ok(Answer::Page(page)) => {
                    return Ok(Robots::parse(&String::from_utf8_lossy(&page.body), &self.token));
                }
                Ok(Answer::Redirect(location)) => address = self.redirected(&address, &location)?,
                Ok(Answer::NotModified) => return Ok(Robots::closed()),
                Err(failure) => return robots_after(failure),
            }
        }
        Ok(Robots::default())
    }
}

fn robots_after(failure: Failure) -> Result<Robots, Failure> {
    match failure.reason {
        Reason::Gone | Reason::Forbidden | Reason::NotHtml => Ok(Robots::default()),
        Reason::ServerError => Ok(Robots::closed()),
        // The host cannot be reached, or asks to come back later: so it is for its pages.
        _ => Err(failure),
    }
}

#[path = "crawler_tests.rs"]
mod tests;
