//! A connection.

use std::io;

use tokio::net::TcpStream;

use crate::supervisor::readiness::Endpoint;

/// Looks up the host and connects to the first of its addresses that accepts.
pub(super) async fn connect(endpoint: &Endpoint) -> Result<TcpStream, String> {
    let connected = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await;
    connected.and_then(accepted).map_err(|error| {
        if error.kind() == io::ErrorKind::ConnectionRefused {
            "connection refused".to_owned()
        } else {
            error.to_string()
        }
    })
}

/// While nobody listens on a port of this machine, the kernel may choose that very port for our
/// end, and then the connection is one with ourselves.
pub(super) fn accepted(stream: TcpStream) -> io::Result<TcpStream> {
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}
