//! A postgres URL in `tokio-postgres`'s words.
//!
//! Its own parser is not used: it takes the first `@` for the end of the password, adds what
//! `host=` and `port=` name to the hosts instead of putting it in their place, and refuses
//! parameters that it does not know. Ours is held against libpq's (`tests/it/libpq.rs`).

use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::ChannelBinding;

use crate::credential::DatabaseUrl;

/// libpq's own, for a host that none is named for.
const PORT: u16 = 5432;

/// Where the URL leads, and as whom. What it says about pools, files and times is left out: a
/// single login has no use for that.
pub(super) fn config(url: &DatabaseUrl) -> Result<Config, String> {
    let said = url.settings();
    let mut config = Config::new();
    config.application_name("changeover");
    for host in list(said.host.as_deref()) {
        if host.is_empty() {
            return Err("one of the URL's hosts has no name".to_owned());
        }
        config.host(host);
    }
    for port in list(said.port.as_deref()) {
        config.port(self::port(port)?);
    }
    // Without a host, the address stands in its place already.
    let addresses =
        parameter(url, "hostaddr").filter(|address| said.host.as_ref() != Some(address));
    for address in list(addresses.as_deref()) {
        let address: IpAddr = address.parse().map_err(|_| "its hostaddr is no address")?;
        config.hostaddr(address);
    }
    if config.get_hosts().is_empty() {
        return Err("the URL names no host".to_owned());
    }
    let Some(user) = said.user.as_deref() else {
        return Err("the URL names no user".to_owned());
    };
    config.user(text(user)?);
    if let Some(password) = url.password_bytes() {
        config.password(&*password);
    }
    if let Some(database) = said.database.as_deref() {
        config.dbname(text(database)?);
    }
    if let Some(options) = parameter(url, "options") {
        config.options(text(&options)?);
    }
    if let Some(binding) = parameter(url, "channel_binding") {
        config.channel_binding(channel_binding(&binding)?);
    }
    Ok(config)
}

fn parameter(url: &DatabaseUrl, name: &str) -> Option<String> {
    let value = url.parameter(name).filter(|value| !value.is_empty())?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

fn list(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.into_iter().flat_map(|text| text.split(','))
}

fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        _ if text.is_empty() => Ok(PORT),
        Ok(number) if number > 0 => Ok(number),
        Ok(_) | Err(_) => Err("its port is not a number from 1 to 65535".to_owned()),
    }
}

/// What is no UTF-8 was replaced: another role, or another database.
fn text(decoded: &str) -> Result<&str, String> {
    if decoded.contains(char::REPLACEMENT_CHARACTER) {
        return Err("the URL's user, database or options are not UTF-8".to_owned());
    }
    Ok(decoded)
}

