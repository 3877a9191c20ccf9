//! What every order has in common: plan, consent, acceptance, work, report.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use rescind_core::engine::{Ended, Engine, EngineError, EngineParts, Goal};
use rescind_core::id::OrderId;
use rescind_core::order::{Note, Order};
use rescind_core::plan::{
    Confirmation, Given, Plan, PlanError, PlanErrorClass, PlanRequest, Planner, PlannerParts,
};
use rescind_core::store::Store;

use crate::app::{App, World, find_order};
use crate::args::Output;
use crate::error::Failure;
use crate::exit::Exit;
use crate::lock::Lock;
use crate::output::{job, plan as plan_output, remark, summary};
use crate::progress::{self, Shown};

/// What the person agreed to on the command line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Consent {
    /// `--yes`
    pub(crate) yes: bool,
    /// `--max-subjects`
    pub(crate) max_subjects: Option<u64>,
    /// `--no-wait`
    pub(crate) no_wait: bool,
    /// `--dry-run`
    pub(crate) dry_run: bool,
}

/// The beginning of a plan request: note, reference and actor.
pub(crate) fn request(
    app: &App,
    note: &str,
    reference: Option<String>,
) -> Result<PlanRequest, Failure> {
    let note = Note::parse(note, 1)
        .map_err(|error| Failure::new(Exit::Usage, "note", error.to_string()))?;
    Ok(PlanRequest::new(note, app.actor.clone()).with_reference(reference))
}

/// Plans, asks, accepts, works and reports one order.
pub(crate) async fn order(
    app: &mut App,
    world: World,
    request: PlanRequest,
    consent: Consent,
) -> Result<Exit, Failure> {
    let exit = order_in(app, &world, request, consent).await;
    world.close().await;
    exit
}

async fn order_in(
    app: &mut App,
    world: &World,
    request: PlanRequest,
    consent: Consent,
) -> Result<Exit, Failure> {
    // Nothing is asked of a tenant that open orders do not mean.
    world.check_open_orders().await?;
    // Who has said yes beforehand wants no round trip between the plan and the work.
    let goes_on = consent.yes && !consent.dry_run && !consent.no_wait;
    let getting_ready = goes_on.then(|| {
        let protected = &world.config.protected;
        world.fleet.get_ready(&request.providers, protected)
    });
    let Some(id) = accept(app, world, request, consent).await? else {
        return Ok(Exit::Done);
    };
    if consent.no_wait {
        let order = world.store.order(id).await?;
        report(app, world, &order).await?;
        app.say("Nothing was sent yet: `rescind run` works on it.");
        return Ok(Exit::Open);
    }
    let ended = drive(app, world, Goal::Order(id)).await?;
    drop(getting_ready);
    let order = world.store.order(id).await?;
    report(app, world, &order).await?;
    tell(app, &ended);
    Ok(Exit::of_counts(&order.counts))
}

/// Plans, asks and accepts. Answers the order, or nothing when the plan was only rehearsed.
pub(crate) async fn accept(
    app: &mut App,
    world: &World,
    mut request: PlanRequest,
    consent: Consent,
) -> Result<Option<OrderId>, Failure> {
    world.check_open_orders().await?;
    request.max_subjects = consent.max_subjects;
    request.dry_run = consent.dry_run;
    let planner = Planner::new(PlannerParts {
        store: Arc::clone(&world.store),
        fleet: Arc::clone(&world.fleet),
        protected: world.config.protected.clone(),
        guards: world.config.guards.clone(),
    });
    let shown = progress::Planning::new(Shown::on(app.global.quiet, &app.bars));
    let plan = planner
        .plan(request, |progress| shown.show(&progress))
        .await?;
    drop(shown);
    if consent.dry_run {
        plan_output::print(&mut app.printer, &plan.summary)?;
        planner.discard(plan).await?;
        return Ok(None);
    }
    let given = ask(app, &plan, consent)?;
    let accepted = planner.accept(plan, given).await?;
    app.say(&format!("Accepted as order {}.", accepted.order));
    Ok(Some(accepted.order))
}

/// What the person, or the script, says to the plan.
fn ask(app: &App, plan: &Plan, consent: Consent) -> Result<Given, Failure> {
    let flags = Given::Flags {
        yes: consent.yes,
        max_subjects: consent.max_subjects,
    };
    let interactive =
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal() && !plan.used_stdin;
    let stated =
        consent.yes && (plan.summary.needs == Confirmation::Yes || consent.max_subjects.is_some());
    if stated || !interactive {
        return Ok(flags);
    }
    remark(&plan_output::text(&plan.summary, app.printer.width()));
    let people = plan.summary.people;
    let question = match plan.summary.needs {
        Confirmation::Size => {
            format!("Type the number of people ({people}) to go on, anything else to stop: ")
        }
        Confirmation::Yes => "Go on? [y/N] ".to_owned(),
    };
    let answer = app.bars.suspend(|| {
        let mut err = std::io::stderr().lock();
        let _closed = err
            .write_all(question.as_bytes())
            .and_then(|()| err.flush());
        let mut answer = String::new();
        std::io::stdin()
            .read_line(&mut answer)
            .map(|_| answer.trim().to_owned())
    })?;
    Ok(match plan.summary.needs {
        Confirmation::Size => answer.parse().map_or(Given::No, Given::Typed),
        Confirmation::Yes if matches!(answer.to_lowercase().as_str(), "y" | "yes") => Given::Yes,
        Confirmation::Yes => Given::No,
    })
}

