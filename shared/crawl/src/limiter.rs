//! Limits for each host: how many requests at once, and how many a second.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};

/// Requests to one host at once.
const AT_ONCE: usize = 8;

/// The time between the starts of two requests to one host: ten a second.
const INTERVAL: Duration = Duration::from_millis(100);

/// The limits of all hosts that this process asks.
#[derive(Debug, Default)]
pub struct Limiter {
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

#[derive(Debug)]
struct Host {
    slots: Arc<Semaphore>,
    /// The earliest start of the next request.
    next: Mutex<Instant>,
}

/// A request to a host; the next one may take its place when it is dropped.
#[derive(Debug)]
pub struct Permit {
    _slot: OwnedSemaphorePermit,
}

impl Limiter {
    /// Waits until a request to the host may start. `delay` is what the host asks to leave before the next request. If
    /// the wait would be longer than `patience`, the error is the time to wait.
    pub async fn admit(
        &self,
        host: &str,
        delay: Option<Duration>,
        patience: Duration,
    ) -> Result<Permit, Duration> {
        let host = self.host(host);
        let slot = host.slots.clone().acquire_owned().await.map_err(|_| patience)?;
        sleep_until(host.start(Instant::now(), delay, patience)?).await;
        Ok(Permit { _slot: slot })
    }

    fn host(&self, name: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = hosts.entry(name.to_owned()).or_insert_with(|| {
            Arc::new(Host { slots: Arc::new(Semaphore::new(AT_ONCE)), next: Mutex::new(Instant::now()) })
        });
        host.clone()
    }
}

impl Host {
    /// When a request that asks now may start; the next one may not before `delay` has passed since then. If the wait
    /// would be longer than `patience`, the error is the time to wait.
    fn start(&self, now: Instant, delay: Option<Duration>, patience: Duration) -> Result<Instant, Duration> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let start = now.max(*next);
        if start - now > patience {
            return Err(start - now);
        }
        *next = start + delay.unwrap_or_default().max(INTERVAL);
        Ok(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_mins(1);

    #[test]
    fn a_host_gets_ten_requests_a_second() {
        let limiter = Limiter::default();
        let (host, other) = (limiter.host("shop.com"), limiter.host("other.com"));
        let now = Instant::now();
        for tenth in 0..=20 {
            let start = host.start(now, None, PATIENCE).unwrap();
            assert_eq!(start - now, Duration::from_millis(100 * tenth));
        }
        assert_eq!(other.start(now, None, PATIENCE), Ok(now));
        let later = now + Duration::from_mins(1);
        assert_eq!(host.start(later, None, PATIENCE), Ok(later));
    }

    #[tokio::test]
    async fn a_host_gets_eight_requests_at_once() {
        let limiter = Limiter::default();
        let slots = limiter.host("shop.com").slots.clone();
        let mut others = slots.try_acquire_many_owned(7).unwrap();
        let eighth = limiter.admit("shop.com", None, PATIENCE).await.unwrap();
        // The time limit of zero ends what cannot go on at once.
        let ninth = limiter.admit("shop.com", None, PATIENCE);
        assert!(tokio::time::timeout(Duration::ZERO, ninth).await.is_err());
        drop(others.split(1));
        drop(limiter.admit("shop.com", None, PATIENCE).await.unwrap());
        drop(eighth);
    }

    #[test]
    fn a_host_that_asks_for_a_delay_gets_it() {
        let limiter = Limiter::default();
        let host = limiter.host("shop.com");
        let (now, delay) = (Instant::now(), Duration::from_secs(5));
        assert_eq!(host.start(now, Some(delay), PATIENCE), Ok(now));
        assert_eq!(host.start(now, Some(delay), Duration::from_secs(1)), Err(delay));
        // The refused request took no place.
        assert_eq!(host.start(now, Some(delay), PATIENCE), Ok(now + delay));
    }
}
