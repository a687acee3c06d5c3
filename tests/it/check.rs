//! `changeover check`: everything right, each thing wrong by itself, and what a script gets.

mod database;
mod heroku;

use changeover::testing::heroku::Simulator;
use serde_json::Value;

use crate::support::canary::Canary;
use crate::support::ran::{Ran, changeover};

/// What is never looked at when there is no database to look at.
const SERVER: [&str; 6] = ["dns", "tcp", "tls", "login", "writable", "slots"];

/// One run as a script sees it, and one as a person does.
struct Checked {
    code: i32,
    json: Value,
    text: String,
}

/// Checks a simulator's app with its own token.
fn check(simulator: &Simulator, arguments: &[&str]) -> Checked {
    check_with(simulator, arguments, &[])
}

/// The same with more in the environment.
fn check_with(simulator: &Simulator, arguments: &[&str], environment: &[(&str, &str)]) -> Checked {
    let run = |more: &[&str]| {
        let arguments = [&["check"], arguments, more].concat();
        let Ran { code, out, errors } = changeover(simulator, &arguments, environment);
        assert_eq!(errors, "", "{out}");
        hides_every_secret(simulator, &out);
        (code.unwrap(), out)
    };
    let (code, out) = run(&["--json"]);
    assert_eq!(out.matches('\n').count(), 1, "{out}");
    let json: Value = serde_json::from_str(&out).unwrap();
    let (code_of_text, text) = run(&[]);
    assert_eq!(code_of_text, code, "{out}\n{text}");
    for line in text.lines() {
        // A URL is never broken.
        let is_one_word = line.get(19..).is_some_and(|text| !text.contains(' '));
        assert!(line.chars().count() <= 80 || is_one_word, "{line}");
    }
    let checked = Checked { code, json, text };
    checked.is_one_report();
    checked
}

fn hides_every_secret(simulator: &Simulator, out: &str) {
    assert!(!out.contains("HRKU-"), "{out}");
    for value in simulator.config().values().filter_map(Value::as_str) {
        let userinfo = value
            .split("://")
            .nth(1)
            .and_then(|rest| rest.rsplit_once('@'));
        let password = userinfo.and_then(|(userinfo, _)| userinfo.split_once(':'));
        if let Some((_, password)) = password {
            Canary::new("a password", password).is_not_in(out, "a report");
        }
    }
}

impl Checked {
    /// Both forms say the same, and their end fits.
    fn is_one_report(&self) {
        let Self { code, json, text } = self;
        assert_eq!(json["v"], 1);
        assert_eq!(json["ok"], *code == 0, "{json}");
        assert_eq!(json["exit_code"], *code, "{json}");
        let failed = self
            .lines()
            .iter()
            .filter(|line| line["status"] == "failed");
        assert_eq!(
            failed.clone().count(),
            text.matches("FAILED  ").count(),
            "{text}"
        );
        assert_eq!(failed.count() > 0, *code != 0, "{text}");
        for line in self.lines() {
            let fields: Vec<_> = line.as_object().unwrap().keys().collect();
            assert_eq!(fields, ["do", "found", "name", "status", "variable"]);
            let status = line["status"].as_str().unwrap();
            // Who reads it knows what to do about everything that is not right.
            assert!(
                line["do"].is_string() || !["failed", "advice"].contains(&status),
                "{line}"
            );
        }
    }

    fn lines(&self) -> &Vec<Value> {
        self.json["checks"].as_array().unwrap()
    }

    /// The only line of that name.
    fn line(&self, name: &str) -> &Value {
        let mut lines = self.lines().iter().filter(|line| line["name"] == name);
        let line = lines
            .next()
            .unwrap_or_else(|| panic!("no {name}: {}", self.text));
        assert_eq!(lines.next(), None, "{}", self.text);
        line
    }

    fn status(&self, name: &str) -> &str {
        self.line(name)["status"].as_str().unwrap()
    }

    /// What is not right, and how.
    fn wrong(&self) -> Vec<(&str, &str)> {
        self.lines()
            .iter()
            .map(|line| {
                (
                    line["name"].as_str().unwrap(),
                    line["status"].as_str().unwrap(),
                )
            })
            .filter(|(_, status)| *status != "ok")
            .collect()
    }

    /// The line is of that status, and says this in what was found or in what to do.
    fn says(&self, name: &str, status: &str, part: &str) {
        let line = self.line(name);
        let told = format!("{} / {}", line["found"], line["do"]);
        assert_eq!(self.status(name), status, "{}", self.text);
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
}
