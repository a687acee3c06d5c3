//! The little language of `--ready`: when a new program counts as serving.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::supervisor::config::Order;
use crate::supervisor::readiness::{Endpoint, Page, Readiness};

use super::given::{self, Given, UsageError};
use super::words::read_duration;
use super::{Address, Run};

const KINDS: &str = "none, notify, fd:N, tcp:HOST:PORT, http://HOST:PORT/PATH or delay:TIME";
/// The first descriptor that is not standard input, output or error, and the last that the start
/// of a program has room for.
const DESCRIPTORS: std::ops::RangeInclusive<i32> = 3..=63;
/// A DNS name is no longer.
const HOST_BYTES_MAX: usize = 253;
const PATH_BYTES_MAX: usize = 1024;

type Text = Given<String>;

/// `none`, `notify`, `fd:N`, `tcp:HOST:PORT`, `http:URL` or `delay:TIME`.
pub(super) fn readiness(given: &Text, watchdog: Option<Duration>) -> Result<Readiness, UsageError> {
    match given.value.split_once(':') {
        None if given.value == "none" => Ok(Readiness::None),
        None if given.value == "notify" => Ok(Readiness::Notify { watchdog }),
        Some(("fd", number)) => descriptor(given, number),
        Some(("tcp", address)) => endpoint(given, address).map(Readiness::Tcp),
        // The kind is `http`, and the URL says so too: one of the two may be left out.
        Some(("http", rest)) => match rest.strip_prefix("http:").unwrap_or(rest) {
            rest if rest.starts_with("//") => page(given, &rest[2..]).map(Readiness::Http),
            rest if rest.starts_with("https:") => Err(encrypted(given)),
            _ => Err(given.wrong(
                "which is no URL",
                "write one such as http://localhost:8080/health",
            )),
        },
        Some(("https", _)) => Err(encrypted(given)),
        Some(("delay", time)) => read_duration(time)
            .map(Readiness::Delay)
            .map_err(|(why, mend)| given.wrong(&why, &mend)),
        None | Some(_) => Err(given.wrong(
            "which this version does not know",
            &format!("write {KINDS}"),
        )),
    }
}

/// Whoever answers at an address is believed, so `--ready` may not ask where a socket of ours
/// answers for somebody else. `whose`: where such a socket comes from.
pub(super) fn check_address<'a>(
    run: &Run,
    mut sockets: impl Iterator<Item = &'a Address>,
    whose: &str,
) -> Result<(), UsageError> {
    let (asked, why) = match (&run.ready.how, run.change.order) {
        (Readiness::Tcp(asked), _) => {
            let why = format!(
                "a socket {whose} accepts connections even while no program runs, so every program would count as serving \
                 at once"
            );
            (asked, why)
        }
        (Readiness::Http(page), Order::StartFirst) => {
            let why = format!(
                "the old program still answers on a socket {whose}, so its answer would be taken for the new one's"
            );
            (&page.endpoint, why)
        }
        // The old program has ended: only the new one can answer.
        (Readiness::Http(_), Order::StopFirst)
        | (Readiness::None | Readiness::Notify { .. } | Readiness::Descriptor(_), _)
        | (Readiness::Delay(_), _) => return Ok(()),
    };
    if !sockets.any(|bound| meets(bound, asked)) {
        return Ok(());
    }
    Err(UsageError(format!(
        "{} asks {asked}, and there {why}: use --ready notify, fd:N or delay:TIME, or ask at an address that is the \
         program's own",
        given::name("ready")
    )))
}

/// Whether what is asked may reach that socket, as far as can be told without looking up names.
fn meets(bound: &Address, asked: &Endpoint) -> bool {
    let Address::Tcp { host, port } = bound else {
        return false;
    };
    let any = |host: &str| {
        let address = host
            .parse()
            .is_ok_and(|address: IpAddr| address.is_unspecified());
        host.is_empty() || address
    };
    let loopback = |host: &str| {
        host.parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
    };
    let local = |host: &str| host.eq_ignore_ascii_case("localhost");
    let same = host.eq_ignore_ascii_case(&asked.host)
        || any(host)
        || any(&asked.host)
        || local(host) && loopback(&asked.host)
        || loopback(host) && local(&asked.host);
    *port == asked.port && same
}

fn encrypted(given: &Text) -> UsageError {
    given.wrong(
        "and readiness is asked without TLS",
        "write a plain http:// URL of the program itself, or tcp:HOST:PORT for its TLS port",
    )
}

fn descriptor(given: &Text, number: &str) -> Result<Readiness, UsageError> {
    let (first, last) = (DESCRIPTORS.start(), DESCRIPTORS.end());
    let mend = format!("write a number from {first} to {last}, such as fd:3");
    match number.parse() {
        Ok(number) if DESCRIPTORS.contains(&number) => Ok(Readiness::Descriptor(number)),
        Ok(0..=2) => {
            let why = "which is the program's standard input, output or error";
            Err(given.wrong(why, &mend))
        }
        Ok(_) | Err(_) => Err(given.wrong("where fd: is followed by no such descriptor", &mend)),
    }
}

/// `HOST:PORT`, an IPv6 address in brackets.
fn endpoint(given: &Text, text: &str) -> Result<Endpoint, UsageError> {
    const MEND: &str = "write one such as tcp:localhost:8080";
    let port = |text: &str| text.parse().ok().filter(|port| *port != 0);
    let Some((host, number)) = text.rsplit_once(':').filter(|(host, _)| !is_cut(host)) else {
        return Err(given.wrong("where the port is missing", MEND));
    };
    let Some(port) = port(number) else {
        return Err(given.wrong("where what follows the last : is no port", MEND));
    };
    match host_name(host) {
        Some(host) => Ok(Endpoint { host, port }),
        None => Err(given.wrong("where no host stands before the port", MEND)),
    }
}

/// Whether what stands before a colon is the beginning of an IPv6 address in brackets.
fn is_cut(host: &str) -> bool {
    host.starts_with('[') && !host.ends_with(']')
}

/// A name or an address that stands by itself, without brackets.
fn host_name(text: &str) -> Option<String> {
    if let Some(address) = text.strip_prefix('[') {
        let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        return Some(address.to_string());
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_name = !text.is_empty() && text.len() <= HOST_BYTES_MAX && text.chars().all(fits);
    is_name.then(|| text.to_owned())
}

/// What follows `http://`.
fn page(given: &Text, text: &str) -> Result<Page, UsageError> {
    const MEND: &str = "write one such as http://localhost:8080/health";
    let begin = text.find(['/', '?', '#']).unwrap_or(text.len());
    let (authority, path) = text.split_at(begin);
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(host, _)| !is_cut(host));
    let endpoint = if has_port {
        endpoint(given, authority)?
    } else {
        let host = host_name(authority);
        let host = host.ok_or_else(|| given.wrong("where the host is missing", MEND))?;
        Endpoint { host, port: 80 }
    };
    let slash = if path.starts_with('/') { "" } else { "/" };
    let path = format!("{slash}{path}");
    let fits = |c: char| c.is_ascii_graphic() && c != '#';
    if path.len() > PATH_BYTES_MAX || !path.chars().all(fits) {
        return Err(given.wrong(
            "whose path cannot be asked for as it stands",
            "write it without a # part, and with %20 and its like for what is not plain ASCII",
        ));
    }
    Ok(Page { endpoint, path })
}
