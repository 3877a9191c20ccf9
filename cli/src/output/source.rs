//! A problem of the configuration, shown in its own source line.

use std::fmt;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceOffset, SourceSpan,
};
use rescind_core::config::{Place, Problem};

/// A problem as `miette` wants it.
struct Shown {
    message: String,
    hint: Option<String>,
    source: Option<(NamedSource<String>, SourceSpan)>,
}

/// The problem with the line it stands in, or on one line where there is none to show.
pub(crate) fn shown(problem: &Problem) -> String {
    let Some(Place::File { path, line, column }) = &problem.place else {
        return problem.to_string();
    };
    let Ok(text) = std::fs::read_to_string(path) else {
        return problem.to_string();
    };
    let (masked, column) = masked(&text, *line, *column, &problem.key);
    let offset = SourceOffset::from_location(&masked, *line, column);
    let length = masked.trim_end().len().saturating_sub(offset.offset());
    let shown = Shown {
        message: format!("{}: {}", problem.key, problem.message),
        hint: problem.hint.clone(),
        source: Some((
            NamedSource::new(path.display().to_string(), masked),
            SourceSpan::new(offset, length),
        )),
    };
    let mut out = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(super::width(None))
        .with_context_lines(0);
    match handler.render_report(&mut out, &shown) {
        Ok(()) => out,
        Err(fmt::Error) => problem.to_string(),
    }
}

/// The text with nothing left but the key that the problem is about, and the column to point at. Any other line, and
/// any value, may hold a secret that somebody wrote where its place belongs.
fn masked(text: &str, line: usize, column: usize, key: &str) -> (String, usize) {
    let own = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let name = key.rsplit('.').next().unwrap_or(key);
    let start = own
        .char_indices()
        .nth(column.saturating_sub(1))
        .map_or(own.len(), |(at, _)| at);
    let (before, at) = own.split_at(start);
    let (shown, column) = if at.starts_with(name) && before.trim().is_empty() {
        (format!("{before}{name} = …"), column)
    } else if own.trim_start().starts_with('[') && before.contains('[') && !own.contains('=') {
        (own.to_owned(), column)
    } else {
        ("…".to_owned(), 1)
    };
    let above = "\n".repeat(line.saturating_sub(1));
    (format!("{above}{shown}\n"), column)
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl miette::Diagnostic for Shown {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.hint
            .as_ref()
            .map(|hint| Box::new(hint) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source
            .as_ref()
            .map(|(source, _)| source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, span) = self.source.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(
            None, *span,
        ))))
    }
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn only_the_key_of_a_problem_is_shown() {
        let text = "[providers.a]\n  private_key = \"\"\"\nhidden==\n\"\"\"\nsteps = [\n  \"hidden\",\n]\n";
        let shown = |line, column, key| {
            let (text, column) = masked(text, line, column, key);
            (text.trim_start_matches('\n').trim_end().to_owned(), column)
        };
        let key = shown(2, 3, "providers.a.private_key");
        assert_eq!(key, ("  private_key = …".to_owned(), 3));
        assert_eq!(
            shown(1, 12, "providers.a.tenant"),
            ("[providers.a]".to_owned(), 12)
        );
        assert_eq!(shown(6, 3, "providers.a.steps.0"), ("…".to_owned(), 1));
        assert_eq!(shown(3, 9, "syntax"), ("…".to_owned(), 1));
        assert_eq!(shown(99, 9, "syntax"), ("…".to_owned(), 1));
    }
}
