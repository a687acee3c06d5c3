//! A page, by plain HTTP/1.1: no TLS, no proxy, no redirect followed.

use std::error::Error;

use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::{HOST, USER_AGENT};
use hyper_util::rt::TokioIo;

use crate::supervisor::readiness::Page;

use super::tcp;

/// Of an answer, no more than this is read at a time, and its head must fit.
const HEAD_BYTES_MAX: usize = 8 * 1024;

const AGENT: &str = concat!("changeover/", env!("CARGO_PKG_VERSION"));

/// Asks for the page; its body is not read.
pub(super) async fn get(page: &Page) -> Result<(), String> {
    let stream = tcp::connect(&page.endpoint).await?;
    let request = Request::get(&page.path)
        .header(HOST, page.endpoint.to_string())
        .header(USER_AGENT, AGENT)
        .body(String::new())
        .map_err(|error| error.to_string())?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX);
    let (mut sender, connection) = builder
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| no_http(&error))?;
    let answered = async {
        let answer = sender.send_request(request).await;
        answer.map_err(|error| no_http(&error))
    };
    tokio::pin!(connection, answered);
    let answer = tokio::select! {
        answer = &mut answered => answer,
        // Its end, too, is told to the one who waits for the answer.
        _ = &mut connection => answered.await,
    }?;
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(answer.status().as_u16().to_string())
    }
}

fn no_http(error: &hyper::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}"));
    format!("no HTTP ({error}{})", cause.unwrap_or_default())
}
