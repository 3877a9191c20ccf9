//! A plan, as a person reads it before saying yes and as `--dry-run` prints it.

use std::fmt::Write;
use std::io;

use rescind_core::plan::{Confirmation, People, PlanSummary, ProviderPlan};
use serde::Serialize;

use super::{Printer, table, wrap};
use crate::args::Output;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    plan: &'a PlanSummary,
}

/// Prints the plan of a dry run.
pub(crate) fn print(printer: &mut Printer, plan: &PlanSummary) -> io::Result<()> {
    let document = Document {
        schema: "rescind.plan/1",
        plan,
    };
    match printer.format() {
        Output::Json => printer.json(&document),
        Output::Jsonl => printer.json_line(&document),
        Output::Csv => {
            printer.csv([
                "provider",
                "kind",
                "jobs",
                "refused",
                "resolved",
                "not_found",
                "ambiguous",
                "not_covered",
            ])?;
            plan.providers
                .iter()
                .try_for_each(|provider| printer.csv(numbers(provider)))
        }
        Output::Text => {
            let text = text(plan, printer.width());
            printer.line(&text)?;
            printer.wrapped(
                "Nothing was accepted and nobody was called: this was a rehearsal.",
                0,
            )
        }
    }
}

fn numbers(provider: &ProviderPlan) -> Vec<String> {
    let not_covered: u64 = provider
        .not_covered
        .iter()
        .map(|group| group.people.count)
        .sum();
    vec![
        provider.name.clone(),
        provider.kind.clone(),
        provider.jobs.to_string(),
        provider.refused.to_string(),
        if provider.looked_up {
            provider.resolved.to_string()
        } else {
            "-".to_owned()
        },
        provider.not_found.count.to_string(),
        provider.ambiguous.count.to_string(),
        not_covered.to_string(),
    ]
}

/// The plan as lines for a person.
pub(crate) fn text(plan: &PlanSummary, width: usize) -> String {
    let mut out = String::new();
    let mut say = |indent: usize, line: &str| {
        let _infallible = writeln!(out, "{}", wrap::text(line, indent, width));
    };
    say(
        0,
        &format!(
            "Plan: {} people, {} jobs. Everything these providers can end will end.",
            plan.people, plan.jobs
        ),
    );
    let header = [
        "provider",
        "kind",
        "jobs",
        "refused",
        "known",
        "unknown",
        "ambiguous",
        "not covered",
    ];
    let providers = table::render(&header, plan.providers.iter().map(numbers), width);
    let _infallible = writeln!(out, "\n{providers}\n");
    let mut say = |indent: usize, line: &str| {
        let _infallible = writeln!(out, "{}", wrap::text(line, indent, width));
    };
    for provider in &plan.providers {
        let name = &provider.name;
        if let Some(refuses) = &provider.refuses {
            say(
                0,
                &format!(
                    "{name} refuses everybody: {}; {}",
                    refuses.reason, refuses.remedy
                ),
            );
        } else if let Some(why) = &provider.could_not_check {
            say(
                0,
                &format!("{name}: people could not be looked up now: {}", why.reason),
            );
            if let Some(hint) = &why.hint {
                say(2, &format!("-> {hint}"));
            }
        } else if !provider.looked_up && provider.jobs > 0 {
            say(
                0,
                &format!("{name}: more than 200 people are looked up as the order runs, not now."),
            );
        }
        people(
            &mut say,
            &format!("{name} does not know"),
            &provider.not_found,
        );
        people(
            &mut say,
            &format!("{name} knows more than one of"),
            &provider.ambiguous,
        );
        for group in &provider.not_covered {
            people(
                &mut say,
                &format!("{name}: {}", group.why.reason),
                &group.people,
            );
        }
    }
    people(&mut say, "Protected, never called", &plan.protected);
    if plan.duplicates > 0 {
        say(
            0,
            &format!(
                "{} rows name somebody again and count once.",
                plan.duplicates
            ),
        );
    }
    for group in &plan.groups {
        say(
            0,
            &format!(
                "Group {} at {}: {} people.",
                group.name, group.provider, group.people
            ),
        );
        for skipped in &group.skipped {
            say(2, &format!("{} left out: {}", skipped.count, skipped.why));
        }
    }
    for left_out in &plan.left_out {
        let place = left_out
            .provider
            .as_deref()
            .map_or("anywhere".to_owned(), |name| format!("to {name}"));
        people(
            &mut say,
            &format!("Not sent {place}, {}", left_out.why),
            &left_out.people,
        );
    }
    if plan.bad_rows.count > 0 {
        say(
            0,
            &format!(
                "{} rows cannot be read and are left out:",
                plan.bad_rows.count
            ),
        );
        for row in &plan.bad_rows.rows {
            say(
                2,
                &format!("{}, line {}: {}", row.source, row.line, row.why),
            );
        }
    }
    for warning in &plan.warnings {
        say(0, &format!("warning: {warning}"));
    }
    if plan.needs == Confirmation::Size {
        say(
            0,
            "This many people, or a group, need the number typed or stated.",
        );
    }
    say(0, &format!("Plan hash {}", plan.hash));
    out.truncate(out.trim_end().len());
    out
}

/// A line about some people: how many, the first of them named.
fn people(say: &mut impl FnMut(usize, &str), what: &str, people: &People) {
    if people.count == 0 {
        return;
    }
    let rest = people.count - people.subjects.len() as u64;
    let mut names = people.subjects.join(", ");
    if rest > 0 {
        let _infallible = write!(names, " and {rest} more");
    }
    say(0, &format!("{what} ({}): {names}", people.count));
}
