//! A broker of tests on the loopback interface, which speaks TLS and wants a token, as those of MSK do.
//!
//! It knows of Kafka's protocol what a producer needs: <https://kafka.apache.org/protocol.html>.

#![cfg(test)]

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivatePkcs8KeyDer},
        version::TLS12,
    },
};

/// The topic that there is.
const TOPIC: &str = "souk.events";
const PARTITIONS: i32 = 3;
/// The only broker of the cluster.
const NODE: i32 = 1;

/// Requests that it takes: the number of each, with the first and the last version.
const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const SASL_HANDSHAKE: i16 = 17;
const API_VERSIONS: i16 = 18;
const SASL_AUTHENTICATE: i16 = 36;
const VERSIONS: [[i16; 3]; 5] = [
    [PRODUCE, 3, 3],
    [METADATA, 1, 1],
    [SASL_HANDSHAKE, 1, 1],
    [API_VERSIONS, 0, 3],
    [SASL_AUTHENTICATE, 1, 1],
];

const NONE: i16 = 0;
const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
const SASL_AUTHENTICATION_FAILED: i16 = 58;

/// Where the number of records is in a batch of records.
const RECORD_COUNT: usize = 57;

/// Why a token is refused, if it is.
type Verify = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// A running broker. It stops when it is dropped.
pub(crate) struct Broker {
    port: u16,
    certificate: CertificateDer<'static>,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    port: u16,
    verify: Verify,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The tokens that were accepted.
    tokens: Vec<String>,
    /// Why others were refused.
    refused: Vec<String>,
    /// How many records each partition has.
    records: BTreeMap<i32, i32>,
    /// How often sessions were ended.
    ended: usize,
    /// Requests that were not processed because their session had been ended.
    dropped: usize,
}

impl Broker {
    /// Starts a broker whose certificate is for this host. `verify` judges tokens.
    pub(crate) async fn start(
        host: &str,
        verify: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
        let certificate = cert.der().clone();
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_protocol_versions(&[&TLS12]) // as MSK
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.into())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State { port, verify: Box::new(verify), seen: Mutex::default() });
        let served = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, acceptor) = (Arc::clone(&served), acceptor.clone());
                tokio::spawn(async move {
                    // An error is a client that has gone, or does not trust the certificate.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = serve(stream, &state).await;
                    }
                });
            }
        });
        Self { port, certificate, state, task }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The certificates that a client needs, to trust the broker.
    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        Arc::new(roots)
    }

    /// The tokens that were accepted, one for each connection.
    pub(crate) fn tokens(&self) -> Vec<String> {
        self.state.seen().tokens.clone()
    }

    /// Why tokens were refused.
    pub(crate) fn refused(&self) -> Vec<String> {
        self.state.seen().refused.clone()
    }

    /// How many records the topic has.
    pub(crate) fn records(&self) -> i32 {
        self.state.seen().records.values().sum()
    }

    /// Ends the sessions of all connections: like Kafka, it closes a connection at its next request.
    pub(crate) fn end_sessions(&self) {
        self.state.seen().ended += 1;
    }

    /// How many requests were not processed because their session had been ended.
    pub(crate) fn dropped(&self) -> usize {
        self.state.seen().dropped
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// The body of the answer; `None` closes the connection. `session` is how often sessions were ended before this one
    /// began.
    fn answer(&self, request: &mut Request, session: &mut Option<usize>) -> Option<Vec<u8>> {
        match request.kind {
            API_VERSIONS => return Some(versions(request.version)),
            SASL_HANDSHAKE => return Some(handshake(&request.text())),
            SASL_AUTHENTICATE => return Some(self.authenticate(&request.bytes(), session)),
            _ => {}
        }
        let mut seen = self.seen();
        if *session != Some(seen.ended) {
            seen.dropped += 1;
            return None;
        }
        match request.kind {
            METADATA => Some(self.metadata()),
            PRODUCE => Some(seen.produce(request)),
            kind => panic!("a request of the kind {kind}"),
        }
    }

    fn authenticate(&self, message: &[u8], session: &mut Option<usize>) -> Vec<u8> {
        let message = String::from_utf8(message.to_vec()).unwrap();
        let token = message.strip_prefix("n,,\u{1}auth=Bearer ").unwrap().strip_suffix("\u{1}\u{1}").unwrap();
        let verdict = (self.verify)(token);
        let mut seen = self.seen();
        let (error, explanation) = match verdict {
            Ok(()) => {
                seen.tokens.push(token.to_owned());
                *session = Some(seen.ended);
                (NONE, None)
            }
            Err(reason) => {
                seen.refused.push(reason);
                (SASL_AUTHENTICATION_FAILED, Some("Access denied"))
            }
        };
        let session_ms = i64::from(15 * 60 * 1000);
        let mut body = error.to_be_bytes().to_vec();
        match explanation {
            Some(text) => body.extend(written(text)),
            None => body.extend((-1_i16).to_be_bytes()),
        }
        body.extend(0_i32.to_be_bytes());
        body.extend(session_ms.to_be_bytes());
        body
    }

    /// One broker and one topic, whose partitions it leads.
    fn metadata(&self) -> Vec<u8> {
        let mut body = [1, NODE].map(i32::to_be_bytes).concat();
        body.extend(written("127.0.0.1"));
        body.extend(i32::from(self.port).to_be_bytes());
        body.extend((-1_i16).to_be_bytes()); // no rack
        body.extend([NODE, 1].map(i32::to_be_bytes).concat());
        body.extend(NONE.to_be_bytes());
        body.extend(written(TOPIC));
        body.push(0); // not internal
        body.extend(PARTITIONS.to_be_bytes());
        for partition in 0..PARTITIONS {
            body.extend(NONE.to_be_bytes());
            body.extend([partition, NODE, 1, NODE, 1, NODE].map(i32::to_be_bytes).concat());
        }
        body
    }
}

