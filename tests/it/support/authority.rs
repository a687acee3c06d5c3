//! A certificate authority of a test's own.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Whoever trusts its certificate trusts what it signs.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// When a certificate may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    Now,
    Past,
    Future,
}

/// A server's certificate and its key.
pub(crate) struct Signed {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) certificate_pem: String,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) key_pem: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters
            .distinguished_name
            .push(DnType::CommonName, format!("the authority {name}"));
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(parameters, key).unwrap())
    }

    /// Its own certificate, as `sslrootcert` wants it.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a host's name.
    pub(crate) fn sign(&self, host: &str, validity: Validity) -> Signed {
        let key = KeyPair::generate().unwrap();
        let certificate = for_host(host, validity).signed_by(&key, &self.0);
        Signed::new(&certificate.unwrap(), &key)
    }

    /// A certificate for a host's name that signed itself and says that it is an authority's, as
    /// `openssl req -x509` makes them.
    pub(crate) fn of_itself(host: &str, validity: Validity) -> Signed {
        let mut parameters = for_host(host, validity);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Signed::new(&parameters.self_signed(&key).unwrap(), &key)
    }
}

impl Signed {
    fn new(certificate: &Certificate, key: &KeyPair) -> Self {
        Self {
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            key_pem: key.serialize_pem(),
        }
    }
}

fn for_host(host: &str, validity: Validity) -> CertificateParams {
    let mut parameters = CertificateParams::new([host.to_owned()]).unwrap();
    let (before, after) = match validity {
        Validity::Now => (2000, 4000),
        Validity::Past => (2000, 2001),
        Validity::Future => (3999, 4000),
    };
    parameters.not_before = date_time_ymd(before, 1, 1);
    parameters.not_after = date_time_ymd(after, 1, 1);
    parameters
}
