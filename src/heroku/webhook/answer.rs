//! The answer to one request: 204 to a webhook that is signed with the secret.

use std::future::poll_fn;
use std::pin::pin;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::body::{Body, Bytes};
use hyper::header::{ALLOW, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use sha2::Sha256;

use crate::credential::Secret;

use super::Delivery;
use super::secret::SecretFile;

/// Where webhooks are posted to.
pub const PATH: &str = "/webhook";

pub(in crate::heroku) const SIGNATURE: &str = "heroku-webhook-hmac-sha256";
const BODY_BYTES_MAX: usize = 64 * 1024;
/// What is longer is read up to here and thrown away: whoever still sends would see no answer.
const READ_BYTES_MAX: usize = 1024 * 1024;

/// Why a body is not there.
enum NoBody {
    TooLong,
    CutOff,
}

/// What to answer, and what came.
pub(super) async fn to<B: Body<Data = Bytes>>(
    request: Request<B>,
    secret: &SecretFile,
) -> (Response<String>, Delivery) {
    let (head, body) = request.into_parts();
    let body = read(body).await;
    let (status, delivery) = if head.uri.path() != PATH {
        other(StatusCode::NOT_FOUND)
    } else if head.method != Method::POST {
        other(StatusCode::METHOD_NOT_ALLOWED)
    } else {
        match body {
            Ok(body) => judge(&head.headers, &body, secret).await,
            Err(NoBody::TooLong) => other(StatusCode::PAYLOAD_TOO_LARGE),
            Err(NoBody::CutOff) => other(StatusCode::BAD_REQUEST),
        }
    };
    let mut response = Response::new(String::new());
    *response.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = HeaderValue::from_static("POST");
        response.headers_mut().insert(ALLOW, allowed);
    }
    (response, delivery)
}

fn other(status: StatusCode) -> (StatusCode, Delivery) {
    (status, Delivery::Other(status.as_u16()))
}

async fn judge(head: &HeaderMap, body: &[u8], secret: &SecretFile) -> (StatusCode, Delivery) {
    let unsigned = |status, why| (status, Delivery::Unsigned(why));
    if only(head).is_none() {
        return unsigned(StatusCode::UNAUTHORIZED, "has no signature");
    }
    let secret = match secret.read().await {
        Ok(secret) => secret,
        Err(why) => return (StatusCode::SERVICE_UNAVAILABLE, Delivery::Undecided(why)),
    };
    if believes(head, body, &secret) {
        (StatusCode::NO_CONTENT, Delivery::Valid)
    } else {
        unsigned(StatusCode::FORBIDDEN, "is not signed with this secret")
    }
}

/// Whether it is signed with the secret.
pub(in crate::heroku) fn believes(head: &HeaderMap, body: &[u8], secret: &Secret) -> bool {
    only(head).is_some_and(|signature| is_signed(body, signature, secret))
}

/// Of two signatures nobody can tell which one counts.
fn only(head: &HeaderMap) -> Option<&HeaderValue> {
    let mut all = head.get_all(SIGNATURE).iter();
    let first = all.next();
    first.filter(|_| all.next().is_none())
}

/// Compared in constant time: how much of a guess is right shows in nothing.
fn is_signed(body: &[u8], signature: &HeaderValue, secret: &Secret) -> bool {
    let Ok(signature) = BASE64_STANDARD.decode(signature) else {
        return false;
    };
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
        return false;
    };
    mac.chain_update(body).verify_slice(&signature).is_ok()
}

async fn read<B: Body<Data = Bytes>>(body: B) -> Result<Vec<u8>, NoBody> {
    let mut body = pin!(body);
    let (mut bytes, mut length) = (Vec::new(), 0);
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|_| NoBody::CutOff)?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length += data.len();
        if length > READ_BYTES_MAX {
            break;
        }
        if length <= BODY_BYTES_MAX {
            bytes.extend_from_slice(&data);
        }
    }
    if length > BODY_BYTES_MAX {
        return Err(NoBody::TooLong);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test cases 1 and 2.
    #[test]
    fn known_signatures() {
        for (secret, body, signature) in [
            (
                "\u{b}".repeat(20),
                "Hi There",
                "sDRMYdjbOFNcqK/OrwvxK4gdwgDJgz2nJuk3bC4yz/c=",
            ),
            (
                "Jefe".to_owned(),
                "what do ya want for nothing?",
                "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=",
            ),
        ] {
            let secret = Secret::new(secret);
            let signed = |body: &str, signature: &str| {
                let signature = HeaderValue::from_str(signature).unwrap();
                is_signed(body.as_bytes(), &signature, &secret)
            };
            assert!(signed(body, signature));
            assert!(!signed(&format!("{body} "), signature));
            for wrong in [
                "",
                "=",
                &signature[4..],
                &signature[..40],
                &format!("{signature}AAAA"),
                &signature.to_lowercase(),
                &format!("sha256={signature}"),
            ] {
                assert!(!signed(body, wrong), "{wrong}");
            }
            let other = Secret::from("other");
            let signature = HeaderValue::from_str(signature).unwrap();
            assert!(!is_signed(body.as_bytes(), &signature, &other));
        }
    }

    #[test]
    fn of_two_signatures_none_counts() {
        let mut head = HeaderMap::new();
        assert!(only(&head).is_none());
        head.append(SIGNATURE, HeaderValue::from_static("a"));
        assert_eq!(only(&head).unwrap(), "a");
        head.append(SIGNATURE, HeaderValue::from_static("a"));
        assert!(only(&head).is_none());
    }

    #[tokio::test]
    async fn a_body_has_a_length_that_it_does_not_exceed() {
        let of = |length| read("x".repeat(length));
        assert_eq!(
            of(BODY_BYTES_MAX).await.ok().map(|body| body.len()),
            Some(BODY_BYTES_MAX)
        );
        for length in [BODY_BYTES_MAX + 1, READ_BYTES_MAX + 1] {
            assert!(matches!(of(length).await, Err(NoBody::TooLong)));
        }
    }
}
