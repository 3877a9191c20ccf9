//! Orders and jobs as scripts and people read them: a versioned contract.

use std::fmt::Write as _;
use std::io;

use jiff::Timestamp;
use rescind_core::job::{Job, JobState};
use rescind_core::order::{Counts, Order, OrderState};
use rescind_core::report::{EvidenceState, OutcomeName, Residual, Step};
use rescind_core::store::Store;
use serde::Serialize;

use super::Printer;
use crate::args::Output;

/// The schema of one order with its jobs, and of what `revoke` and `run` print.
pub(crate) const SCHEMA: &str = "rescind.order/1";

/// How many jobs are read from the store at a time.
const PAGE: usize = 1000;

/// An order as JSON prints it.
#[derive(Debug, Serialize)]
pub(crate) struct OrderHead {
    /// Its id.
    pub(crate) id: String,
    /// Why; null when erased.
    pub(crate) note: Option<String>,
    /// The case number.
    pub(crate) reference: Option<String>,
    /// Who; null when erased.
    pub(crate) actor: Option<String>,
    /// How we know.
    pub(crate) authenticated_by: Option<String>,
    /// The instant T.
    pub(crate) created_at: Timestamp,
    /// `open`, `paused`, `cancelling` or `finished`.
    pub(crate) state: &'static str,
    /// Why it is paused.
    pub(crate) paused_why: Option<String>,
    /// Overtakes bulk orders.
    pub(crate) urgent: bool,
    /// Whether evidence is read.
    pub(crate) verify: bool,
    /// The order whose refused jobs this one tries again.
    pub(crate) retry_of: Option<String>,
    /// What the person said yes to.
    pub(crate) plan_hash: String,
    /// Confirmed jobs whose evidence is still to be read.
    pub(crate) evidence_pending: u64,
}

impl From<&Order> for OrderHead {
    fn from(order: &Order) -> Self {
        let (state, paused_why) = match &order.state {
            OrderState::Open => ("open", None),
            OrderState::Paused { why } => ("paused", Some(why.clone())),
            OrderState::Cancelling => ("cancelling", None),
            OrderState::Finished => ("finished", None),
        };
        Self {
            id: order.id.to_string(),
            note: order.note.clone(),
            reference: order.reference.clone(),
            actor: order.actor.as_ref().map(|actor| actor.name.clone()),
            authenticated_by: order
                .actor
                .as_ref()
                .map(|actor| actor.authenticated_by.clone()),
            created_at: order.accepted_at,
            state,
            paused_why,
            urgent: order.urgent,
            verify: order.verify,
            retry_of: order.retry_of.map(|id| id.to_string()),
            plan_hash: order.plan_hash.clone(),
            evidence_pending: order.evidence_pending,
        }
    }
}

/// An order with its counts, for lists.
#[derive(Debug, Serialize)]
pub(crate) struct OrderLine {
    /// The order.
    #[serde(flatten)]
    pub(crate) head: OrderHead,
    /// Its counts.
    pub(crate) counts: Counts,
}

impl From<&Order> for OrderLine {
    fn from(order: &Order) -> Self {
        Self {
            head: order.into(),
            counts: order.counts,
        }
    }
}

/// A job as JSON prints it.
#[derive(Debug, Serialize)]
pub(crate) struct JobLine {
    /// Its order.
    pub(crate) order_id: String,
    /// Its number, as the audit names it.
    pub(crate) job: u64,
    /// The subject as given; null when erased.
    pub(crate) subject: Option<String>,
    /// The provider's own id of the account.
    pub(crate) resolved: Option<String>,
    /// The account's main name at the provider.
    pub(crate) account: Option<String>,
    /// Where.
    pub(crate) provider: String,
    /// Where it stands.
    pub(crate) state: JobState,
    /// What the provider answered.
    pub(crate) outcome: Option<OutcomeName>,
    /// Tries so far.
    pub(crate) attempts: u32,
    /// When the provider's answer was on disk.
    pub(crate) confirmed_at: Option<Timestamp>,
    /// When it is in force everywhere.
    pub(crate) effective_by: Option<Timestamp>,
    /// What the provider's own record shows.
    pub(crate) evidence: EvidenceState,
    /// What may still be alive.
    pub(crate) residual: Vec<Residual>,
    /// What was ended, step by step.
    pub(crate) steps: Vec<Step>,
    /// Why it waits, until when.
    pub(crate) waiting: Option<Waiting>,
    /// The job whose call settled this one too.
    pub(crate) shared_with: Option<u64>,
    /// Why it is not done.
    pub(crate) error: Option<ErrorLine>,
    /// The vendor's id of the deciding request.
    pub(crate) vendor_request_id: Option<String>,
}

/// Why a job waits, until when.
#[derive(Debug, Serialize)]
pub(crate) struct Waiting {
    why: rescind_core::job::WaitReason,
    until: Option<Timestamp>,
}

/// Why a job is not done.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorLine {
    /// A stable word.
    pub(crate) kind: String,
    /// What happened.
    pub(crate) message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

impl From<Job> for JobLine {
    fn from(job: Job) -> Self {
        let error = error_of(&job);
        let (resolved, account) = match job.resolved {
            Some(resolved) => (Some(resolved.id), Some(resolved.name)),
            None => (None, None),
        };
        Self {
            order_id: job.order.to_string(),
            job: job.key.as_u64(),
            subject: job.subject,
            resolved,
            account,
            provider: job.provider.to_string(),
            state: job.state,
            outcome: job.detail.outcome,
            attempts: job.attempts,
            confirmed_at: job.done_at.filter(|_| job.state == JobState::Confirmed),
            effective_by: job.effective_by,
            evidence: job.evidence,
            residual: job.detail.residual,
            steps: job.detail.steps,
            waiting: job.waiting.map(|why| Waiting {
                why,
                until: job.due,
            }),
            shared_with: job.detail.shared_with,
            error,
            vendor_request_id: job.detail.vendor_request_id,
        }
    }
}

