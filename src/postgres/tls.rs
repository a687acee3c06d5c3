//! How a login encrypts: libpq's modes, in rustls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{self, CryptoProvider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// What is verified about the server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verify {
    /// Nothing: Heroku's certificates are self-signed.
    Nothing,
    /// That a known authority signed it.
    Authority(Roots),
    /// That, and that it is this server's.
    AuthorityAndName(Roots),
}

/// The authorities that are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Roots {
    /// Those that every browser trusts.
    Bundled,
    /// Those of this PEM text, and no others.
    Pem(Vec<u8>),
}

/// Notes that a server's certificate was taken: `tokio-postgres` does not tell whether it encrypts.
#[derive(Clone, Debug, Default)]
pub(super) struct Handshakes(Arc<AtomicBool>);

impl Handshakes {
    pub(super) fn forget(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    pub(super) fn was_one(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A TLS stack that verifies that much.
pub(super) fn connector(
    verify: Verify,
    handshakes: &Handshakes,
) -> Result<MakeRustlsConnect, Error> {
    let provider = Arc::new(crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match verify {
        Verify::Nothing => Arc::new(AnyCertificate(provider.clone())),
        Verify::Authority(roots) => Arc::new(Known::new(&roots, &provider, Name::Any)?),
        Verify::AuthorityAndName(roots) => Arc::new(Known::new(&roots, &provider, Name::Theirs)?),
    };
    let verifier = Arc::new(Noted(verifier, handshakes.clone()));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// Another verifier, whose yes is noted.
#[derive(Debug)]
struct Noted(Arc<dyn ServerCertVerifier>, Handshakes);

impl ServerCertVerifier for Noted {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Self(verifier, Handshakes(taken)) = self;
        let yes = verifier.verify_server_cert(certificate, intermediates, name, ocsp, now)?;
        taken.store(true, Ordering::Relaxed);
        Ok(yes)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Takes every certificate, even those that webpki cannot read (version 1, as `openssl x509 -req`
/// makes them). Its signatures are not checked either: they prove the possession of a key that
/// nobody vouches for.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Whose name is on a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    /// It does not matter (`verify-ca`).
    Any,
    /// The host's (`verify-full`).
    Theirs,
}

/// The chain has to end at a root that is known. (A name is one of the certificate's alternative
/// names. libpq takes the common name of one that has none; webpki does not know it.)
#[derive(Debug)]
struct Known {
    webpki: Arc<WebPkiServerVerifier>,
    /// The roots that were named.
    roots: Vec<CertificateDer<'static>>,
    name: Name,
}

impl Known {
    fn new(roots: &Roots, provider: &Arc<CryptoProvider>, name: Name) -> Result<Self, Error> {
        let mut store = RootCertStore::empty();
        let roots: Vec<_> = match roots {
            Roots::Bundled => {
                store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
                Vec::new()
            }
            Roots::Pem(pem) => CertificateDer::pem_slice_iter(pem)
                .filter_map(Result::ok)
                .collect(),
        };
        store.add_parsable_certificates(roots.iter().cloned());
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone())
            .build()
            .map_err(|error| Error::General(format!("sslrootcert: {error}")))?;
        Ok(Self {
            webpki,
            roots,
            name,
        })
    }

    fn verify_name(
        &self,
        certificate: &CertificateDer<'_>,
        name: &ServerName<'_>,
    ) -> Result<(), Error> {
        match self.name {
            Name::Any => Ok(()),
            Name::Theirs => verify_server_name(&ParsedCertificate::try_from(certificate)?, name),
        }
    }
}

/// The server's own certificate is an authority's, as the PostgreSQL manual makes them (`openssl
/// req -x509`). webpki looks at that after the time, and says so in its own type only.
fn is_authoritys_own(why: &CertificateError) -> bool {
    matches!(why, CertificateError::Other(why) if why.to_string().contains("CaUsedAsEndEntity"))
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self
            .webpki
            .verify_server_cert(certificate, intermediates, name, ocsp, now);
        match verified {
            // The name is looked at last, when everything else is well.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.name == Name::Any => Ok(ServerCertVerified::assertion()),
            // libpq takes it when it is itself one of the roots.
            Err(Error::InvalidCertificate(why)) if is_authoritys_own(&why) => {
                if self.roots.iter().all(|root| root != certificate) {
                    return Err(CertificateError::UnknownIssuer.into());
                }
                self.verify_name(certificate, name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}
