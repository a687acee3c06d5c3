//! Where the API is: the only origin that ever gets the token.

use std::fmt;

use url::{Host, Url};

use super::error::{SetupError, UrlFault};
use super::{Variables, variable};

const DEFAULT: &str = "https://api.heroku.com";
/// The private API of Heroku Postgres, beside Heroku's own Platform API.
const DATA_HOST: (&str, &str) = ("api.heroku.com", "api.data.heroku.com");
const OPTION: &str = "--api-url (CHANGEOVER_API_URL)";
/// What names another host, as for the Heroku CLI.
pub const HOST_VARIABLE: &str = "HEROKU_HOST";

/// The domains that the Heroku CLI sends a token to.
const HEROKUS_DOMAINS: [&str; 4] = [
    "heroku.com",
    "herokai.com",
    "herokuspace.com",
    "herokudev.com",
];

/// The API's base URL: https, or plain http to this machine. It holds no credentials, query or
/// fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiUrl(Url);

impl ApiUrl {
    /// The value of `--api-url`, else what `HEROKU_HOST` says, else Heroku's own.
    ///
    /// # Errors
    /// When the value cannot be used, or when the token would not be safe there.
    pub fn resolve(option: Option<&str>, variables: &Variables) -> Result<Self, SetupError> {
        if let Some(text) = option {
            return Self::parse(text);
        }
        match variable(variables, HOST_VARIABLE) {
            Some(host) => Self::from_heroku_host(&host.to_string_lossy()),
            None => Self::parse(DEFAULT),
        }
    }

    /// An URL that the user named: any https origin, plain http only to a loopback address.
    ///
    /// # Errors
    /// When it is no such URL.
    pub fn parse(text: &str) -> Result<Self, SetupError> {
        Self::checked(text).map_err(|fault| SetupError::api_url(OPTION, text, fault))
    }

    /// As the Heroku CLI reads it, but with its domains matched on a dot boundary, and an error
    /// where the CLI falls back to the default: a token sent to the wrong place is worse than a
    /// program that does not start.
    fn from_heroku_host(value: &str) -> Result<Self, SetupError> {
        let refused = |fault| SetupError::api_url(HOST_VARIABLE, value, fault);
        let verbatim = value.starts_with("http://") || value.starts_with("https://");
        if !verbatim && Self::checked(&format!("http://{value}")).is_ok() {
            return Err(refused(UrlFault::LoopbackWithoutScheme));
        }
        let text = if verbatim {
            value.to_owned()
        } else {
            format!("https://api.{value}")
        };
        let url = Self::checked(&text).map_err(refused)?;
        if !url.is_loopback() && !url.is_herokus() {
            return Err(refused(UrlFault::NotHerokus));
        }
        Ok(url)
    }

