//! TLS to the server: whom it is believed, and nothing that is not verified.

use crate::OpenError;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Where systems keep the certificates of those whom they believe.
const SYSTEM_CA_FILES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What is asked of a server. Whoever names a file of certificates wants them looked at: a preference would go on without
/// where the server says that it cannot.
pub(crate) fn mode(mode: SslMode, ca_file: Option<&Path>) -> SslMode {
    match (mode, ca_file) {
        (SslMode::Prefer, Some(_)) => SslMode::Require,
        (mode, _) => mode,
    }
}

/// What a connection needs to speak TLS; `None` where it is not to. A preference alone protects from nobody, so without
/// a certificate file of one's own it is none.
pub(crate) fn connector(
    mode: SslMode,
    ca_file: Option<&Path>,
) -> Result<Option<MakeRustlsConnect>, OpenError> {
    match (mode, ca_file) {
        (SslMode::Disable, _) | (SslMode::Prefer, None) => Ok(None),
        (_, Some(file)) => trusting(file).map(Some),
        (_, None) => {
            let file = SYSTEM_CA_FILES.iter().map(Path::new).find(|file| file.exists());
            let missing =
                || OpenError::Tls("this system has no list of certificates; name a file of them".into());
            trusting(file.ok_or_else(missing)?).map(Some)
        }
    }
}

fn trusting(file: &Path) -> Result<MakeRustlsConnect, OpenError> {
    let fault = |why: String| OpenError::Tls(format!("{}: {why}", file.display()));
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| fault(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| fault(error.to_string()))?;
        // A system's list may hold one that is of no use to anybody.
        let _ = roots.add(certificate);
    }
    if roots.is_empty() {
        return Err(fault("it holds no certificate".into()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| fault(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