fn channel_binding(text: &str) -> Result<ChannelBinding, String> {
    Ok(match text {
        "disable" => ChannelBinding::Disable,
        "prefer" => ChannelBinding::Prefer,
        "require" => ChannelBinding::Require,
        _ => return Err("its channel_binding is none that libpq knows".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;
    use tokio_postgres::config::Host;

    use super::*;

    fn read(url: &str) -> Result<Config, String> {
        config(&DatabaseUrl::parse(url).unwrap())
    }

    /// Hosts, ports, user, password, database.
    type Shown = (
        Vec<Host>,
        Vec<u16>,
        Option<String>,
        Option<Vec<u8>>,
        Option<String>,
    );

    fn shown(config: &Config) -> Shown {
        (
            config.get_hosts().to_vec(),
            config.get_ports().to_vec(),
            config.get_user().map(str::to_owned),
            config.get_password().map(<[u8]>::to_vec),
            config.get_dbname().map(str::to_owned),
        )
    }

    fn tcp(host: &str) -> Host {
        Host::Tcp(host.to_owned())
    }

    #[test]
    fn a_parameter_takes_the_place_of_the_part_that_it_names() {
        let all = "postgres://u:p@h:1/d?host=x,y&port=2,&user=v&password=q%40&dbname=e&pool=5&flag";
        let (hosts, ports, user, password, database) = shown(&read(all).unwrap());
        assert_eq!(hosts, [tcp("x"), tcp("y")]);
        assert_eq!(ports, [2, 5432]);
        assert_eq!(user.as_deref(), Some("v"));
        assert_eq!(password.as_deref(), Some(&b"q@"[..]));
        assert_eq!(database.as_deref(), Some("e"));
        let config = read("postgres://u:a@b@h/d@x?options=-c%20a&channel_binding=require").unwrap();
        let (hosts, ports, _, password, database) = shown(&config);
        assert_eq!((hosts, ports), (vec![tcp("h")], Vec::new()));
        assert_eq!(password.as_deref(), Some(&b"a@b"[..]));
        assert_eq!(database.as_deref(), Some("d@x"));
        assert_eq!(config.get_options(), Some("-c a"));
        assert_eq!(config.get_channel_binding(), ChannelBinding::Require);
        assert_eq!(config.get_connect_timeout(), None::<&Duration>);
    }

    #[test]
    fn sockets_and_addresses() {
        let hosts = |url: &str| read(url).unwrap().get_hosts().to_vec();
        let socket = [Host::Unix("/run/postgresql".into())];
        assert_eq!(hosts("postgres://u@/d?host=/run/postgresql"), socket);
        assert_eq!(hosts("postgres://u@%2Frun%2Fpostgresql/d"), socket);
        assert_eq!(hosts("postgres://u@[::1]:5432/d"), [tcp("::1")]);
        // Without a host it is the name that TLS goes by, too.
        let alone = read("postgres://u@/d?hostaddr=192.0.2.1").unwrap();
        assert_eq!(alone.get_hosts(), [tcp("192.0.2.1")]);
        assert!(alone.get_hostaddrs().is_empty());
        let both = read("postgres://u@h/d?hostaddr=192.0.2.1").unwrap();
        assert_eq!(both.get_hosts(), [tcp("h")]);
        assert_eq!(
            both.get_hostaddrs(),
            ["192.0.2.1".parse::<IpAddr>().unwrap()]
        );
    }

    #[test]
    fn a_password_is_bytes_and_the_rest_is_text() {
        let (.., password, _) = shown(&read("postgres://u:%FFx@h/d").unwrap());
        assert_eq!(password.as_deref(), Some(&b"\xffx"[..]));
        for url in ["postgres://%FF@h/d", "postgres://u@h/%FF"] {
            let why = "the URL's user, database or options are not UTF-8";
            assert_eq!(read(url).unwrap_err(), why);
        }
    }

    #[test]
    fn what_no_login_can_use() {
        for url in [
            "postgres://:SECRET@h/d",
            "postgres://u:SECRET@h/d?user=",
            "postgres://u:SECRET@h/d?port=SECRET",
            "postgres://u:SECRET@h/d?port=0",
            "postgres://u:SECRET@h/d?host=",
            "postgres://u:SECRET@h/d?host=a,,b",
            "postgres://u:SECRET@h/d?hostaddr=SECRET",
            "postgres://u:SECRET@h/d?channel_binding=SECRET",
        ] {
            let why = read(url).unwrap_err();
            assert!(!why.contains("SECRET"), "{url}: {why}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// However a part is spelled, it is what it was; and a login is tried with just that.
        #[test]
        fn what_is_written_is_what_is_read(
            user in "[^\0\u{FFFD}]{1,8}",
            password in "[^\0]{1,12}",
            database in "[^\0\u{FFFD}]{1,8}",
            hosts in prop::collection::vec(("[a-z][a-z0-9.-]{0,8}", 1..=u16::MAX), 1..4),
            are_parameters in any::<bool>(),
        ) {
            let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let (user_, password_) = (encode(&user), encode(&password));
            let database_ = encode(&database);
            let url = if are_parameters {
                let (names, ports): (Vec<_>, Vec<_>) =
                    hosts.iter().map(|(host, port)| (host.clone(), port.to_string())).unzip();
                format!(
                    "postgres://x:y@z:1/w?dbname={database_}&port={}&user={user_}&host={}\
                     &password={password_}",
                    ports.join(","),
                    names.join(","),
                )
            } else {
                let hosts: Vec<_> =
                    hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect();
                format!("postgres://{user_}:{password_}@{}/{database_}", hosts.join(","))
            };
            let (names, ports): (Vec<_>, Vec<_>) =
                hosts.iter().map(|(host, port)| (tcp(host), *port)).unzip();
            let expected = (
                names,
                ports,
                Some(user),
                Some(password.into_bytes()),
                Some(database),
            );
            prop_assert_eq!(shown(&read(&url).unwrap()), expected);
        }
    }
}
