//! Events are published to a cluster of MSK: its brokers are asked for, and verify certificates and tokens as AWS does.

#![cfg(test)]

mod broker;

use super::*;
use crate::{aws, context::SystemHost, settings::Settings};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, future},
};
use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use broker::Broker;
use domain::{Timestamp, event_record::EventKind, probe::probe_visitors};
use futures::future::join;
use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use uuid::Uuid;

const REGION: &str = "eu-central-1";
const ARN: &str =
    "arn:aws:kafka:eu-central-1:123456789012:cluster/souk/019aa251-4760-7202-8202-020202020202-1";
const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "secret";
/// The longest time for which a token may be good, and for which it may be on its way.
const MOST_SECONDS: u64 = 15 * 60;

/// A role whose session is another one each time. Its secret can be wrong.
#[derive(Debug, Clone)]
struct Role {
    secret: Arc<Mutex<&'static str>>,
    sessions: Arc<Mutex<u32>>,
}

impl Role {
    fn new(secret: &'static str) -> Self {
        Self { secret: Arc::new(Mutex::new(secret)), sessions: Arc::default() }
    }
}

impl ProvideCredentials for Role {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let mut sessions = self.sessions.lock().unwrap();
        *sessions += 1;
        let secret = *self.secret.lock().unwrap();
        future::ProvideCredentials::ready(Ok(Credentials::new(
            KEY,
            secret,
            Some(format!("session/{sessions}=")),
            None,
            "test",
        )))
    }
}

/// MSK's `GetBootstrapBrokers` for a cluster that has every kind of connection. Nobody listens at port 1.
struct Msk {
    endpoint: String,
    task: JoinHandle<()>,
}

impl Msk {
    async fn start(brokers: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let body = serde_json::json!({
            "bootstrapBrokerString": "127.0.0.1:1",
            "bootstrapBrokerStringTls": "127.0.0.1:1",
            "bootstrapBrokerStringSaslScram": "127.0.0.1:1",
            "bootstrapBrokerStringSaslIam": brokers,
            "bootstrapBrokerStringPublicSaslIam": "127.0.0.1:1",
        })
        .to_string();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let asked = String::from_utf8(head).unwrap().replace("%3A", ":").replace("%2F", "/");
                let wanted = format!("GET /v1/clusters/{ARN}/bootstrap-brokers ");
                let status = if asked.starts_with(&wanted) { "200 OK" } else { "404 Not Found" };
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { endpoint, task }
    }
}

