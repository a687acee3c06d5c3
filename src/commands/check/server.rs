//! What a database's server says: from its name to the connections that it has left.

use std::net::IpAddr;

use crate::credential::{SslMode, phrase};
use crate::exit_code::ExitCode;
use crate::postgres::{
    Distrust, Encryption, Entry, Host, Inspection, Login, Mode, Obstacle, Place, Reached,
    SelfReport, Slots, Verified,
};

use super::report::{Name, Verdict};

type Lines = Vec<(Name, Verdict)>;

/// All the lines of this file, in order.
const NAMES: [Name; 6] = [
    Name::Dns,
    Name::Tcp,
    Name::Tls,
    Name::Login,
    Name::Writable,
    Name::Slots,
];

/// A database, for the words of what to do about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    pub(super) app: &'a str,
    /// The add-on, where there is one.
    pub(super) addon: Option<&'a str>,
    /// The add-on's plan, as far as it was asked for.
    pub(super) plan: Option<&'a str>,
    /// The program gets it as its `DATABASE_URL`.
    pub(super) is_main: bool,
    /// A pool stands before the server, and has limits of its own.
    pub(super) is_pooled: bool,
    /// Whether the program's own client is told to encrypt.
    pub(super) insists: Insists,
}

/// Whether a client would do without TLS, as far as the URL and the environment say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Insists {
    No,
    OnTls,
}

impl Insists {
    pub(super) fn of(sslmode: Option<SslMode>) -> Self {
        match sslmode {
            Some(SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull) => Self::OnTls,
            Some(SslMode::Disable | SslMode::Allow | SslMode::Prefer) | None => Self::No,
        }
    }
}

/// What a look came to.
pub(super) fn lines(about: About<'_>, inspection: &Inspection) -> Lines {
    let mut lines = vec![(Name::Dns, dns(about, &inspection.hosts))];
    let Some(reached) = &inspection.reached else {
        return behind(lines, Name::Dns);
    };
    lines.push((Name::Tcp, tcp(about, &inspection.hosts, reached)));
    let Some(entry) = &inspection.entry else {
        return behind(lines, Name::Tcp);
    };
    let is_here = inspection.hosts.iter().all(is_on_this_machine);
    let tls = tls(entry, is_here.then_some(about.insists));
    let is_encrypted = !matches!(tls, Verdict::Failed { .. });
    lines.push((Name::Tls, tls));
    if !is_encrypted {
        return behind(lines, Name::Tls);
    }
    if let Login::Unreachable {
        why: Obstacle::Full(message),
    } = &entry.login
    {
        let mend = "end connections that nobody needs, make pools smaller, or take a larger plan; \
            `heroku pg:ps` shows who is connected";
        let why = "the server has no connection left to say it on";
        lines.push((Name::Login, Verdict::unknown(why)));
        lines.push((Name::Writable, Verdict::Behind(Name::Slots)));
        let found = format!("53300: no connection is left ({})", phrase(message));
        lines.push((Name::Slots, Verdict::away(found, mend)));
        return lines;
    }
    lines.push((Name::Login, login(about, &entry.login)));
    let Some(server) = &entry.server else {
        return behind(lines, Name::Login);
    };
    lines.push((Name::Writable, writable(about, server)));
    lines.push((Name::Slots, slots(about, server)));
    lines
}

/// The same names, when nobody looks: why.
pub(super) fn not_looked(why: &str) -> Lines {
    NAMES
        .map(|name| (name, Verdict::unknown(why)))
        .into_iter()
        .collect()
}

/// The rest was not looked at.
fn behind(mut lines: Lines, failed: Name) -> Lines {
    let rest = NAMES.iter().skip(lines.len());
    lines.extend(rest.map(|name| (*name, Verdict::Behind(failed))));
    lines
}

fn dns(about: About<'_>, hosts: &[Host]) -> Verdict {
    let told = hosts.iter().map(|host| {
        let name = phrase(&host.name);
        match &host.place {
            Place::SocketFile(_) => format!("{name} is a socket's directory"),
            Place::Address(ip) if ip.to_string() == host.name => {
                format!("{name} is an address itself")
            }
            Place::Address(ip) => format!("{name} is {ip}, says the URL"),
            Place::Name(Ok(found)) => format!("{name} is {}", listed(found)),
            Place::Name(Err(why)) => format!("{name}: {why}"),
        }
    });
    let told = told.collect::<Vec<_>>().join("; ");
    if hosts.iter().any(Host::leads_somewhere) {
        return Verdict::Good(told);
    }
    let is_silent = |host: &Host| host.place == Place::Name(Err(Obstacle::ResolverSilent));
    if hosts.iter().any(is_silent) {
        let mend = "see /etc/resolv.conf, and whether this machine reaches its name servers";
        return Verdict::away(told, mend);
    }
    let mend = format!(
        "see what `heroku pg:info -a {}` says: a database that was destroyed or replaced loses its name",
        about.app
    );
    Verdict::wrong(told, mend)
}

