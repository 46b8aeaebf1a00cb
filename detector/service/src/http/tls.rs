//! HTTPS: the certificate and key of the configuration, read again when their files change.
//!
//! Connections that exist keep the certificate they began with. Deliberately by looking every so often, as for files that
//! are followed: a certificate is replaced weeks before the old one ends.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::sync::watch;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs},
};
use tokio_util::sync::CancellationToken;

use crate::config::TlsConfig;

/// Why HTTPS is not possible.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be used.
    #[error("cannot use {file} for HTTPS: {reason}; see `{key}` in [http]")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
        /// The key that names it.
        key: &'static str,
    },
    /// They do not fit together.
    #[error("the certificate and the key of [http] do not fit together: {0}")]
    Pair(String),
}

/// What a file looked like: when it was modified, its number and its size. `None` when there is none.
type Look = Option<(SystemTime, u64, u64)>;

/// HTTPS with the certificate that the files hold. Clones share it.
#[derive(Clone)]
pub struct Tls {
    config: TlsConfig,
    acceptor: watch::Sender<TlsAcceptor>,
    /// The files when they were read last, whether or not they could be used.
    seen: Arc<Mutex<[Look; 2]>>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tls").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads both files.
    ///
    /// # Errors
    /// When one cannot be read, or they do not fit together.
    pub fn new(config: &TlsConfig) -> Result<Self, TlsError> {
        // Looked at first: what changes while it is read is seen as changed the next time.
        let seen = Arc::new(Mutex::new(looks(config)));
        Ok(Self { acceptor: watch::Sender::new(acceptor(config)?), config: config.clone(), seen })
    }

    /// What accepts connections now.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.borrow().clone()
    }

    /// Reads the files again if they have changed since they were read last; says whether there is a new certificate.
    /// Blocks.
    ///
    /// # Errors
    /// When one cannot be read, or they do not fit together; the certificate in use stays.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let looks = looks(&self.config);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == looks {
            return Ok(false);
        }
        *seen = looks;
        self.acceptor.send_replace(acceptor(&self.config)?);
        Ok(true)
    }

    /// Refreshes every so often, until `stop`.
    pub async fn keep_fresh(self, every: Duration, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
            let tls = self.clone();
            match tokio::task::spawn_blocking(move || tls.refresh()).await {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) => tracing::info!(cert = %self.config.cert.display(), "new certificate for HTTPS"),
                Ok(Err(error)) => tracing::warn!(%error, "the new certificate is not used; the former one stays"),
                Err(error) => tracing::error!(%error, "the files of HTTPS were not looked at"),
            }
        }
    }
}

fn looks(config: &TlsConfig) -> [Look; 2] {
    [&config.cert, &config.key].map(|file| {
        let about = fs::metadata(file).ok()?;
        Some((about.modified().ok()?, about.ino(), about.len()))
    })
}

/// Reads both files.
///
/// # Errors
/// When one cannot be read, or they do not fit together.
fn acceptor(config: &TlsConfig) -> Result<TlsAcceptor, TlsError> {
    let certificates = CertificateDer::pem_file_iter(&config.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| file_error(&config.cert, "tls_cert", &error.to_string()))?;
    if certificates.is_empty() {
        return Err(file_error(&config.cert, "tls_cert", "there is no PEM certificate in it"));
    }
    // The reason never holds the file's text, so no key is shown.
    let key = PrivateKeyDer::from_pem_file(&config.key)
        .map_err(|error| file_error(&config.key, "tls_key", &error.to_string()))?;
    let pair = |error: tokio_rustls::rustls::Error| TlsError::Pair(error.to_string());
    let mut server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(pair)?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(server)))
}

fn file_error(file: &Path, key: &'static str, reason: &str) -> TlsError {
    TlsError::File { file: file.display().to_string(), reason: reason.to_owned(), key }
}
