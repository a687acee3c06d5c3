//! Where health checks and metrics are served over HTTP, and to whom.

use std::ffi::OsString;
use std::net::IpAddr;

use super::given::{Lookup, UsageError, name};
use super::{Address, Admin, listen};

impl Lookup<'_> {
    pub(super) fn admin(
        &self,
        typed: Option<OsString>,
        remote: bool,
    ) -> Result<Option<Admin>, UsageError> {
        let given = self.text("admin", typed)?;
        let is_typed = remote;
        let remote = self.switch("admin-allow-remote", remote)?;
        let Some(given) = given else {
            if is_typed {
                return Err(UsageError(format!(
                    "{} is typed, and without --admin nothing is served to anybody: add --admin, or leave it out",
                    name("admin-allow-remote")
                )));
            }
            return Ok(None);
        };
        if !given.value.contains([':', '/']) {
            let is_port = given.value.parse::<u16>().is_ok();
            let port = if is_port { &given.value } else { "PORT" };
            let why = "which is not both a host and a port";
            return Err(given.wrong(why, &format!("write 127.0.0.1:{port}")));
        }
        match listen::address(&given)? {
            Address::Tcp { host, port } if remote || is_of_this_machine(&host) => {
                Ok(Some(Admin { host, port, remote }))
            }
            Address::Tcp { .. } => Err(given.wrong(
                "and other machines could reach it, with nothing to tell who they are",
                "write 127.0.0.1:PORT, or add --admin-allow-remote where only friends are",
            )),
            Address::Unix(_) => Err(given.wrong(
                "and HTTP is served on a TCP port only",
                "write 127.0.0.1:PORT; a unix socket for people is --control",
            )),
        }
    }
}

fn is_of_this_machine(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}
