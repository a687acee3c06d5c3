//! A report for scripts: one JSON object on one line. Names are only ever added.

use serde_json::{Value, json};

use crate::exit_code::ExitCode;

use super::report::{Line, Report};

const VERSION: u32 = 1;

impl Report {
    pub(super) fn json(&self) -> String {
        let code = self.code();
        let checks: Vec<Value> = self.lines.iter().map(line).collect();
        let report = json!({
            "v": VERSION,
            "ok": code == ExitCode::Success,
            "exit_code": code.number(),
            "app": self.app,
            "checks": checks,
        });
        format!("{report}\n")
    }
}

fn line(line: &Line) -> Value {
    json!({
        "name": line.name.text(),
        "variable": line.variable,
        "status": line.verdict.status(),
        "found": line.verdict.found(),
        "do": line.verdict.mend(),
    })
}
