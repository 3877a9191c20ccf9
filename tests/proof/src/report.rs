//! A verdict: figures with their goals, the seed and the machine, printed the same way by every instrument.

use std::fmt;

use crate::machine::Machine;

/// One figure, what it had to be, and whether it is.
#[derive(Clone, Debug)]
struct Figure {
    what: String,
    seen: String,
    goal: String,
    met: bool,
}

/// What an instrument has to say at its end.
#[derive(Clone, Debug)]
pub struct Verdict {
    instrument: &'static str,
    seed: Option<u64>,
    machine: Machine,
    figures: Vec<Figure>,
    notes: Vec<String>,
}

impl Verdict {
    /// An empty verdict of `instrument`; `seed` is none for an instrument without chance.
    #[must_use]
    pub fn new(instrument: &'static str, seed: Option<u64>, machine: Machine) -> Self {
        Self {
            instrument,
            seed,
            machine,
            figures: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// A figure that is not judged.
    pub fn tell(&mut self, what: impl Into<String>, seen: impl fmt::Display) {
        self.judge(what, seen, "", true);
    }

    /// A figure that must be zero: what was lost, false, leaked.
    pub fn none(&mut self, what: impl Into<String>, seen: u64) {
        self.judge(what, seen, "0", seen == 0);
    }

    /// A figure that must be `goal` or more, printed with `unit`.
    pub fn at_least(&mut self, what: impl Into<String>, seen: f64, goal: f64, unit: &str) {
        self.judge(
            what,
            amount(seen, unit),
            format!(">= {}", amount(goal, unit)),
            seen >= goal,
        );
    }

    /// A figure that must be `goal` or less, printed with `unit`.
    pub fn at_most(&mut self, what: impl Into<String>, seen: f64, goal: f64, unit: &str) {
        self.judge(
            what,
            amount(seen, unit),
            format!("<= {}", amount(goal, unit)),
            seen <= goal,
        );
    }

    /// A figure whose goal the other forms cannot say.
    pub fn judge(
        &mut self,
        what: impl Into<String>,
        seen: impl fmt::Display,
        goal: impl Into<String>,
        met: bool,
    ) {
        self.figures.push(Figure {
            what: what.into(),
            seen: seen.to_string(),
            goal: goal.into(),
            met,
        });
    }

    /// A line under the figures: how to replay a failure, what was not measured.
    pub fn note(&mut self, line: impl Into<String>) {
        self.notes.push(line.into());
    }

    /// Adds what a part of the work has to say.
    pub fn join(&mut self, part: Self) {
        self.figures.extend(part.figures);
        self.notes.extend(part.notes);
    }

    /// The figures alone, a line each, to be told while others are still being measured.
    #[must_use]
    pub fn figures(&self) -> String {
        let line = |figure: &Figure| {
            let mark = if figure.met { "" } else { "  MISSED" };
            format!("  {}: {}{mark}", figure.what, figure.seen)
        };
        let lines: Vec<_> = self.figures.iter().map(line).collect();
        lines.join("\n")
    }

    /// Whether every goal is met.
    #[must_use]
    pub fn met(&self) -> bool {
        self.figures.iter().all(|figure| figure.met)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.instrument)?;
        if let Some(seed) = self.seed {
            write!(f, ", seed {seed}")?;
        }
        writeln!(f, "\n{}\n", self.machine)?;
        let wide = |column: fn(&Figure) -> &String| {
            let widths = self
                .figures
                .iter()
                .map(|figure| column(figure).chars().count());
            widths.max().unwrap_or(0)
        };
        let (what, seen) = (wide(|figure| &figure.what), wide(|figure| &figure.seen));
        for figure in &self.figures {
            let mark = match (figure.goal.is_empty(), figure.met) {
                (true, _) => "",
                (false, true) => "met",
                (false, false) => "MISSED",
            };
            let line = format!(
                "  {:what$}  {:>seen$}  {} {mark}",
                figure.what, figure.seen, figure.goal
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        for note in &self.notes {
            writeln!(f, "  {note}")?;
        }
        let missed = self.figures.iter().filter(|figure| !figure.met).count();
        if missed == 0 {
            write!(f, "\nverdict: every goal met")
        } else {
            write!(f, "\nverdict: {missed} missed")
        }
    }
}

/// Three digits that matter: `0.93`, `12.4`, `20300`.
fn amount(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.1 => 2,
        _ => 4,
    };
    if unit.is_empty() {
        format!("{value:.digits$}")
    } else {
        format!("{value:.digits$} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_missed_goal_is_a_missed_verdict() {
        let mut verdict = Verdict::new("crash", Some(7), Machine::look(&std::env::temp_dir()));
        verdict.none("lost", 0);
        verdict.at_least("kills", 1000.0, 1000.0, "");
        assert!(verdict.met());
        verdict.none("false confirmations", 1);
        assert!(!verdict.met());
        let text = verdict.to_string();
        assert!(text.starts_with("crash, seed 7\n"), "{text}");
        assert!(
            text.contains("MISSED") && text.ends_with("verdict: 1 missed"),
            "{text}"
        );
    }
}
