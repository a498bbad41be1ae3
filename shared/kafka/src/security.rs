//! How a connection to a broker is protected.

use futures::future::BoxFuture;
use rskafka::client::{ClientBuilder, OauthBearerCredentials, SaslConfig};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use std::sync::Arc;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// Gives a token for SASL/OAUTHBEARER, for each connection anew; otherwise the reason why there is none.
pub type TokenSource = Arc<dyn Fn() -> BoxFuture<'static, Result<String, String>> + Send + Sync>;

/// Whose certificates a broker may have.
#[derive(Clone, Default)]
pub enum Authorities {
    /// Those that Mozilla trusts. MSK's are signed by Amazon's, which is one of them.
    #[default]
    Public,
    /// These, for tests.
    These(Arc<RootCertStore>),
}

impl Authorities {
    fn roots(&self) -> Arc<RootCertStore> {
        match self {
            Self::Public => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(TLS_SERVER_ROOT_CERTS.iter().cloned());
                Arc::new(roots)
            }
            Self::These(roots) => Arc::clone(roots),
        }
    }
}

/// How connections are protected.
#[derive(Clone)]
pub enum Security {
    /// Not at all.
    Plain,
    /// TLS.
    Tls(Authorities),
    /// The same, and the broker is shown a token.
    Token(Authorities, TokenSource),
}

impl Security {
    /// The builder of a client with this protection.
    pub(crate) fn protect(&self, builder: ClientBuilder) -> Result<ClientBuilder, rustls::Error> {
        Ok(match self {
            Self::Plain => builder,
            Self::Tls(authorities) => builder.tls_config(tls(authorities)?),
            Self::Token(authorities, source) => {
                let source = Arc::clone(source);
                let callback = move || {
                    let token = source();
                    Box::pin(async move { token.await.map_err(Into::into) }) as BoxFuture<'static, _>
                };
                let credentials = OauthBearerCredentials {
                    callback: Arc::new(callback),
                    authz_id: None,
                    bearer_kvs: Vec::new(),
                };
                builder.tls_config(tls(authorities)?).sasl_config(SaslConfig::Oauthbearer(credentials))
            }
        })
    }
}

fn tls(authorities: &Authorities) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(authorities.roots()).with_no_client_auth()))
}
