//! Resolves the names of hosts to public addresses only.

use crate::network::is_public;
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use domain::observation::Reason;
use std::net::IpAddr;

/// The resolver of the HTTP client: the client connects to the addresses that this resolver has checked, and to no
/// other, so that a name that changes between check and connection leads nowhere.
#[derive(Debug, Clone)]
pub struct Resolver {
    lookup: Lookup,
    is_public: fn(IpAddr) -> bool,
}

#[derive(Debug, Clone)]
enum Lookup {
    System,
    /// The answers to the lookups of a test, in order.
    #[cfg(test)]
    Scripted(std::sync::Arc<std::sync::Mutex<std::collections::VecDeque<Vec<IpAddr>>>>),
}

impl Resolver {
    /// Asks the system's resolver.
    pub fn system() -> Self {
        Self { lookup: Lookup::System, is_public }
    }

    /// Gives these answers, one for each lookup, and takes these addresses for public.
    #[cfg(test)]
    pub fn scripted(answers: &[&[&str]], is_public: fn(IpAddr) -> bool) -> Self {
        let parse = |answer: &&[&str]| answer.iter().filter_map(|address| address.parse().ok()).collect();
        let answers = answers.iter().map(parse).collect();
        Self { lookup: Lookup::Scripted(std::sync::Arc::new(std::sync::Mutex::new(answers))), is_public }
    }

    /// All addresses of the name. One that is not public refuses the name: which of them a client would use is up to
    /// chance.
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Reason> {
        let addresses = self.lookup.run(name).await?;
        if addresses.is_empty() {
            return Err(Reason::Dns);
        }
        if addresses.iter().all(|address| (self.is_public)(*address)) {
            Ok(addresses)
        } else {
            Err(Reason::Address)
        }
    }
}

impl Lookup {
    async fn run(&self, name: &str) -> Result<Vec<IpAddr>, Reason> {
        match self {
            Self::System => {
                // With a dot at its end, a name is not tried with the suffixes of the system's search list.
                let name = format!("{}.", name.trim_end_matches('.'));
                let addresses = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| Reason::Dns)?;
                Ok(addresses.map(|address| address.ip()).collect())
            }
            #[cfg(test)]
            Self::Scripted(answers) => {
                answers.lock().ok().and_then(|mut answers| answers.pop_front()).ok_or(Reason::Dns)
            }
        }
    }
}

impl ResolveDns for Resolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move { self.resolve(name).await.map_err(ResolveDnsError::new) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolve(answer: &[&str]) -> Result<usize, Reason> {
        let resolver = Resolver::scripted(&[answer], is_public);
        resolver.resolve("shop.com").await.map(|addresses| addresses.len())
    }

    #[tokio::test]
    async fn every_address_of_a_name_must_be_public() {
        assert_eq!(resolve(&["93.184.216.34", "2606:4700::1111"]).await, Ok(2));
        for address in [
            "127.0.0.1",
            "10.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "::1",
            "::ffff:93.184.216.34",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "fd00:ec2::254",
        ] {
            assert_eq!(resolve(&[address]).await, Err(Reason::Address), "{address}");
            assert_eq!(resolve(&["93.184.216.34", address]).await, Err(Reason::Address), "{address}");
        }
        assert_eq!(resolve(&[]).await, Err(Reason::Dns));
    }

    #[tokio::test]
    async fn the_systems_answers_are_checked() {
        // No network is needed: the system answers this name itself, or not at all.
        let refused = Resolver::system().resolve("localhost").await.unwrap_err();
        assert!(matches!(refused, Reason::Address | Reason::Dns), "{refused}");
    }
}
