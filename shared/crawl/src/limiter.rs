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
        let start = {
            let mut next = host.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let start = now.max(*next);
            if start - now > patience {
                return Err(start - now);
            }
            *next = start + delay.unwrap_or_default().max(INTERVAL);
            start
        };
        sleep_until(start).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn a_host_gets_ten_requests_a_second() {
        let limiter = Limiter::default();
        let start = Instant::now();
        for _ in 0..=20 {
            limiter.admit("shop.com", None, PATIENCE).await.unwrap();
        }
        assert_eq!(start.elapsed(), Duration::from_secs(2));
        limiter.admit("other.com", None, PATIENCE).await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_gets_eight_requests_at_once() {
        let limiter = Limiter::default();
        let mut permits = Vec::new();
        for _ in 0..AT_ONCE {
            permits.push(limiter.admit("shop.com", None, PATIENCE).await.unwrap());
        }
        let ninth = limiter.admit("shop.com", None, PATIENCE);
        assert!(tokio::time::timeout(PATIENCE, ninth).await.is_err());
        permits.pop();
        assert!(limiter.admit("shop.com", None, PATIENCE).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_asks_for_a_delay_gets_it() {
        let limiter = Limiter::default();
        let (delay, start) = (Some(Duration::from_secs(5)), Instant::now());
        limiter.admit("shop.com", delay, PATIENCE).await.unwrap();
        let wait = limiter.admit("shop.com", delay, Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(wait, Duration::from_secs(5));
        limiter.admit("shop.com", delay, PATIENCE).await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_secs(5));
    }
}