fn listed(addresses: &[IpAddr]) -> String {
    const ADDRESSES_MAX: usize = 4;
    let shown = addresses.iter().take(ADDRESSES_MAX);
    let mut shown: Vec<_> = shown.map(IpAddr::to_string).collect();
    if addresses.len() > ADDRESSES_MAX {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

fn tcp(about: About<'_>, hosts: &[Host], reached: &Reached) -> Verdict {
    let failed = match reached {
        Ok(place) => return Verdict::good(format!("somebody listens at {}", phrase(place))),
        Err(failed) => failed,
    };
    let told = failed
        .iter()
        .map(|(place, why)| format!("{}: {why}", phrase(place)));
    let found = told.collect::<Vec<_>>().join("; ");
    let is_silent = failed
        .iter()
        .any(|(_, why)| !matches!(why, Obstacle::ConnectionRefused));
    let plan = about.plan.filter(|plan| is_private(plan));
    match plan {
        Some(plan) => {
            let found = format!(
                "{found}. The plan is {}: such a database answers its own space, and from outside only those whom it \
                 trusts",
                phrase(plan)
            );
            Verdict::wrong(found, trust(about))
        }
        None if is_silent && hosts.iter().any(leads_inside) => {
            let found = format!(
                "{found}. That is a private network's address, which answers inside that network only"
            );
            Verdict::wrong(found, trust(about))
        }
        None if hosts.iter().all(is_a_file) => {
            let mend = "see that the server runs on this machine, and where its socket is";
            Verdict::away(found, mend)
        }
        None if is_silent => {
            let mend = format!(
                "see whether a firewall here lets that out{}; a host that was replaced is silent, too, and then the \
                 config var is about to change",
                hosts.first().map(knock).unwrap_or_default()
            );
            Verdict::away(found, mend)
        }
        None => {
            let app = about.app;
            let mend = format!(
                "the server is down, or the port is not its own: `heroku pg:info -a {app}` tells"
            );
            Verdict::away(found, mend)
        }
    }
}

fn knock(host: &Host) -> String {
    format!(" (`nc -vz {} {}`)", phrase(&host.name), host.port)
}

/// Private and Shield plans.
fn is_private(plan: &str) -> bool {
    let name = plan.rsplit(':').next().unwrap_or_default();
    name.starts_with("private-") || name.starts_with("shield-")
}

/// How a private database is reached.
fn trust(about: About<'_>) -> String {
    let addon = about.addon.unwrap_or("ADDON");
    format!(
        "run this inside the space, or let this machine's address in: `heroku data:mtls:ip-rules {addon} -a {}` shows \
         whom it trusts (from `heroku plugins:install @heroku-cli/plugin-mtls`)",
        about.app
    )
}

fn leads_inside(host: &Host) -> bool {
    let is_inside = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_private(),
        IpAddr::V6(ip) => ip.is_unique_local(),
    };
    match &host.place {
        Place::SocketFile(_) => false,
        Place::Address(ip) => is_inside(ip),
        Place::Name(found) => found.iter().flatten().any(is_inside),
    }
}

fn is_a_file(host: &Host) -> bool {
    matches!(host.place, Place::SocketFile(_))
}

fn is_on_this_machine(host: &Host) -> bool {
    match &host.place {
        Place::SocketFile(_) => true,
        Place::Address(ip) => ip.is_loopback(),
        Place::Name(found) => found.iter().flatten().all(IpAddr::is_loopback),
    }
}

/// `here`: what the program's client does, when the server is on this machine.
fn tls(entry: &Entry, here: Option<Insists>) -> Verdict {
    match &entry.encryption {
        Encryption::Tls => Verdict::good(match entry.verified {
            Verified::Nothing => {
                "encrypted; the certificate is not verified (Heroku's have signed themselves)"
            }
            Verified::Authority => "encrypted; a known authority has signed the certificate",
            Verified::AuthorityAndName => {
                "encrypted; a known authority has signed the certificate, and it is this host's"
            }
        }),
        Encryption::Plain if here == Some(Insists::No) => {
            Verdict::good("not encrypted, and on this machine")
        }
        Encryption::Plain if here == Some(Insists::OnTls) => Verdict::advice(
            "not encrypted, and on this machine; but the program is told sslmode require, and clients such as libpq \
             refuse a server without TLS then",
            "for this server, `--sslmode keep`, or sslmode=disable in the URL",
        ),
        Encryption::Plain => Verdict::advice(
            "not encrypted: the password and all data can be read on the way",
            "let sslmode be require: `--sslmode require`, or sslmode=require in the URL",
        ),
        Encryption::Failed(why) => Verdict::wrong(why.to_string(), mend_tls(why)),
        Encryption::Unclear => Verdict::unknown("it did not come to that"),
    }
}

fn mend_tls(why: &Obstacle) -> &'static str {
    match why {
        Obstacle::NoTls => {
            "sslmode asks for TLS, and this server has none (Heroku's have): see that HOST and PORT are the \
             database's own; for another server, sslmode=disable"
        }
        Obstacle::Certificate(Distrust::UnknownIssuer) => {
            "Heroku's certificates have signed themselves, so verify-ca and verify-full need the right authority in \
             sslrootcert; without one, sslmode=require"
        }
        Obstacle::Certificate(Distrust::WrongName) => {
            "the URL must have the name that is on the certificate; with sslmode=verify-ca the name does not matter"
        }
        Obstacle::Certificate(Distrust::Expired | Distrust::NotYetValid) => {
            "see that this machine's clock is right (`date`); if it is, the server needs another certificate"
        }
        Obstacle::NotTried(_) => "name a file with sslrootcert that changeover can read",
        Obstacle::Certificate(Distrust::Other(_))
        | Obstacle::Handshake(_)
        | Obstacle::NameNotFound
        | Obstacle::ResolverSilent
        | Obstacle::ConnectionRefused
        | Obstacle::NoAnswer(_)
        | Obstacle::Full(_)
        | Obstacle::NotServing { .. }
        | Obstacle::ServerError { .. }
        | Obstacle::Other(_) => {
            "TLS 1.2 or newer is needed; see what stands between here and the server"
        }
    }
}