fn error_of(job: &Job) -> Option<ErrorLine> {
    if matches!(job.state, JobState::Confirmed | JobState::Gone) {
        return None;
    }
    if let Some(refusal) = &job.detail.refusal {
        return Some(ErrorLine {
            kind: job
                .detail
                .outcome
                .map_or_else(|| "refused".to_owned(), word),
            message: refusal.reason.clone(),
            hint: Some(refusal.remedy.clone()).filter(|remedy| !remedy.is_empty()),
        });
    }
    job.detail.error.as_ref().map(|error| ErrorLine {
        kind: word(error.kind),
        message: format!("{}: {}", error.operation, error.message),
        hint: error.hint.clone(),
    })
}

/// The snake-case word of a state, outcome or kind, as JSON writes it.
pub(crate) fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

impl JobLine {
    /// The columns of a CSV export.
    pub(crate) const COLUMNS: [&'static str; 18] = [
        "order_id",
        "job",
        "subject",
        "resolved",
        "account",
        "provider",
        "state",
        "outcome",
        "attempts",
        "confirmed_at",
        "effective_by",
        "evidence",
        "residual",
        "steps",
        "error_kind",
        "error_message",
        "hint",
        "vendor_request_id",
    ];

    /// The fields of a CSV export.
    pub(crate) fn fields(&self) -> Vec<String> {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let error = self.error.as_ref();
        vec![
            self.order_id.clone(),
            self.job.to_string(),
            text(&self.subject),
            text(&self.resolved),
            text(&self.account),
            self.provider.clone(),
            word(self.state),
            self.outcome.map(word).unwrap_or_default(),
            self.attempts.to_string(),
            time(self.confirmed_at),
            time(self.effective_by),
            word(self.evidence),
            self.residual
                .iter()
                .map(|residual| residual.what.as_str())
                .collect::<Vec<_>>()
                .join("; "),
            steps_text(&self.steps),
            error.map(|error| error.kind.clone()).unwrap_or_default(),
            error.map(|error| error.message.clone()).unwrap_or_default(),
            error
                .and_then(|error| error.hint.clone())
                .unwrap_or_default(),
            text(&self.vendor_request_id),
        ]
    }
}

/// Steps as one line: `grants 4, sign-out 1`.
pub(crate) fn steps_text(steps: &[Step]) -> String {
    steps
        .iter()
        .map(|step| {
            let mut text = format!("{} {}", step.name, step.ended);
            if step.failed > 0 {
                let _ = write!(text, " ({} failed)", step.failed);
            }
            text
        })
        .collect::<Vec<_>>()
        .join(", ")
}

/// Prints jobs of some orders as `{schema, order, counts, jobs}` (and `orders`, where asked for), streamed from the
/// store, so that a million jobs need no memory.
pub(crate) async fn print_json(
    printer: &mut Printer,
    store: &dyn Store,
    orders: &[Order],
    with_orders: bool,
    states: &[JobState],
) -> Result<(), crate::error::Failure> {
    let mut sums = Counts::default();
    for order in orders {
        sums += order.counts;
    }
    let head = match orders {
        [order] => Some(OrderHead::from(order)),
        _ => None,
    };
    printer.text("{\n\"schema\": ")?;
    printer.json_piece(&SCHEMA)?;
    printer.text(",\n\"order\": ")?;
    printer.json_piece(&head)?;
    printer.text(",\n\"counts\": ")?;
    printer.json_piece(&sums)?;
    printer.text(",\n")?;
    if with_orders {
        let lines: Vec<_> = orders.iter().map(OrderLine::from).collect();
        printer.text("\"orders\": ")?;
        printer.json_piece(&lines)?;
        printer.text(",\n")?;
    }
    printer.text("\"jobs\": [")?;
    let mut first = true;
    each_job(store, orders, states, |job| {
        printer.text(if std::mem::take(&mut first) {
            "\n"
        } else {
            ",\n"
        })?;
        printer.json_piece(&job)
    })
    .await?;
    printer.text("\n]\n}\n")?;
    Ok(())
}

/// Prints jobs one a line and nothing else, as JSON or CSV.
pub(crate) async fn print_lines(
    printer: &mut Printer,
    store: &dyn Store,
    orders: &[Order],
    states: &[JobState],
) -> Result<(), crate::error::Failure> {
    let csv = printer.format() == Output::Csv;
    if csv {
        printer.csv(JobLine::COLUMNS)?;
    }
    each_job(store, orders, states, |job| {
        if csv {
            printer.csv(job.fields())
        } else {
            printer.json_line(&job)
        }
    })
    .await
}

/// Walks the jobs of some orders page by page.
pub(crate) async fn each_job(
    store: &dyn Store,
    orders: &[Order],
    states: &[JobState],
    mut each: impl FnMut(JobLine) -> io::Result<()>,
) -> Result<(), crate::error::Failure> {
    for order in orders {
        let mut after = None;
        loop {
            let page = store.jobs(order.key, states, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key);
            for job in page {
                each(JobLine::from(job))?;
            }
        }
    }
    Ok(())
}
