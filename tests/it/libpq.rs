//! How database URLs are read, beside libpq's own parser (`PQconninfoParse`, through a few lines of
//! C: the project's one `unsafe` is elsewhere).

use std::io::Write;
use std::process::{Command, Stdio};

use changeover::credential::{DatabaseUrl, Secret};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::skip::skipped;
use crate::support::pieces::PIECES;

const MADE_UP: usize = 20_000;

/// What both should take, beside the pieces of any URL.
const ALIKE: [&str; 6] = ["%2c", "%25", "/run", "x=", "port=", "sslmode=require"];

/// What the two make of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The same settings.
    Same,
    /// Both refuse it.
    Neither,
    /// Only libpq takes it.
    OnlyLibpq,
    /// Only we take it.
    OnlyOurs,
    /// Both take it, and read it differently.
    Otherwise,
}

#[test]
fn urls_are_read_as_libpq_reads_them() {
    let Some(libpq) = libpq(URLS.iter().map(|(url, _)| *url)) else {
        return;
    };
    let mut wrong = Vec::new();
    for ((url, expected), theirs) in URLS.iter().zip(&libpq) {
        let ours = ours(url);
        let verdict = match (&ours, theirs) {
            (Some(ours), Some(theirs)) if ours == theirs => Verdict::Same,
            (Some(_), Some(_)) => Verdict::Otherwise,
            (None, None) => Verdict::Neither,
            (None, Some(_)) => Verdict::OnlyLibpq,
            (Some(_), None) => Verdict::OnlyOurs,
        };
        if verdict != *expected {
            wrong.push(format!(
                "{url}: {verdict:?}\n  ours  {ours:?}\n  libpq {theirs:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(libpq.len(), URLS.len());
    assert!(URLS.len() >= 60);
}

/// URLs that nobody thought of: what both take, both read alike.
#[test]
fn made_up_urls_are_read_alike() {
    let pieces = prop::sample::select([&PIECES[..], &ALIKE].concat());
    let urls = prop::collection::vec(pieces, 1..14)
        .prop_map(|pieces| format!("postgres://{}", pieces.concat()))
        .prop_filter("the table below has these", |url| {
            url.matches('@').count() < 2 && url.find('?').is_none_or(|at| !url[at..].contains('@'))
        });
    let mut runner = TestRunner::default();
    let urls: Vec<String> = (0..MADE_UP)
        .map(|_| urls.new_tree(&mut runner).unwrap().current())
        .collect();
    let Some(libpq) = libpq(urls.iter().map(String::as_str)) else {
        return;
    };
    let mut taken = 0;
    for (url, theirs) in urls.iter().zip(&libpq) {
        let (Some(ours), Some(theirs)) = (ours(url), theirs) else {
            continue;
        };
        let is_mode = |line: &&String| *line == "sslmode=require" || !line.starts_with("sslmode=");
        let theirs: Vec<_> = theirs.iter().filter(is_mode).cloned().collect();
        assert_eq!(ours, theirs, "{url}");
        taken += 1;
    }
    assert!(taken > MADE_UP / 20, "only {taken} were URLs for both");
}

/// `keyword=value`, sorted; `None` when the URL is refused.
type Settings = Option<Vec<String>>;

fn ours(url: &str) -> Settings {
    let url = DatabaseUrl::parse(url).ok()?;
    let said = url.settings();
    let password = said.password.as_ref().map(Secret::expose);
    let mut all = Vec::new();
    for (keyword, value) in [
        ("dbname", said.database.as_deref()),
        ("host", said.host.as_deref()),
        ("password", password),
        ("port", said.port.as_deref()),
        ("sslmode", url.sslmode().map(|mode| mode.name())),
        ("user", said.user.as_deref()),
    ] {
        all.extend(value.map(|value| format!("{keyword}={value}")));
    }
    all.retain(|line| counts(line));
    Some(all)
}

fn libpq<'a>(urls: impl Iterator<Item = &'a str>) -> Option<Vec<Settings>> {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("uri");
    let compiled = Command::new("cc")
        .args(["-o", program.to_str().unwrap()])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/libpq/uri.c"))
        .arg("-l:libpq.so.5")
        .output()
        .unwrap();
    if !compiled.status.success() {
        skipped(&format!(
            "no libpq: {}",
            String::from_utf8_lossy(&compiled.stderr)
        ));
        return None;
    }
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = urls.map(|url| format!("{url}\n")).collect();
    let mut stdin = child.stdin.take().unwrap();
    // It answers while it reads.
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let said = child.wait_with_output().unwrap();
    writer.join().unwrap();
    // (Its errors quote half of a character.)
    let said = String::from_utf8_lossy(&said.stdout);
    let answers = said.split_terminator(".\n").map(|answer| {
        let mut all: Vec<String> = answer
            .lines()
            .filter(|line| counts(line))
            .map(str::to_owned)
            .collect();
        all.sort();
        (!answer.starts_with("error=")).then_some(all)
    });
    Some(answers.collect())
}

/// What we read too. Ports that are none are libpq's way to count the hosts.
fn counts(line: &str) -> bool {
    let (keyword, value) = line.split_once('=').unwrap();
    match keyword {
        "port" => value.contains(|c| c != ','),
        "dbname" | "host" | "password" | "sslmode" | "user" => true,
        _ => false,
    }
}

/// At least 60, and why where the two differ.
#[rustfmt::skip]
const URLS: &[(&str, Verdict)] = &[
    ("postgres://u1:p1@ec2-1.compute-1.amazonaws.com:5432/d1", Verdict::Same),
    ("postgresql://u1:p1@ec2-1.compute-1.amazonaws.com:5432/d1", Verdict::Same),
    ("postgres://u:p@h", Verdict::Same),
    ("postgres://u:p@h/", Verdict::Same),
    ("postgres://u:p@h:5432", Verdict::Same),
    ("postgres://u@h/d", Verdict::Same),
    ("postgres://h/d", Verdict::Same),
    ("postgres://@h/d", Verdict::Same),
    ("postgres://:p@h/d", Verdict::Same),
    ("postgres://u:@h/d", Verdict::Same),
    ("postgres://:@h/d", Verdict::Same),
    ("postgres://u:p:q@h/d", Verdict::Same),
    ("postgres://u:p+q@h/d", Verdict::Same),
    ("postgres://u:p=q&r@h/d", Verdict::Same),
    ("postgres://u:p;q,r@h/d", Verdict::Same),
    ("postgres://u:p[q]@h/d", Verdict::Same),
    ("postgres://u:p#q@h/d", Verdict::Same),
    ("postgres://u:%70%2f%3F%40@h/d", Verdict::Same),
    ("postgres://u%3Av:p@h/d", Verdict::Same),
    ("postgres://ü:ß@h/ö", Verdict::Same),
    ("postgres://u:p@h:/d", Verdict::Same),
    ("postgres://u:p@192.0.2.1:5433/d", Verdict::Same),
    ("postgres://u:p@[::1]/d", Verdict::Same),
    ("postgres://u:p@[::1]:5432/d", Verdict::Same),
    ("postgres://u:p@[fe80::1%25eth0]:5432/d", Verdict::Same),
    ("postgres://u:p@h1:1,h2,h3:3/d", Verdict::Same),
    ("postgres://u:p@h1,h2/d", Verdict::Same),
    ("postgres://u:p@[::1]:1,h2:2/d", Verdict::Same),
    ("postgres://%2Frun%2Fpostgresql/d", Verdict::Same),
    ("postgres://u:p@%2Frun%2Fpostgresql:5433/d", Verdict::Same),
    ("postgres:///d?host=/run/postgresql", Verdict::Same),
    ("postgres://u:p@/d?host=/run/postgresql&port=5433", Verdict::Same),
    ("postgres:///d?host=/run&hostaddr=", Verdict::Same),
    ("postgres://h/a%20b", Verdict::Same),
    ("postgres://h/d/e", Verdict::Same),
    ("postgres://h/d#frag", Verdict::Same),
    ("postgres://h/%64?", Verdict::Same),
    ("postgres://h/d?", Verdict::Same),
    ("postgres://h?sslmode=disable", Verdict::Same),
    ("postgres://h/d?sslmode=require", Verdict::Same),
    ("postgres://h/d?sslmode=verify-full&sslrootcert=/x", Verdict::Same),
    ("postgres://h/d?sslmode=require&sslmode=disable", Verdict::Same),
    ("postgres://h/d?%73slmode=require", Verdict::Same),
    ("postgres://h/d?user=x", Verdict::Same),
    ("postgres://u:p@h/d?user=x&host=y&port=7&dbname=z&password=q", Verdict::Same),
    ("postgres://u:p@h/d?dbname=", Verdict::Same),
    ("postgres://u:p@h/d?user=&password=", Verdict::Same),
    ("postgres://h/d?host=/a%20b", Verdict::Same),
    ("postgres://h/d?connect_timeout=10&application_name=a%26b", Verdict::Same),
    ("postgres://h/d?options=-c%20geqo%3Doff", Verdict::Same),
    ("postgres://h/d?target_session_attrs=read-write", Verdict::Same),
    ("postgres://h/d?channel_binding=require&user=v", Verdict::Same),
    ("postgres://h1,h2/d?port=5433", Verdict::Same),
    ("postgres://?host=h", Verdict::Same),
    ("mysql://h/d", Verdict::Neither),
    ("POSTGRES://h/d", Verdict::Neither),
    ("postgres:/h/d", Verdict::Neither),
    ("postgres://[::1", Verdict::Neither),
    ("postgres://[]/d", Verdict::Neither),
    ("postgres://u:p@[::1]x/d", Verdict::Neither),
    ("postgres://u:p%zz@h/d", Verdict::Neither),
    ("postgres://u:p%4@h/d", Verdict::Neither),
    ("postgres://u:p%00@h/d", Verdict::Neither),
    // Nobody outside Heroku means the socket of this machine's own server.
    ("postgres://", Verdict::OnlyLibpq),
    ("postgresql:///", Verdict::OnlyLibpq),
    ("postgres:///d", Verdict::OnlyLibpq),
    ("postgres://u:p@/d", Verdict::OnlyLibpq),
    ("postgres://h,/d", Verdict::OnlyLibpq),
    // libpq finds these out when it connects.
    ("postgres://u:p@h:x/d", Verdict::OnlyLibpq),
    ("postgres://u:p@h:0/d", Verdict::OnlyLibpq),
    ("postgres://u:p@h:65536/d", Verdict::OnlyLibpq),
    // A blank is a value that was pasted wrongly: other clients refuse it.
    ("postgres://h/a b", Verdict::OnlyLibpq),
    ("postgres://u:p q@h/d", Verdict::OnlyLibpq),
    // Other clients have parameters of their own.
    ("postgres://u:p@h/d?pool=5", Verdict::OnlyOurs),
    ("postgres://u:p@h/d?a", Verdict::OnlyOurs),
    ("postgres://u:p@h/d?&", Verdict::OnlyOurs),
    ("postgres://u:p@h/d?a=b=c", Verdict::OnlyOurs),
    // Every client but libpq takes the last @ of them.
    ("postgres://u:p@ss@h/d", Verdict::Otherwise),
    // A mode that there is not counts as none.
    ("postgres://h/d?sslmode=bogus", Verdict::Otherwise),
    // JDBC's way to say sslmode=require; libpq knows it too.
    ("postgres://h/d?ssl=true", Verdict::Otherwise),
    // A slash or a question mark ends the hosts, wherever it stands: what is left is no port.
    ("postgres://u:p?q@h/d", Verdict::OnlyLibpq),
    ("postgres://u:p/q@h/d", Verdict::OnlyLibpq),
];