fn login(about: About<'_>, login: &Login) -> Verdict {
    let app = about.app;
    match login {
        Login::Accepted => Verdict::good("the database lets us in"),
        Login::Refused { code } => {
            let (what, mend) = match code.as_str() {
                "28P01" => (
                    "the password is wrong, or there is no such user",
                    format!(
                        "`heroku pg:credentials -a {app}` shows whether a rotation is under way; if none is, it was \
                         set by hand: attach the add-on again"
                    ),
                ),
                "28000" => (
                    "this user is not admitted from here, or not in this way",
                    "see that the user exists, and that sslmode is what the server wants"
                        .to_owned(),
                ),
                "3D000" => (
                    "there is no such database",
                    format!("compare the URL's last part with `heroku pg:info -a {app}`"),
                ),
                _ => (
                    "this user may not use this database",
                    format!("`heroku pg:credentials -a {app}` shows who may"),
                ),
            };
            Verdict::wrong(format!("{}: {what}", phrase(code)), mend)
        }
        Login::Unreachable { why } => {
            let mend = match why {
                Obstacle::NotServing { .. } => "the server is starting or stopping: try again",
                Obstacle::NotTried(_) => "write the URL as libpq reads it",
                Obstacle::NameNotFound
                | Obstacle::ResolverSilent
                | Obstacle::ConnectionRefused
                | Obstacle::NoAnswer(_)
                | Obstacle::NoTls
                | Obstacle::Certificate(_)
                | Obstacle::Handshake(_)
                | Obstacle::Full(_)
                | Obstacle::ServerError { .. }
                | Obstacle::Other(_) => {
                    "try again; if it stays, see that a Postgres server is what listens there"
                }
            };
            Verdict::away(why.to_string(), mend)
        }
    }
}

fn writable(about: About<'_>, server: &SelfReport) -> Verdict {
    let (app, addon) = (about.app, about.addon.unwrap_or("ADDON"));
    let (found, mend) = match &server.mode {
        Ok(Mode::ReadWrite) => return Verdict::good("the server takes writes"),
        Ok(Mode::Standby) => (
            "the server is a standby, and takes no writes",
            format!(
                "follow the leader: `heroku pg:info -a {app}` names it; or make this one a database of its own: \
                 `heroku pg:unfollow {addon} -a {app}`"
            ),
        ),
        Ok(Mode::ReadOnly) => (
            "the server takes no writes from this user: default_transaction_read_only is on",
            format!("Heroku does that during maintenance: `heroku pg:info -a {app}` tells"),
        ),
        Err(why) => return Verdict::unknown(format!("the server does not say ({why})")),
    };
    if about.is_main {
        return Verdict::wrong(found, mend);
    }
    Verdict::advice(
        found,
        format!("nothing, if it is only read from; else {mend}"),
    )
}

fn slots(about: About<'_>, server: &SelfReport) -> Verdict {
    if about.is_pooled {
        let why = "a connection pool stands before the server, and its own limit counts";
        return Verdict::unknown(why);
    }
    let slots = match &server.slots {
        Ok(slots) => slots,
        Err(why) => return Verdict::unknown(format!("the server does not say ({why})")),
    };
    let (left, needed) = (slots.left(), needed(slots));
    let found = format!(
        "{left} of {} connections are left; this user has {}",
        slots.limit(),
        slots.used_by_role
    );
    if left >= needed {
        return Verdict::Good(found);
    }
    let mend = format!(
        "a start-first change needs as many again as the program has, and a login check one: {needed} in all, and \
         with --watch-connection one more. Make pools smaller, keep --order stop-first, or take a larger plan"
    );
    if left == 0 {
        let code = ExitCode::NoAnswer;
        return Verdict::Failed { found, mend, code };
    }
    Verdict::Advice { found, mend }
}

/// A second program beside the first, and a login check. Where there is no first one yet, one
/// connection is what any program needs.
fn needed(slots: &Slots) -> u32 {
    slots.used_by_role.max(1) + 1
}
