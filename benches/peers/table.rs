//! The table: what was measured, held against the bar and against what the README says of it.

use std::fmt::Write as _;

/// What is ahead by less than this is level: two runs differ by as much.
const LEVEL: f64 = 1.05;

/// Measured times, or whatever has a number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series(pub(crate) Vec<f64>);

/// What one peer has of one row.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) peer: &'static str,
    pub(crate) text: String,
    /// Less is better; `None`: there is nothing to compare.
    pub(crate) score: Option<f64>,
}

/// One line of the table. The first cell is changeover's.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) title: &'static str,
    pub(crate) bar: &'static str,
    /// Why it misses the bar, if it does.
    pub(crate) missed: Option<String>,
    pub(crate) cells: Vec<Cell>,
}

impl Series {
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// This one's values in those of another that were taken with them, pair by pair.
    pub(crate) fn pairs(&self, other: &Self, of: impl Fn(f64, f64) -> f64) -> Self {
        let pairs = self.0.iter().zip(&other.0);
        Self(pairs.map(|(one, two)| of(*one, *two)).collect())
    }

    /// `1.05 (1.00–1.40)`, the numbers with so many digits.
    pub(crate) fn text(&self, digits: usize) -> String {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!(
            "{:.digits$} ({least:.digits$}–{most:.digits$})",
            self.median()
        )
    }
}

impl Cell {
    pub(crate) fn measured(peer: &'static str, series: &Series, digits: usize) -> Self {
        Self {
            peer,
            text: series.text(digits),
            score: Some(series.median()),
        }
    }

    pub(crate) fn said(peer: &'static str, text: &str, score: Option<f64>) -> Self {
        Self {
            peer,
            text: text.to_owned(),
            score,
        }
    }
}

impl Row {
    pub(crate) fn new(title: &'static str, bar: &'static str, cells: Vec<Cell>) -> Self {
        Self {
            title,
            bar,
            missed: None,
            cells,
        }
    }

    pub(crate) fn score(&self, peer: &str) -> Option<f64> {
        self.cells.iter().find(|cell| cell.peer == peer)?.score
    }

    /// The peers that are better than changeover here.
    pub(crate) fn ahead(&self) -> Vec<&'static str> {
        let Some(ours) = self.cells.first().and_then(|ours| ours.score) else {
            return Vec::new();
        };
        let mut ahead = Vec::new();
        for cell in self.cells.iter().skip(1) {
            if cell.score.is_some_and(|score| score * LEVEL < ours) {
                ahead.push(cell.peer);
            }
        }
        ahead
    }

    fn line(&self) -> String {
        let ahead = self.ahead();
        let mut cells: Vec<_> = self.cells.iter().skip(1).collect();
        let worst = |cell: &Cell| cell.score.unwrap_or(f64::INFINITY);
        cells.sort_by(|one, two| worst(one).total_cmp(&worst(two)));
        let text = |cell: &Cell| {
            let mark = if ahead.contains(&cell.peer) { "**" } else { "" };
            format!("{mark}{}{mark} {}", cell.peer, cell.text)
        };
        let others: Vec<_> = cells.into_iter().map(text).collect();
        let ours = self.cells.first().map_or("", |ours| ours.text.as_str());
        let (title, bar) = (self.title, self.bar);
        format!("| {title} | {bar} | {ours} | {} |", others.join("; "))
    }

    /// What is wrong with it that its paragraph in the README does not say. The paragraph begins
    /// with `- *the row's title*:`; it has to name each peer that is ahead, and the bar if that is
    /// missed.
    fn unexplained(&self, readme: &str) -> Vec<String> {
        let paragraph = paragraph(readme, self.title).unwrap_or_default();
        let mut wrong = Vec::new();
        for peer in self.ahead() {
            if !paragraph.contains(peer) {
                wrong.push(format!("{}: {peer} is ahead", self.title));
            }
        }
        if let Some(missed) = &self.missed
            && !paragraph.contains("bar")
        {
            wrong.push(format!("{}: {missed}", self.title));
        }
        wrong
    }
}

/// The whole of it, in Markdown. `missing`: the peers that are not installed.
pub(crate) fn markdown(rows: &[Row], missing: &[&str]) -> String {
    let mut table = String::from("| what | the bar | changeover | beside it, best first |\n");
    table.push_str("|---|---|---|---|\n");
    for row in rows {
        let _ = writeln!(table, "{}", row.line());
    }
    if !missing.is_empty() {
        let _ = writeln!(table, "| not installed | | | {} |", missing.join("; "));
    }
    table
}

/// What the README would have to say, and does not.
pub(crate) fn unexplained(rows: &[Row], readme: &str) -> Vec<String> {
    rows.iter()
        .flat_map(|row| row.unexplained(readme))
        .collect()
}

/// An item of a list, with all of its lines.
fn paragraph<'a>(readme: &'a str, title: &str) -> Option<&'a str> {
    let (_, section) = readme.split_once("\n## Side by side\n")?;
    let section = section.split("\n## ").next()?;
    let (_, paragraph) = section.split_once(&format!("\n- *{title}*:"))?;
    let end = ["\n\n", "\n- "].map(|end| paragraph.find(end).unwrap_or(paragraph.len()));
    Some(&paragraph[..end[0].min(end[1])])
}
