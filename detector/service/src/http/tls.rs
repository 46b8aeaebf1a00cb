//! HTTPS: the certificate and key of the configuration. Deliberately no reloading; a new certificate needs a restart.

use std::{path::Path, sync::Arc};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs},
};

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

/// Reads both files.
///
/// # Errors
/// When one cannot be read, or they do not fit together.
pub fn acceptor(config: &TlsConfig) -> Result<TlsAcceptor, TlsError> {
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
