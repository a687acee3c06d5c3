//! An address that leads to a server, and to another one when a test says so: what a name, a
//! balancer or a virtual address is to a client.

use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A relay on this machine. It ends with the test process.
pub(crate) struct Relay {
    pub(crate) port: u16,
    leads: Arc<Mutex<Leads>>,
}

struct Leads {
    to: u16,
    open: Vec<TcpStream>,
}

impl Relay {
    /// It leads to this port.
    pub(crate) fn to(port: u16) -> Self {
        Self::at("127.0.0.1:0", port)
    }

    /// The same, at this address.
    pub(crate) fn at(address: &str, port: u16) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let relay = Self {
            port: listener.local_addr().unwrap().port(),
            leads: Arc::new(Mutex::new(Leads {
                to: port,
                open: Vec::new(),
            })),
        };
        let leads = Arc::clone(&relay.leads);
        thread::spawn(move || {
            for client in listener.incoming() {
                pass_on(client.unwrap(), &leads);
            }
        });
        relay
    }

    /// It leads there from now on; what is open is cut off.
    pub(crate) fn lead_to(&self, port: u16) {
        let mut leads = self.leads.lock().unwrap();
        leads.to = port;
        for open in leads.open.drain(..) {
            // It may be closed by now.
            let _ = open.shutdown(Shutdown::Both);
        }
    }
}

fn pass_on(client: TcpStream, leads: &Mutex<Leads>) {
    let mut leads = leads.lock().unwrap();
    let Ok(server) = TcpStream::connect(("127.0.0.1", leads.to)) else {
        return;
    };
    for (mut from, mut to) in [
        (client.try_clone().unwrap(), server.try_clone().unwrap()),
        (server.try_clone().unwrap(), client.try_clone().unwrap()),
    ] {
        thread::spawn(move || {
            // However it ends, it has ended.
            let _ = copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    leads.open.extend([client, server]);
}