/// Works until the goal is reached: as the one working process of the state folder, or following the one that is.
pub(crate) async fn drive(app: &App, world: &World, goal: Goal) -> Result<Ended, Failure> {
    let stop = crate::stop::on_signals(app.global.quiet);
    let parts = EngineParts::new(
        Arc::clone(&world.store),
        Arc::clone(&world.fleet),
        Arc::clone(&app.clock),
        app.actor.clone(),
    )
    .with_protected(world.config.protected.clone())
    .with_canary(world.config.guards.canary);
    let engine = Engine::new(parts);
    let lock = Lock::new(Arc::clone(&world.folder), app.global.quiet);
    let shown = Shown::on(app.global.quiet, &app.bars);
    let ended = tokio::select! {
        ended = engine.run_or_follow(goal, &lock, &stop) => ended,
        () = progress::show(shown, &engine) => unreachable!("progress is shown until the work ends"),
    };
    Ok(ended?)
}

/// `orders watch`: follows a running order to its end, working on nothing.
pub(crate) async fn watch(app: &mut App, id: &str) -> Result<Exit, Failure> {
    let (_folder, store) = app.state()?;
    let order = find_order(store.as_ref(), id).await?;
    let stop = crate::stop::on_signals(true);
    let shown = Shown::on(app.global.quiet, &app.bars);
    let order = progress::watch(shown, store.as_ref(), order.id, &stop).await?;
    let exit = Exit::of_counts(&order.counts);
    print_orders(app, store.as_ref(), None, &[order], false).await?;
    Ok(exit)
}

/// Prints what became of an order.
async fn report(app: &mut App, world: &World, order: &Order) -> Result<(), Failure> {
    print_orders(
        app,
        world.store.as_ref(),
        Some(world),
        std::slice::from_ref(order),
        false,
    )
    .await
}

/// Prints what became of the orders of a `run`: with JSON, `orders` is always there.
pub(crate) async fn report_run(
    app: &mut App,
    world: &World,
    orders: &[Order],
) -> Result<(), Failure> {
    print_orders(app, world.store.as_ref(), Some(world), orders, true).await
}

async fn print_orders(
    app: &mut App,
    store: &dyn Store,
    world: Option<&World>,
    orders: &[Order],
    with_orders: bool,
) -> Result<(), Failure> {
    match app.printer.format() {
        Output::Json => job::print_json(&mut app.printer, store, orders, with_orders, &[]).await?,
        Output::Jsonl | Output::Csv => {
            job::print_lines(&mut app.printer, store, orders, &[]).await?;
        }
        Output::Text => {
            for order in orders {
                summary::print(
                    &mut app.printer,
                    store,
                    world.map(|world| world.fleet.as_ref()),
                    order,
                )
                .await?;
            }
        }
    }
    Ok(())
}

/// Says what only a person can free.
pub(crate) fn tell(app: &App, ended: &Ended) {
    match ended {
        Ended::Finished => {}
        Ended::Interrupted => app.say("Stopped. `rescind run` continues; nothing is lost."),
        Ended::NeedsPerson(remedies) => {
            for remedy in remedies {
                let about = match (&remedy.provider, &remedy.order) {
                    (Some(provider), _) => provider.to_string(),
                    (None, Some(order)) => format!("order {order}"),
                    (None, None) => "the work".to_owned(),
                };
                remark(&format!("{about} stopped: {}", remedy.message));
                if let Some(hint) = &remedy.hint {
                    remark(&format!("hint: {hint}"));
                }
            }
            app.say("Mend that, then `rescind run` continues; nothing is lost.");
        }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        let (exit, code) = match error.class() {
            PlanErrorClass::Input => (Exit::Usage, "input"),
            PlanErrorClass::Guard => (Exit::Guard, "guard"),
            PlanErrorClass::Store => (Exit::Fault, "store"),
        };
        let failure = Self::new(exit, code, error.to_string());
        match error.hint() {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error) => error.into(),
            EngineError::Bindings(message) => Self::new(Exit::Usage, "other_tenant", message),
            other => Self::fault(other.to_string()),
        }
    }
}