impl Drop for Msk {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The topic of a function that has this role, and trusts these certificates.
fn topic(msk: &Msk, role: &Role, authorities: Authorities) -> EventTopic {
    let settings = [
        (CLUSTER, ARN),
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_REGION", REGION),
        ("AWS_ENDPOINT_URL", &msk.endpoint),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = Settings::These(settings.into());
    let sdk = aws::config(&settings).unwrap().into_builder();
    let sdk = sdk.credentials_provider(SharedCredentialsProvider::new(role.clone())).build();
    let context = Context::new(settings, sdk, Arc::new(SystemHost));
    EventTopic { authorities, ..EventTopic::new(&context).unwrap() }
}

/// Events of many visitors, so that each partition of the topic gets some.
fn events(count: u128) -> Vec<EventRecord> {
    let event = |number| EventRecord {
        id: Uuid::from_u128(number),
        kind: EventKind::Event,
        event: "Seen".to_owned(),
        visitor: format!("visitor {number}"),
        user: None,
        experiment: None,
        variant: None,
        product: None,
        order: None,
        quantity: None,
        amount: None,
        currency: None,
        bot: false,
        at: Timestamp::from_unix_milliseconds(1_795_000_000_000),
        received_at: Timestamp::from_unix_milliseconds(1_795_000_000_000),
        properties: serde_json::Map::new(),
    };
    (0..count).map(event).collect()
}

/// Judges a token as MSK does, for the role's right secret.
fn verify(token: &str) -> Result<(), String> {
    let text = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|error| error.to_string())?;
    let url = url::Url::parse(&String::from_utf8(text).unwrap()).map_err(|error| error.to_string())?;
    let mut query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let mut take = |name: &str| query.remove(name).ok_or(format!("no {name}"));
    // Neither is signed.
    let signature = take("X-Amz-Signature")?;
    let agent = take("User-Agent")?;
    let value = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let host = format!("kafka.{REGION}.amazonaws.com");
    let date = value("X-Amz-Date");
    let day = date.get(..8).ok_or("no date")?;
    let scope = format!("{day}/{REGION}/kafka-cluster/aws4_request");
    for (what, found, wanted) in [
        ("scheme", url.scheme(), "https"),
        ("host", url.host_str().unwrap_or_default(), &host),
        ("path", url.path(), "/"),
        ("user agent", &agent, "souk"),
        ("action", value("Action"), "kafka-cluster:Connect"),
        ("algorithm", value("X-Amz-Algorithm"), "AWS4-HMAC-SHA256"),
        ("credential", value("X-Amz-Credential"), &format!("{KEY}/{scope}")),
        ("signed headers", value("X-Amz-SignedHeaders"), "host"),
    ] {
        if found != wanted {
            return Err(format!("{what}: {found}"));
        }
    }
    let lasts: u64 = value("X-Amz-Expires").parse().map_err(|_| "no expiry")?;
    let age = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().abs_diff(seconds(date));
    if lasts > MOST_SECONDS || age > lasts || !value("X-Amz-Security-Token").starts_with("session/") {
        return Err(format!("{lasts} s, {age} s old, of {}", value("X-Amz-Security-Token")));
    }
    let pairs: Vec<String> =
        query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    let hash_of_nothing = hex(digest(&SHA256, b"").as_ref());
    let request = format!("GET\n/\n{}\nhost:{host}\n\nhost\n{hash_of_nothing}", pairs.join("&"));
    let hash = hex(digest(&SHA256, request.as_bytes()).as_ref());
    let key = [day, REGION, "kafka-cluster", "aws4_request"]
        .iter()
        .fold(format!("AWS4{SECRET}").into_bytes(), |key, part| sign(&key, part));
    let right = hex(&sign(&key, &format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hash}")));
    if signature == right { Ok(()) } else { Err("the signature is wrong".to_owned()) }
}

/// `20261122T080000Z` as seconds since 1970.
fn seconds(date: &str) -> u64 {
    let part = |from: usize, to: usize| date.get(from..to).unwrap_or_default();
    let [year, month, day] = [part(0, 4), part(4, 6), part(6, 8)];
    let [hour, minute, second] = [part(9, 11), part(11, 13), part(13, 15)];
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    text.parse::<Timestamp>().map_or(0, Timestamp::unix_seconds)
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut done, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => done.push(byte.into()),
            _ => write!(done, "%{byte:02X}").unwrap(),
        }
        done
    })
}

#[tokio::test]
async fn events_reach_a_cluster_with_iam_by_tls_and_a_signed_token() {
    let broker = Broker::start("127.0.0.1", verify).await;
    let msk = Msk::start(broker.address()).await;
    let topic = topic(&msk, &Role::new(SECRET), Authorities::These(broker.roots()));
    assert_eq!(topic.publish(&events(20)).await.unwrap(), Vec::<usize>::new());
    assert_eq!((broker.records(), broker.refused()), (20, Vec::new()));
    // A connection for each partition, and one that asks where they are.
    assert_eq!(broker.tokens().len(), 4);
    // Connected, it asks for no other token.
    topic.publish(&events(20)).await.unwrap();
    assert_eq!((broker.records(), broker.tokens().len()), (40, 4));
}

/// MSK ends a session when its token or its role's credentials expire: it closes the connection at the next request.
#[tokio::test]
async fn a_session_that_the_broker_ended_is_opened_again_with_a_new_token() {
    let broker = Broker::start("127.0.0.1", verify).await;
    let msk = Msk::start(broker.address()).await;
    let topic = topic(&msk, &Role::new(SECRET), Authorities::These(broker.roots()));
    for round in 1..4 {
        topic.publish(&events(20)).await.unwrap();
        assert_eq!((broker.records(), broker.refused()), (20 * round, Vec::new()));
        broker.end_sessions();
    }
    let tokens = broker.tokens();
    assert_eq!(
        tokens.iter().collect::<HashSet<_>>().len(),
        tokens.len(),
        "each connection has a token of its own"
    );
    // Each partition's connection twice, before the second and before the third round.
    assert!(broker.dropped() >= 6 && tokens.len() >= 10, "{} {}", broker.dropped(), tokens.len());
}

