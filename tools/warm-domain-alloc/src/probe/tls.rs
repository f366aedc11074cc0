//! Makes one TLS handshake that shows both whether the certificate verifies, and what answers if it does not.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use lib_common::{Error, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::cert::{self, Certificate};

/// Which authorities are trusted.
pub struct Settings {
    provider: Arc<CryptoProvider>,
    /// `None` if no authority is trusted at all.
    verifier: Option<Arc<WebPkiServerVerifier>>,
}

/// What a server sent in its handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    pub certificate: Certificate,
    /// Why a client that verifies certificates would refuse it, if it would.
    pub refused: Option<Refused>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub kind: CertificateFault,
    pub text: String,
}

/// Why a certificate does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateFault {
    Expired,
    Name,
    Untrusted,
}

impl Settings {
    /// The system's authorities, and those of `files` (PEM).
    pub fn load(files: &[impl AsRef<Path>]) -> Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for file in files {
            let path = file.as_ref();
            let fail = |cause: String| Error::cannot("reading certificates", cause).on(path.display());
            let found = CertificateDer::pem_file_iter(path).map_err(|e| fail(e.to_string()))?;
            let found: Vec<_> =
                found.collect::<std::result::Result<_, _>>().map_err(|e| fail(e.to_string()))?;
            if roots.add_parsable_certificates(found).0 == 0 {
                return Err(fail("no certificate in it".into()));
            }
        }
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
        Ok(Self { provider, verifier: verifier.ok() })
    }
}

/// Makes the handshake, with `domain` as SNI. Errors are the other side's words.
pub async fn handshake(
    settings: &Settings,
    domain: &str,
    stream: TcpStream,
) -> std::result::Result<(TlsStream<TcpStream>, Served), String> {
    let name = ServerName::try_from(domain.to_owned()).map_err(|e| e.to_string())?;
    let recorder = Arc::new(Recorder {
        provider: Arc::clone(&settings.provider),
        verifier: settings.verifier.clone(),
        served: Mutex::default(),
    });
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&settings.provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&recorder) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    // The request behind it is HTTP/1.1; without ALPN some servers would speak HTTP/2.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let stream =
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|e| e.to_string())?;
    let served = recorder.served.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
    Ok((stream, served))
}

/// Verifies the certificate, stores the result, and accepts it in any case. That is safe because nothing secret is sent.
#[derive(Debug)]
struct Recorder {
    provider: Arc<CryptoProvider>,
    verifier: Option<Arc<WebPkiServerVerifier>>,
    served: Mutex<Option<Served>>,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, TlsError> {
        let untrusted = || Err(TlsError::InvalidCertificate(CertificateError::UnknownIssuer));
        let verdict = self.verifier.as_ref().map_or_else(untrusted, |verifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp, now)
        });
        let certificate = cert::parse(end_entity).unwrap_or_default();
        let served = Served { certificate, refused: verdict.err().map(|e| refused(&e)) };
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) = Some(served);
        // Accept every certificate, or nothing could be learned of the layers behind it. The verdict reports the fault.
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn refused(error: &TlsError) -> Refused {
    use CertificateError as E;
    let kind = match error {
        TlsError::InvalidCertificate(
            E::Expired | E::ExpiredContext { .. } | E::NotValidYet | E::NotValidYetContext { .. },
        ) => CertificateFault::Expired,
        TlsError::InvalidCertificate(E::NotValidForName | E::NotValidForNameContext { .. }) => {
            CertificateFault::Name
        }
        _ => CertificateFault::Untrusted,
    };
    Refused { kind, text: error.to_string() }
}
