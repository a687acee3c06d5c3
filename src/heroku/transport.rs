//! The HTTPS client: which certificates are trusted, which proxy is asked, what is given up and
//! when.
//!
//! Tried and not kept: a connection that survives until the next poll. It wakes the process when
//! the server closes it, holds a TLS session in memory, and saves 2 ms a minute.

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{NoProxy, Proxy, redirect, retry};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::credential::phrase;

use super::error::SetupError;
use super::{ApiUrl, Variables, variable};

const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
const REQUEST_TIME_MAX: Duration = Duration::from_secs(10);

/// An HTTP client that can reach the API's origin as the environment says.
pub(super) fn client(
    api_url: &ApiUrl,
    ca_file: Option<&Path>,
    variables: &Variables,
    timeouts: Timeouts,
) -> Result<reqwest::Client, SetupError> {
    let roots = if api_url.is_plain() {
        RootCertStore::empty()
    } else {
        roots(ca_file, variables)?
    };
    let localhost = [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ];
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(roots)?)
        .http1_only()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .user_agent(concat!("changeover/", env!("CARGO_PKG_VERSION")))
        .pool_max_idle_per_host(0)
        .connect_timeout(timeouts.connect)
        .timeout(timeouts.total)
        .resolve_to_addrs(
            "localhost",
            &localhost.map(|address| SocketAddr::new(address, 0)),
        )
        .no_proxy();
    if !api_url.is_loopback()
        && let Some(proxy) = proxy(variables)?
    {
        builder = builder.proxy(proxy);
    }
    builder
        .build()
        .map_err(|error| SetupError::Transport(cause(&error)))
}

/// When a request is given up: 5 s to connect and 10 s in all, unless told otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Until there is a connection, TLS included.
    pub connect: Duration,
    /// Until the last byte of the answer.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: CONNECT_TIME_MAX,
            total: REQUEST_TIME_MAX,
        }
    }
}

impl Timeouts {
    /// What a request that ended with this error is called.
    pub(super) fn describe(self, error: &reqwest::Error) -> String {
        if error.is_timeout() && error.is_connect() {
            return format!("no connection within {} s", self.connect.as_secs_f32());
        }
        if error.is_timeout() {
            return format!("no answer within {} s", self.total.as_secs_f32());
        }
        cause(error)
    }
}

fn tls(roots: RootCertStore) -> Result<ClientConfig, SetupError> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .map_err(|error| SetupError::Transport(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// The bundled roots, and those of the file that is named.
fn roots(ca_file: Option<&Path>, variables: &Variables) -> Result<RootCertStore, SetupError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let inherited = variable(variables, "SSL_CERT_FILE").map(Path::new);
    let (setting, path) = match (ca_file, inherited) {
        (Some(path), _) => ("--ca-file (CHANGEOVER_CA_FILE)", path),
        (None, Some(path)) => ("SSL_CERT_FILE", path),
        (None, None) => return Ok(roots),
    };
    let spoiled = |why: String| SetupError::CaFile {
        setting,
        path: PathBuf::from(path),
        why,
    };
    let pem = std::fs::read(path)
        .map_err(|error| spoiled(format!("cannot be read ({})", error.kind())))?;
    let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(spoiled("holds no certificate".to_owned()));
    }
    Ok(roots)
}

fn proxy(variables: &Variables) -> Result<Option<Proxy>, SetupError> {
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let set = |name| Some((name, variable(variables, name)?));
    let Some((variable_name, value)) = names.into_iter().find_map(set) else {
        return Ok(None);
    };
    let spoiled = || SetupError::Proxy {
        variable: variable_name,
    };
    let proxy = Proxy::https(value.to_str().ok_or_else(spoiled)?).map_err(|_| spoiled())?;
    let exceptions = variable(variables, "NO_PROXY").or_else(|| variable(variables, "no_proxy"));
    let exceptions = exceptions.map(|names| NoProxy::from_string(&names.to_string_lossy()));
    Ok(Some(proxy.no_proxy(exceptions.flatten())))
}

/// The first error that says what happened: what the system said, what TLS said, else the
/// innermost.
fn cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(told) = told(error) {
            return told;
        }
        innermost = error;
        next = error.source();
    }
    phrase(&innermost.to_string())
}

fn told(error: &(dyn Error + 'static)) -> Option<String> {
    let mut error = error;
    // An I/O error hides what it wraps from `source`.
    while let Some(inner) = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        error = inner;
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(phrase(&format!("TLS: {error}")));
    }
    let error = error.downcast_ref::<io::Error>()?;
    Some(match error.raw_os_error() {
        Some(_) => error.kind().to_string(),
        None => phrase(&error.to_string()),
    })
}