#[tokio::test]
async fn a_refused_token_is_reported_and_a_right_one_is_accepted_later() {
    let broker = Broker::start("127.0.0.1", verify).await;
    let msk = Msk::start(broker.address()).await;
    let role = Role::new("another secret");
    let topic = topic(&msk, &role, Authorities::These(broker.roots()));
    let error = format!("{:?}", topic.publish(&events(20)).await.unwrap_err());
    assert!(error.contains("Unavailable") && error.contains("SaslAuthenticationFailed"), "{error}");
    let refused = broker.refused();
    assert!(
        refused.len() > 1 && refused.iter().all(|reason| reason == "the signature is wrong"),
        "{refused:?}"
    );
    assert_eq!((broker.records(), broker.tokens()), (0, Vec::new()));
    *role.secret.lock().unwrap() = SECRET;
    topic.publish(&events(20)).await.unwrap();
    assert_eq!(broker.records(), 20);
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_or_of_another_host_is_refused() {
    let (stranger, other) =
        join(Broker::start("127.0.0.1", verify), Broker::start("b-1.souk.example", verify)).await;
    let (of_stranger, of_other) = join(Msk::start(stranger.address()), Msk::start(other.address())).await;
    let role = Role::new(SECRET);
    let stranger_topic = topic(&of_stranger, &role, Authorities::default());
    let other_topic = topic(&of_other, &role, Authorities::These(other.roots()));
    let seen = events(20);
    let (unknown, misnamed) = join(stranger_topic.publish(&seen), other_topic.publish(&seen)).await;
    for (result, reason) in [(unknown, "UnknownIssuer"), (misnamed, "not valid for name")] {
        let error = format!("{:?}", result.unwrap_err());
        assert!(error.contains("Unavailable") && error.contains(reason), "{error}");
    }
    for broker in [stranger, other] {
        assert_eq!((broker.records(), broker.tokens(), broker.refused()), (0, Vec::new(), Vec::new()));
    }
}

/// The check of the tests refuses each token that MSK would refuse.
#[test]
fn a_token_with_another_signature_action_region_or_expiry_is_wrong() {
    let credentials = || Credentials::new(KEY, SECRET, Some("session/1=".to_owned()), None, "test");
    let now = SystemTime::now();
    assert_eq!(verify(&msk::signed(credentials(), REGION, now).unwrap()), Ok(()));
    let of_url = |change: &dyn Fn(String) -> String| {
        let token = msk::signed(credentials(), REGION, now).unwrap();
        let url = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap();
        verify(&BASE64_URL_SAFE_NO_PAD.encode(change(url))).unwrap_err()
    };
    assert_eq!(of_url(&|url| url.replace("=900", "=899")), "the signature is wrong");
    assert!(of_url(&|url| url.replace("=900", "=901")).starts_with("901 s"));
    assert_eq!(of_url(&|url| url.replace("Connect", "WriteData")), "action: kafka-cluster:WriteData");
    assert_eq!(of_url(&|url| url.replace("&User-Agent=souk", "")), "no User-Agent");
    let elsewhere = verify(&msk::signed(credentials(), "us-east-1", now).unwrap()).unwrap_err();
    assert_eq!(elsewhere, "host: kafka.us-east-1.amazonaws.com");
    let old = now - std::time::Duration::from_secs(MOST_SECONDS + 1);
    assert!(verify(&msk::signed(credentials(), REGION, old).unwrap()).unwrap_err().starts_with("900 s, "));
}

/// The number of partitions of the topic that docs/operations.md makes.
const PARTITIONS: usize = 12;

#[test]
fn probes_pass_through_every_partition() {
    let passed: HashSet<usize> =
        probe_visitors().map(|visitor| kafka::partition_of(visitor.as_bytes(), PARTITIONS)).collect();
    assert_eq!(passed.len(), PARTITIONS);
}
