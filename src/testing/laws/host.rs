//! What holds of the `Host` of a request to `--admin`, whatever it names: only who asks for this
//! machine is answered.

use std::net::IpAddr;

use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Version};
use url::{Host, Url};

use crate::admin::http::names_this_machine;

use super::{Held, law};

/// Holds a host against every law.
///
/// # Errors
/// The law that is broken.
pub fn hold(host: &str) -> Held {
    let is_local = asks(Version::HTTP_11, &[host]);
    law(
        !is_local || leads_here(host),
        "what is answered is what a browser would take for this machine",
    )?;
    law(
        asks(Version::HTTP_10, &[host]) == is_local,
        "a name that is given counts in every version",
    )?;
    law(
        !asks(Version::HTTP_11, &["localhost", host]) && !asks(Version::HTTP_10, &[host, host]),
        "of two hosts none counts",
    )?;
    law(
        !asks(Version::HTTP_11, &[]) && asks(Version::HTTP_10, &[]),
        "only who speaks HTTP/1.0 need not name a host",
    )?;
    let port = host.len() % 65_536;
    for local in ["localhost", "LocalHost", "127.0.0.1", "[::1]"] {
        let with_port = format!("{local}:{port}");
        law(
            asks(Version::HTTP_11, &[local]) && asks(Version::HTTP_11, &[&with_port]),
            "this machine is known by its names",
        )?;
        law(
            !asks(Version::HTTP_11, &[&format!("{local}.example.com")]),
            "a name below another is another",
        )?;
    }
    Ok(())
}

/// What no header can hold is not asked for.
fn asks(version: Version, hosts: &[&str]) -> bool {
    let mut request = Request::new(());
    *request.version_mut() = version;
    for host in hosts {
        let Ok(host) = HeaderValue::from_str(host) else {
            return false;
        };
        request.headers_mut().append(HOST, host);
    }
    names_this_machine(&request)
}

fn leads_here(host: &str) -> bool {
    let Ok(url) = Url::parse(&format!("http://{host}/")) else {
        return false;
    };
    let is_bare = url.path() == "/" && url.username().is_empty() && url.password().is_none();
    is_bare
        && match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
            None => false,
        }
}
