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
    // A line may hold a secret that somebody wrote where its place belongs: only the key is shown.
    let masked: String = text
        .lines()
        .map(|line| format!("{}\n", masked(line)))
        .collect();
    let offset = SourceOffset::from_location(&masked, *line, *column);
    let shown = Shown {
        message: format!("{}: {}", problem.key, problem.message),
        hint: problem.hint.clone(),
        source: Some((
            NamedSource::new(path.display().to_string(), masked),
            SourceSpan::new(offset, 1),
        )),
    };
    let mut out = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(super::width(None));
    match handler.render_report(&mut out, &shown) {
        Ok(()) => out,
        Err(fmt::Error) => problem.to_string(),
    }
}

/// The line with its value taken out.
fn masked(line: &str) -> String {
    match line.split_once('=') {
        Some((key, value)) if !value.trim().is_empty() => format!("{key}= …"),
        _ => line.to_owned(),
    }
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
