//! Webhooks of users by the Standard Webhooks specification
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>), posted by the client that
//! fetches pages, with its checks of addresses.

use crate::{
    Allowed, PageAddress, Refused,
    client::{Failure, PageClient},
    resolver::Resolver,
};
use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{Timestamp, observation::Reason};
use std::time::Duration;

/// How long an answer may take: the shortest time that the specification recommends.
const TIME: Duration = Duration::from_secs(15);

/// The secret with which the notifications of a webhook are signed. It does not implement `Debug`, so that it is never
/// printed.
pub struct EndpointSecret<'a>(pub &'a [u8]);

impl EndpointSecret<'_> {
    /// The secret as the user gets it.
    pub fn text(&self) -> String {
        format!("whsec_{}", BASE64_STANDARD.encode(self.0))
    }

    /// The value of the header with the signature.
    fn signature(&self, id: &str, seconds: u64, body: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0);
        let tag = hmac::sign(&key, format!("{id}.{seconds}.{body}").as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(tag.as_ref()))
    }
}

/// The client that posts to the webhooks of users.
#[derive(Debug)]
pub struct WebhookClient {
    client: PageClient,
    allowed: Allowed,
    time: Duration,
}

impl WebhookClient {
    /// A client with this `User-Agent`, which posts to public addresses and to those of the setting.
    pub fn new(user_agent: &str, allowed: Allowed) -> Self {
        Self { client: PageClient::new(user_agent, Resolver::system()), allowed, time: TIME }
    }

    /// Parses the address of a webhook. It has to be one of https, unless the setting allows its host.
    pub fn parse(&self, text: &str) -> Result<PageAddress, Refused> {
        let address = PageAddress::parse(text, &self.allowed)?;
        let is_public = PageAddress::parse(text, &Allowed::default()).is_ok();
        if is_public && !address.as_str().starts_with("https:") {
            return Err(Refused { reason: Reason::Scheme, message: "must begin with https://" });
        }
        Ok(address)
    }

    /// Posts a body and returns the status of the answer. Redirects are not followed.
    pub async fn post(
        &self,
        address: &PageAddress,
        secret: &EndpointSecret<'_>,
        id: &str,
        body: String,
        now: Timestamp,
    ) -> Result<u16, Failure> {
        let seconds = now.unix_seconds();
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", secret.signature(id, seconds, &body)),
        ];
        let posted = tokio::time::timeout(self.time, self.client.post(address, &headers, body));
        posted.await.unwrap_or_else(|_| Err(Reason::Timeout.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{Reply, Server, reply};
    use std::net::IpAddr;

    const LOOPBACK: (IpAddr, u16) = (IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    fn client(allowed: &str) -> WebhookClient {
        WebhookClient::new("SoukPriceWatch/1 (+https://souk.example)", Allowed::parse(allowed).unwrap())
    }

    async fn post(server: &Server) -> Result<u16, Reason> {
        let client = WebhookClient {
            time: Duration::from_millis(300),
            ..client(&format!("127.0.0.1:{}", server.port))
        };
        let address = client.parse(&server.url("/hook?token=1")).unwrap();
        let now = Timestamp::from_unix_milliseconds(1_614_265_330_999);
        let posted = client.post(&address, &EndpointSecret(&[7; 32]), "msg_1", "{}".to_owned(), now);
        posted.await.map_err(|failure| failure.reason)
    }

    /// The example of the specification's own libraries.
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let secret = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let secret = EndpointSecret(&secret);
        let signature =
            secret.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(secret.text(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }

    #[tokio::test]
    async fn a_notification_is_posted_with_its_id_time_and_signature() {
        let server = Server::start(LOOPBACK, |_| reply(204, &[], b"")).await;
        assert_eq!(post(&server).await, Ok(204));
        let head = &server.requests()[0];
        assert!(head.starts_with("POST /hook?token=1 HTTP/1.1\r\n"), "{head}");
        for header in [
            "content-type: application/json",
            "webhook-id: msg_1",
            "webhook-timestamp: 1614265330",
            "webhook-signature: v1,",
            "user-agent: SoukPriceWatch/1 (+https://souk.example)",
        ] {
            assert!(head.contains(&format!("\r\n{header}")), "{header}: {head}");
        }
    }

    #[tokio::test]
    async fn redirects_are_not_followed_and_slow_hosts_time_out() {
        let server = Server::start(LOOPBACK, |_| reply(302, &[("location", "/other")], b"")).await;
        assert_eq!(post(&server).await, Ok(302));
        assert_eq!(server.paths(), ["/hook?token=1"]);
        let pause = Duration::from_millis(20);
        let endless = Server::start(LOOPBACK, move |_| Reply::Endless {
            start: b"HTTP/1.1 200 x\r\n".to_vec(),
            chunk: b"x: y\r\n".to_vec(),
            pause,
        });
        assert_eq!(post(&endless.await).await, Err(Reason::Timeout));
    }

    #[test]
    fn webhooks_are_at_public_addresses_of_https() {
        let refused = |text| client("127.0.0.1:8080").parse(text).unwrap_err().reason;
        assert!(client("").parse("https://ada.com/hook?token=1").is_ok());
        assert!(client("127.0.0.1:8080").parse("http://127.0.0.1:8080/hook").is_ok());
        for (text, reason) in [
            ("http://ada.com/hook", Reason::Scheme),
            ("ftp://ada.com/hook", Reason::Scheme),
            ("https://ada.com:8443/hook", Reason::Port),
            ("https://ada:secret@ada.com/hook", Reason::Credentials),
            ("https://127.0.0.1/hook", Reason::Host),
            ("http://127.0.0.1:8081/hook", Reason::Host),
            ("https://metadata.google.internal/", Reason::Host),
            ("https://[fd00:ec2::254]/", Reason::Host),
        ] {
            assert_eq!(refused(text), reason, "{text}");
        }
    }

    #[tokio::test]
    async fn a_name_with_an_address_that_is_not_public_is_never_posted_to() {
        let canary = Server::start(LOOPBACK, |_| reply(204, &[], b"")).await;
        let allowed = Allowed::names_at(canary.port);
        let resolver = Resolver::scripted(&[&["127.0.0.1"]], crate::network::is_public);
        let client =
            WebhookClient { client: PageClient::new("x/1", resolver), allowed: allowed.clone(), time: TIME };
        let address = PageAddress::parse(&format!("http://ada.com:{}/", canary.port), &allowed).unwrap();
        let now = Timestamp::from_unix_milliseconds(0);
        let posted = client.post(&address, &EndpointSecret(&[7; 32]), "msg_1", "{}".to_owned(), now).await;
        assert_eq!(posted.unwrap_err().reason, Reason::Address);
        assert_eq!(canary.requests().len(), 0);
    }
}