impl Seen {
    /// One batch for one partition, which is what the producer sends in a request.
    fn produce(&mut self, request: &mut Request) -> Vec<u8> {
        assert_eq!(request.number::<2>(), [0xff; 2], "no transaction");
        assert_eq!(request.number::<2>(), [0xff; 2], "acks of all replicas");
        request.number::<4>();
        assert_eq!(request.integer(), 1, "topics");
        assert_eq!(request.text(), TOPIC);
        assert_eq!(request.integer(), 1, "partitions");
        let partition = request.integer();
        let batch = request.bytes();
        let count = i32::from_be_bytes(batch[RECORD_COUNT..][..4].try_into().unwrap());
        let records = self.records.entry(partition).or_default();
        let offset = i64::from(*records);
        *records += count;
        let mut body = 1_i32.to_be_bytes().to_vec();
        body.extend(written(TOPIC));
        body.extend([1, partition].map(i32::to_be_bytes).concat());
        body.extend(NONE.to_be_bytes());
        body.extend([offset, -1].map(i64::to_be_bytes).concat());
        body.extend(0_i32.to_be_bytes()); // not throttled
        body
    }
}

/// Answers requests until the client goes, or is to go.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, state: &State) -> io::Result<()> {
    let mut session = None;
    loop {
        let length = stream.read_u32().await?;
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut bytes).await?;
        let mut request = Request::read(bytes);
        let Some(body) = state.answer(&mut request, &mut session) else { return stream.shutdown().await };
        let length = u32::try_from(request.correlation.len() + body.len()).unwrap();
        stream.write_all(&[&length.to_be_bytes(), &request.correlation[..], &body].concat()).await?;
        stream.flush().await?;
    }
}

/// A request, of which the rest is to be read.
struct Request {
    kind: i16,
    version: i16,
    correlation: [u8; 4],
    bytes: Vec<u8>,
    position: usize,
}

impl Request {
    fn read(bytes: Vec<u8>) -> Self {
        let mut request = Self { kind: 0, version: 0, correlation: [0; 4], bytes, position: 0 };
        request.kind = i16::from_be_bytes(request.number());
        request.version = i16::from_be_bytes(request.number());
        request.correlation = request.number();
        request.text(); // the client's name
        request
    }

    fn take(&mut self, count: usize) -> &[u8] {
        self.position += count;
        &self.bytes[self.position - count..self.position]
    }

    fn number<const N: usize>(&mut self) -> [u8; N] {
        self.take(N).try_into().unwrap()
    }

    fn integer(&mut self) -> i32 {
        i32::from_be_bytes(self.number())
    }

    fn text(&mut self) -> String {
        let length = u16::from_be_bytes(self.number());
        String::from_utf8(self.take(length.into()).to_vec()).unwrap()
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = usize::try_from(self.integer()).unwrap();
        self.take(length).to_vec()
    }
}

/// A text with its length before it.
fn written(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
}

/// Which versions of which requests it takes, in the compact form of version 3.
fn versions(version: i16) -> Vec<u8> {
    assert_eq!(version, 3);
    let mut body = NONE.to_be_bytes().to_vec();
    body.push(u8::try_from(VERSIONS.len()).unwrap() + 1);
    for range in VERSIONS {
        body.extend(range.map(i16::to_be_bytes).concat());
        body.push(0);
    }
    body.extend([0; 5]); // not throttled, and no further fields
    body
}

fn handshake(mechanism: &str) -> Vec<u8> {
    let error = if mechanism == "OAUTHBEARER" { NONE } else { UNSUPPORTED_SASL_MECHANISM };
    [&error.to_be_bytes()[..], &1_i32.to_be_bytes(), &written("OAUTHBEARER")].concat()
}
