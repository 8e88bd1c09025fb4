//! Whose certificates are believed.

use std::sync::Arc;

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::verifier::Verifier;

/// The roots of trust for servers behind TLS: the system's, unless told otherwise.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    without_system: bool,
    roots: Vec<CertificateDer<'static>>,
}

/// Why there is no trust.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A text has no certificate in PEM.
    #[error("there is no PEM certificate: {0}")]
    Pem(String),
    /// A certificate cannot be a root.
    #[error("the certificate cannot be a root of trust: {0}")]
    Root(String),
    /// There are no roots.
    #[error("the system has no certificates to trust: {0}")]
    Empty(String),
}

impl Trust {
    /// Nobody, until somebody is added.
    #[must_use]
    pub const fn nobody() -> Self {
        Self { without_system: true, roots: Vec::new() }
    }

    /// Trusts what the certificates of this PEM text vouch for, too; a self-signed certificate vouches for itself.
    ///
    /// # Errors
    /// [`TrustError::Pem`].
    pub fn with_pem(mut self, text: &str) -> Result<Self, TrustError> {
        let before = self.roots.len();
        for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
            self.roots.push(certificate.map_err(|error| TrustError::Pem(error.to_string()))?);
        }
        if self.roots.len() == before {
            return Err(TrustError::Pem("nothing in it begins like one".to_owned()));
        }
        Ok(self)
    }

    /// The same for [`rustls`](tokio_rustls::rustls), which this crate does TLS with, for programs with sockets of
    /// their own.
    ///
    /// # Errors
    /// [`TrustError::Root`], [`TrustError::Empty`].
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, TrustError> {
        let mut store = RootCertStore::empty();
        let mut trusted = self.roots.clone();
        for root in &self.roots {
            store.add(root.clone()).map_err(|error| TrustError::Root(error.to_string()))?;
        }
        if !self.without_system {
            let found = rustls_native_certs::load_native_certs();
            trusted.extend(found.certs.iter().cloned());
            // Systems carry roots that are old beyond use.
            store.add_parsable_certificates(found.certs);
            if store.is_empty() {
                let errors = found.errors.iter().map(ToString::to_string);
                return Err(TrustError::Empty(errors.collect::<Vec<_>>().join("; ")));
            }
        }
        let provider = Arc::new(ring::default_provider());
        let usual = WebPkiServerVerifier::builder_with_provider(store.into(), provider.clone());
        let usual = usual.build().map_err(|error| TrustError::Root(error.to_string()))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TrustError::Root(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier { usual, trusted }))
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}