    fn checked(text: &str) -> Result<Self, UrlFault> {
        let url = Url::parse(text).map_err(|_| UrlFault::NotAUrl)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlFault::HoldsCredentials);
        }
        if url.query().is_some() || url.fragment().is_some() || url.host().is_none() {
            return Err(UrlFault::NotAUrl);
        }
        let url = Self(url);
        match url.0.scheme() {
            "https" => Ok(url),
            "http" if url.is_loopback() => Ok(url),
            "http" => Err(UrlFault::PlainHttp),
            _ => Err(UrlFault::NotAUrl),
        }
    }

    /// Whether it leads to this machine: 127.0.0.0/8, `::1`, or exactly `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    /// Host, or host:port: the machine that the Heroku CLI looks up in a netrc.
    #[must_use]
    pub fn machine(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        match self.0.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    pub(super) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// The address of a list of the app's: `config-vars`, `addon-attachments`.
    pub(super) fn of_app(&self, app: &str, list: &str) -> Url {
        self.with_path(&["apps", app, list])
    }

    /// The address of an add-on: what it is, not what it holds.
    pub(super) fn of_addon(&self, addon: &str) -> Url {
        self.with_path(&["addons", addon])
    }

    /// The address of a database's list in Heroku's data API. It is known beside Heroku's own API,
    /// and on this machine, where a simulator has both at one address.
    pub(super) fn of_database(&self, addon: &str, list: &str) -> Option<Url> {
        let mut url = self.with_path(&["client", "v11", "databases", addon, list]);
        let (platform, data) = DATA_HOST;
        if self.0.host_str() == Some(platform) {
            url.set_host(Some(data)).ok()?;
            return Some(url);
        }
        self.is_loopback().then_some(url)
    }

    fn with_path(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    fn is_herokus(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        HEROKUS_DOMAINS.iter().any(|domain| {
            host.strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heroku_host(value: &str) -> Result<String, SetupError> {
        let variables = Variables::from([(HOST_VARIABLE.into(), value.into())]);
        ApiUrl::resolve(None, &variables).map(|url| url.to_string())
    }

    #[test]
    fn the_option_wins_over_the_variable_and_the_default() {
        let variables = Variables::from([(HOST_VARIABLE.into(), "herokudev.com".into())]);
        let resolve = |option| ApiUrl::resolve(option, &variables).unwrap().to_string();
        assert_eq!(
            resolve(Some("https://gateway.corp/heroku")),
            "https://gateway.corp/heroku"
        );
        assert_eq!(resolve(None), "https://api.herokudev.com");
        let default = ApiUrl::resolve(None, &Variables::new()).unwrap();
        assert_eq!(default.to_string(), DEFAULT);
        assert_eq!(heroku_host("").unwrap(), DEFAULT);
    }

    #[test]
    fn heroku_host_leads_to_heroku_or_to_this_machine() {
        for (value, expected) in [
            ("heroku.com", "https://api.heroku.com"),
            ("staging.herokudev.com", "https://api.staging.herokudev.com"),
            ("https://api.HEROKU.com", "https://api.heroku.com"),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("http://127.9.9.9", "http://127.9.9.9"),
            ("http://[::1]:5000", "http://[::1]:5000"),
            ("http://localhost:5000", "http://localhost:5000"),
            ("https://localhost:5000", "https://localhost:5000"),
        ] {
            assert_eq!(heroku_host(value).unwrap(), expected);
        }
    }

    #[test]
    fn a_token_is_not_sent_elsewhere() {
        for value in [
            "localhost.example.com",
            "https://localhost.example.com",
            "http://localhost.example.com",
            "127.0.0.1.example.com",
            "evilheroku.com",
            "heroku.com.evil.example",
            "heroku.com@evil.example",
            "https://heroku.com@evil.example",
            "evil.example/heroku.com",
            "evil.example/.heroku.com",
            "http://api.heroku.com",
            "localhost",
            "127.0.0.1:5000",
            "heroku.com?x",
            "://",
        ] {
            let error = heroku_host(value).unwrap_err().to_string();
            assert!(error.contains("HEROKU_HOST"), "{value}: {error}");
        }
    }

    #[test]
    fn plain_http_leads_to_this_machine_only() {
        for text in [
            "http://10.0.0.1",
            "http://localhost.",
            "http://0.0.0.0:1",
            "http://[::ffff:127.0.0.1]",
            "ftp://127.0.0.1",
            "https://u:p@h",
            "api.heroku.com",
        ] {
            let error = ApiUrl::parse(text).unwrap_err().to_string();
            assert!(error.contains("CHANGEOVER_API_URL"), "{text}: {error}");
        }
    }

    #[test]
    fn the_machine_and_the_address_of_the_config_vars() {
        let url = ApiUrl::parse("http://127.0.0.1:18080").unwrap();
        assert_eq!(url.machine(), "127.0.0.1:18080");
        assert_eq!(ApiUrl::parse(DEFAULT).unwrap().machine(), "api.heroku.com");
        let url = ApiUrl::parse("https://gateway.corp/heroku/").unwrap();
        assert_eq!(
            url.of_app("a/b", "config-vars").as_str(),
            "https://gateway.corp/heroku/apps/a%2Fb/config-vars"
        );
        assert_eq!(
            url.of_addon("a/b").as_str(),
            "https://gateway.corp/heroku/addons/a%2Fb"
        );
    }

    #[test]
    fn the_data_api_is_herokus_or_on_this_machine() {
        for (base, expected) in [
            (DEFAULT, Some("https://api.data.heroku.com")),
            ("http://127.0.0.1:18080", Some("http://127.0.0.1:18080")),
            ("https://gateway.corp/heroku", None),
            ("https://api.heroku.com.evil.example", None),
        ] {
            let found = ApiUrl::parse(base).unwrap().of_database("id", "l");
            let expected = expected.map(|base| format!("{base}/client/v11/databases/id/l"));
            assert_eq!(found.map(String::from), expected);
        }
    }
}
