//! The app's attachments, page by page, and what is no list of them.

use changeover::credential::{Fault, Followed};
use changeover::heroku::{Answer, Client, FetchError};

use super::{BODY, options, snapshot, with_key};
use crate::support::canned::{Canned, Reply};

const PARTIAL: &str = "206 Partial Content";

fn one(number: u32, name: &str) -> String {
    format!(
        r#"[{{"id":"{number}","name":"{name}","namespace":null,"created_at":"2026-01-0{number}",
            "addon":{{"id":"a{number}","name":"postgresql-{number}","app":{{"name":"elsewhere"}}}}}}]"#
    )
}

async fn followed(name: &str, replies: Vec<Reply>) -> (Result<Answer, FetchError>, Canned) {
    let server = Canned::start(replies).await;
    let mut options = options(&format!("http://127.0.0.1:{}", server.port), with_key());
    options.selection.watched.clear();
    options.selection.databases.push(Followed {
        name: name.to_owned(),
        export_as: "DATABASE_URL".to_owned(),
    });
    let answer = Client::new(options).unwrap().config_vars(None).await;
    (answer, server)
}

#[tokio::test]
async fn all_pages_are_read_and_none_with_a_tag() {
    let config_vars = Reply::answer("200 OK", "Etag: \"abc\"\r\n", BODY);
    let range = "Next-Range: id ]1..; max=200\r\n";
    let (answer, server) = followed(
        "postgresql-2",
        vec![
            config_vars.clone(),
            Reply::answer(PARTIAL, range, &one(1, "OTHER")),
            Reply::answer(PARTIAL, "", &one(2, "DATABASE")),
            config_vars,
        ],
    )
    .await;
    let answer = answer.unwrap();
    let value = snapshot(&answer).watched["postgresql-2"].as_ref().unwrap();
    assert_eq!(value.expose(), "postgres://u:p@h/d");
    assert_eq!(snapshot(&answer).watched.len(), 1);
    let requests = server.requests();
    let lines: Vec<_> = requests
        .iter()
        .filter_map(|one| one.lines().next())
        .collect();
    let (vars, list) = (
        "GET /apps/myapp/config-vars HTTP/1.1",
        "GET /apps/myapp/addon-attachments HTTP/1.1",
    );
    assert_eq!(lines, [vars, list, list, vars]);
    assert!(!requests[1].contains("range:"), "{}", requests[1]);
    assert!(
        requests[2].contains("range: id ]1..; max=200\r\n"),
        "{}",
        requests[2]
    );
    assert!(requests.iter().all(|one| !one.contains("if-none-match")));
}

#[tokio::test]
async fn what_is_no_list_of_attachments_is_no_answer() {
    for (status, body, part) in [
        ("200 OK", "{}", "not a list of attachments"),
        ("200 OK", "", "200 (empty)"),
        ("200 OK", "[{\"id\":\"1\"}]", "not a list of attachments"),
        (
            "503 Service Unavailable",
            "<html>",
            "503 (HTML) for addon-attachments",
        ),
        ("304 Not Modified", "", "304 to a request without a tag"),
    ] {
        let replies = vec![
            Reply::answer("200 OK", "", BODY),
            Reply::answer(status, "", body),
        ];
        let (answer, _server) = followed("DATABASE", replies).await;
        let error = answer.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn pages_without_end_are_given_up() {
    let range = "Next-Range: id ]1..; max=200\r\n";
    let endless = Reply::answer(PARTIAL, range, &one(1, "OTHER"));
    let replies = vec![Reply::answer("200 OK", "", BODY), endless];
    let (answer, server) = followed("DATABASE", replies).await;
    let error = answer.unwrap_err().to_string();
    assert!(error.contains("more attachments"), "{error}");
    assert_eq!(server.requests().len(), 21);
}

#[tokio::test]
async fn add_ons_that_never_stay_are_no_answer_and_one_that_is_nowhere_is_missing() {
    // The value behind the name is another one with each answer.
    let config_vars = |number: u32| {
        let body = format!(r#"{{"A_URL":"postgres://u:p@h/{number}"}}"#);
        Reply::answer("200 OK", "", &body)
    };
    let list = |number: u32, name| Reply::answer("200 OK", "", &one(number, name));
    let replies = vec![config_vars(1), list(1, "A"), config_vars(1)];
    let (answer, _server) = followed("postgresql-1", replies).await;
    assert!(snapshot(&answer.unwrap()).watched["postgresql-1"].is_ok());
    let replies = vec![
        config_vars(1),
        list(1, "A"),
        config_vars(2),
        list(1, "B"),
        config_vars(3),
        list(1, "A"),
        config_vars(3),
    ];
    let (answer, _server) = followed("postgresql-1", replies).await;
    let error = answer.unwrap_err().to_string();
    assert!(error.contains("being attached and detached"), "{error}");
    let (answer, _server) = followed("postgresql-9", vec![config_vars(1), list(1, "A")]).await;
    let answer = answer.unwrap();
    let fault = &snapshot(&answer).watched["postgresql-9"];
    assert_eq!(*fault, Err(Fault::Missing));
}
