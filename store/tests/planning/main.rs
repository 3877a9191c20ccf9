//! What a plan says, and what it leaves in the store.

mod cloud;

use std::fmt::Write as _;
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cloud::{Cloud, Health};
use rescind_core::clock::SystemClock;
use rescind_core::config::Guards;
use rescind_core::engine::fleet::Fleet;
use rescind_core::id::ProviderName;
use rescind_core::job::{Job, JobState};
use rescind_core::order::{Actor, Note};
use rescind_core::plan::{
    Accepted, Confirmation, Given, GuardRefusal, Input, Plan, PlanError, PlanErrorClass,
    PlanRequest, Planner, PlannerParts,
};
use rescind_core::report::OutcomeName;
use rescind_core::store::{Purpose, Store};
use rescind_store::StateFolder;

struct World {
    store: Arc<dyn Store>,
    planner: Planner,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new(clouds: &[(&Arc<Cloud>, &[&str])]) -> Self {
        Self::guarded(clouds, Guards::default()).await
    }

    async fn guarded(clouds: &[(&Arc<Cloud>, &[&str])], guards: Guards) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let purpose = Purpose { sandbox: false };
        let state = StateFolder::open(folder.path(), purpose).expect("a state folder");
        let store: Arc<dyn Store> = state.store();
        let providers = clouds
            .iter()
            .map(|(cloud, domains)| cloud.configured(domains));
        let fleet = Fleet::open(providers.collect(), store.as_ref(), Arc::new(SystemClock)).await;
        let planner = Planner::new(PlannerParts {
            store: Arc::clone(&store),
            fleet: Arc::new(fleet.expect("a fleet")),
            protected: vec!["BreakGlass@contoso.com".to_owned()],
            guards,
        });
        Self {
            store,
            planner,
            _folder: folder,
        }
    }

    async fn plan(&self, request: PlanRequest) -> Result<Plan, PlanError> {
        self.planner.plan(request, |_| {}).await
    }

    async fn planned(&self, request: PlanRequest) -> Plan {
        self.plan(request).await.expect("a plan")
    }

    async fn refusal(&self, request: PlanRequest) -> PlanError {
        self.plan(request).await.expect_err("no plan")
    }

    async fn accepted(&self, request: PlanRequest) -> (Accepted, Vec<Job>) {
        let plan = self.planned(request).await;
        let people = plan.summary.people;
        let accepted = self.planner.accept(plan, Given::Typed(people)).await;
        let accepted = accepted.expect("accepted");
        let jobs = self.store.jobs(accepted.key, &[], None, 10_000).await;
        (accepted, jobs.expect("jobs"))
    }

    async fn denials(&self) -> Vec<String> {
        let entries = self.store.audit(0, 100).await.expect("the audit");
        let denied = entries.into_iter().filter(|e| e.action == "order_denied");
        denied.filter_map(|entry| entry.outcome).collect()
    }
}

fn request() -> PlanRequest {
    let note = Note::parse("left the company", 1).expect("a note");
    PlanRequest::new(note, Actor::new("maria", "os-user"))
}

fn text(text: &str) -> Input {
    bytes(text.as_bytes())
}

fn bytes(bytes: &[u8]) -> Input {
    Input::Reader {
        name: "people".to_owned(),
        reader: Box::new(Cursor::new(bytes.to_vec())),
    }
}

fn name(text: &str) -> ProviderName {
    ProviderName::parse(text).expect("a name")
}

fn entra() -> Arc<Cloud> {
    let cloud = Cloud::new("entra")
        .with_person("1", "ada@contoso.com", &["ada.l@contoso.com"])
        .with_person("2", "bob@contoso.com", &[])
        .with_person("9", "breakglass@contoso.com", &["emergency@contoso.com"])
        .with_guest("3", "guest@fabrikam.example")
        .with_group("leavers", &[&["1"], &["2", "3"]])
        .with_group("nobody", &[&[]])
        .with_group("circle", &[&["1"]]);
    Arc::new(cloud)
}

#[tokio::test]
async fn typos_guests_and_the_protected_show_before_the_yes() {
    let cloud = entra();
    let world = World::new(&[(&cloud, &[])]).await;
    let list = "ada@contoso.com\ntypo@contoso.com\nguest@fabrikam.example\n\nADA@contoso.com\n\
                brеakglass@contoso.com\nemergency@contoso.com\ntwin@contoso.com\n";
    let (accepted, jobs) = {
        let plan = world.planned(request().with_input(text(list))).await;
        let summary = &plan.summary;
        assert_eq!(
            (summary.people, summary.jobs, summary.duplicates),
            (5, 6, 1)
        );
        assert_eq!(summary.needs, Confirmation::Yes);
        // One by a look-alike of its name, one by an alias that only the provider knows.
        let protected = ["brеakglass@contoso.com", "emergency@contoso.com"];
        assert_eq!(summary.protected.subjects, protected);
        let [provider] = &summary.providers[..] else {
            panic!("one provider");
        };
        assert!(provider.looked_up);
        assert_eq!(provider.not_found.subjects, ["typo@contoso.com"]);
        assert_eq!(provider.ambiguous.subjects, ["twin@contoso.com"]);
        assert_eq!(
            provider.not_covered[0].people.subjects,
            ["guest@fabrikam.example"]
        );
        assert_eq!(provider.not_covered[0].why.remedy, "ask the home tenant");
        assert_eq!((provider.jobs, provider.refused), (6, 3));
        let accepted = world
            .planner
            .accept(plan, Given::Yes)
            .await
            .expect("accepted");
        let jobs = world
            .store
            .jobs(accepted.key, &[], None, 100)
            .await
            .expect("jobs");
        (accepted, jobs)
    };
    assert!(
        !cloud
            .asked
            .lock()
            .expect("no panic")
            .contains(&"brеakglass@contoso.com".to_owned())
    );
    let order = world.store.order(accepted.order).await.expect("the order");
    assert_eq!((order.counts.accepted, order.counts.refused), (6, 3));
    let of = |subject: &str| {
        let found = jobs
            .iter()
            .find(|job| job.subject.as_deref() == Some(subject));
        found.expect("a job")
    };
    let resolved = of("ada@contoso.com").resolved.as_ref();
    assert_eq!(resolved.map(|resolved| resolved.id.as_str()), Some("1"));
    assert_eq!(of("typo@contoso.com").state, JobState::Pending);
    for protected in ["brеakglass@contoso.com", "emergency@contoso.com"] {
        assert_eq!(of(protected).state, JobState::Refused);
        assert_eq!(of(protected).detail.outcome, Some(OutcomeName::Protected));
    }
    let guest = of("guest@fabrikam.example");
    assert_eq!(guest.detail.outcome, Some(OutcomeName::Unsupported));
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_leaves_nothing() {
    let cloud = entra();
    let world = World::new(&[(&cloud, &[])]).await;
    let list = || request().with_input(text("ada@contoso.com\nbob@contoso.com"));
    let mut dry = list();
    dry.dry_run = true;
    let dry = world.planned(dry).await;
    let real = world.planned(list()).await;
    assert_eq!(dry.summary.hash, real.summary.hash);
    let swapped = request().with_input(text("bob@contoso.com\nada@contoso.com"));
    assert_ne!(world.planned(swapped).await.summary.hash, real.summary.hash);
    let refused = world.planner.accept(dry, Given::Yes).await;
    assert!(matches!(refused, Err(PlanError::Input { .. })));
    let accepted = world
        .planner
        .accept(real, Given::Yes)
        .await
        .expect("accepted");
    let orders = world.store.orders(None, 9).await.expect("orders");
    assert_eq!(orders.len(), 1);
    assert_eq!(orders[0].key, accepted.key);
    let shown = format!("{:?}", world.planned(list()).await.summary);
    assert!(!shown.contains('@'), "{shown}");
    let json = serde_json::to_value(&world.planned(list()).await.summary).expect("JSON");
    for key in [
        "hash",
        "people",
        "jobs",
        "providers",
        "protected",
        "duplicates",
        "left_out",
        "bad_rows",
    ] {
        assert!(!json[key].is_null(), "{key} is in {json}");
    }
}

#[tokio::test]
async fn bad_rows_stop_the_plan_with_their_lines_or_are_listed() {
    let cloud = entra();
    let world = World::new(&[(&cloud, &[])]).await;
    let table = b"\xef\xbb\xbfEmail,provider,note\r\nada@contoso.com,entra,\"a, b\"\r\n\r\nhidden,,\r\n\
                  bob@contoso.com,okta,\r\n\xff@contoso.com,,\r\n\"x\"y@contoso.com,,\r\n,,\r\nbob@contoso.com\r\n\
                  bob@contoso.com,,,z\r\na\x00b@contoso.com,,\r\n";
    let error = world.refusal(request().with_input(bytes(table))).await;
    assert_eq!(error.class(), PlanErrorClass::Input);
    let message = error.to_string();
    let expected = [
        "7 rows cannot be read:",
        "people, line 4: the e-mail address has no @",
        "people, line 5: no provider is called \"okta\"; there are: entra",
        "people, line 6: not UTF-8",
        "people, line 7: text follows a closing quote",
        "people, line 9: 1 cells, and the header has 3 columns",
        "people, line 10: more cells than the 3 columns",
        "people, line 11: the subject contains control, line-break or invisible characters",
    ];
    let lines: Vec<&str> = message.lines().map(str::trim).collect();
    assert_eq!(lines, expected);
    assert!(!message.contains("hidden"));

    let mut skipping = request().with_input(bytes(table));
    skipping.skip_bad_rows = true;
    let plan = world.planned(skipping).await;
    assert_eq!((plan.summary.people, plan.summary.bad_rows.count), (1, 7));
    assert!(plan.summary.warnings[0].contains("rows with a note of their own: 1"));
}

#[tokio::test]
async fn input_that_is_no_list_of_people_is_an_error() {
    let cloud = entra();
    let world = World::new(&[(&cloud, &[])]).await;
    let mut endless = b"email,note\nada@contoso.com,\"".to_vec();
    endless.resize(10 << 20, b'x');
    let long_line = vec![b'x'; 3 << 20];
    for (input, why) in [
        (&b""[..], "names nobody"),
        (b"\n \r\n\n", "names nobody"),
        (b"email\n", "names nobody"),
        (b"\xff\xfee\0m\0", "UTF-16"),
        (
            b"First name,Last name\nAda,L\n",
            "no column of \"First name\", \"Last name\" is known",
        ),
        (b"ada@contoso.com,entra\n", "need a header"),
        (
            b"email,department\nada@contoso.com,x\n",
            "line 1: the column \"department\" is unknown; allowed: subject",
        ),
        (
            b"\n\nemail,email\n",
            "line 3: the column \"email\" says again",
        ),
        (
            b"email\n\"ada@contoso.com\n",
            "line 2: a quote is opened and never closed",
        ),
        (&endless, "line 2: longer than 1048576 bytes"),
        (&long_line, "line 1: longer than 1048576 bytes"),
        (b"Full name\n", "1 row cannot be read"),
        (b"{\"email\":\"ada@contoso.com\"\n", "not a JSON object"),
    ] {
        let error = world.refusal(request().with_input(bytes(input))).await;
        assert_eq!(error.class(), PlanErrorClass::Input, "{why}");
        assert!(error.to_string().contains(why), "{error} is not {why}");
    }
    let missing = Input::File("/nowhere/people.csv".into());
    let error = world.refusal(request().with_input(missing)).await;
    assert!(
        error
            .to_string()
            .contains("/nowhere/people.csv cannot be read"),
        "{error}"
    );
    let error = world.refusal(request()).await;
    assert!(error.to_string().contains("nobody"), "{error}");
}

#[tokio::test]
async fn a_person_goes_where_the_row_the_order_or_the_domain_says() {
    let entra = entra();
    let workspace = Arc::new(Cloud::new("workspace"));
    let edge = Arc::new(Cloud::new("edge").refusing());
    let world = World::new(&[
        (&entra, &["contoso.com"]),
        (&workspace, &["example.com"]),
        (&edge, &[]),
    ])
    .await;
    let table = "subject,provider,entra\nada@contoso.com,,\nbob@CONTOSO.com,entra,\ncem@example.com,,77\n\
                 dee@elsewhere.example,,\n42,,\n,,88\n";
    let (_, jobs) = world.accepted(request().with_input(text(table))).await;
    let sent: Vec<(String, &str, Option<&str>)> = jobs
        .iter()
        .map(|job| {
            (
                job.subject.clone().expect("not erased"),
                job.provider.as_str(),
                job.alias.as_deref(),
            )
        })
        .collect();
    let to = |subject: &str, provider, alias| (subject.to_owned(), provider, alias);
    assert_eq!(
        sent,
        [
            to("ada@contoso.com", "entra", None),
            to("ada@contoso.com", "edge", None),
            to("bob@CONTOSO.com", "entra", None),
            to("cem@example.com", "entra", Some("77")),
            to("cem@example.com", "workspace", None),
            to("cem@example.com", "edge", None),
            to("dee@elsewhere.example", "edge", None),
            to("42", "edge", None),
            to("88", "entra", None),
        ]
    );
    for job in jobs.iter().filter(|job| job.provider.as_str() == "edge") {
        assert_eq!(job.state, JobState::Refused);
        let refusal = job.detail.refusal.as_ref().expect("a reason");
        assert_eq!(refusal.remedy, "use another");
    }

    let mut named = request().with_input(text(
        "subject,provider\ncem@example.com,\nada@contoso.com,workspace\nADA@contoso.com,workspace\n",
    ));
    named.providers = vec![name("entra")];
    let plan = world.planned(named).await;
    assert_eq!((plan.summary.people, plan.summary.jobs), (1, 1));
    let why: Vec<&str> = plan
        .summary
        .left_out
        .iter()
        .map(|out| out.why.as_str())
        .collect();
    assert_eq!(
        why,
        [
            "no provider of this order may know them",
            "the row asks for it, and the order does not"
        ]
    );
    let count = |out: &rescind_core::plan::LeftOut| out.people.count;
    assert_eq!(
        plan.summary.left_out.iter().map(count).collect::<Vec<_>>(),
        [1, 1]
    );
    let mut unknown = request().with_input(text("ada@contoso.com"));
    unknown.providers = vec![name("okta")];
    let error = world.refusal(unknown).await;
    assert!(
        error.to_string().contains("no provider is called okta"),
        "{error}"
    );
}

#[tokio::test]
async fn a_group_is_expanded_to_its_last_page_or_not_at_all() {
    let cloud = entra();
    let world = World::new(&[(&cloud, &[])]).await;
    let group = |group: &str| {
        request().with_input(Input::Group {
            provider: name("entra"),
            group: group.to_owned(),
        })
    };
    let both = group("leavers").with_input(text("ADA@contoso.com"));
    let plan = world.planned(both).await;
    assert_eq!((plan.summary.people, plan.summary.duplicates), (3, 1));
    assert_eq!(plan.summary.needs, Confirmation::Size);
    let expanded = &plan.summary.groups[0];
    assert_eq!(expanded.id.as_deref(), Some("id of leavers"));
    assert_eq!(expanded.skipped[0].count, 2);
    assert_eq!(plan.summary.providers[0].not_covered[0].people.count, 1);
    let refused = world.planner.accept(plan, Given::Yes).await;
    let unstated = GuardRefusal::SizeNotStated { people: 3 };
    assert!(matches!(refused, Err(PlanError::Guard(why)) if why == unstated));

    let (_, jobs) = world.accepted(group("leavers")).await;
    let id = |job: &Job| job.resolved.as_ref().map(|resolved| resolved.id.clone());
    assert_eq!(
        jobs.iter().filter_map(id).collect::<Vec<_>>(),
        ["1", "2", "3"]
    );
    assert_eq!(jobs[2].state, JobState::Refused);
    for (bad, why) in [
        ("nobody", "has nobody to act on; 1 left out: a device"),
        ("circle", "cannot be expanded"),
        ("leavres", "no group is called so"),
    ] {
        let error = world.refusal(group(bad)).await;
        assert_eq!(error.class(), PlanErrorClass::Input);
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[tokio::test]
async fn a_guard_refuses_before_anything_is_staged_and_it_is_recorded() {
    let cloud = entra();
    let guards = || {
        let mut guards = Guards::default();
        guards.max_subjects = Some(3);
        guards.min_note_chars = 10;
        guards
    };
    let world = World::guarded(&[(&cloud, &[])], guards()).await;
    let four = "a@contoso.com\nb@contoso.com\nc@contoso.com\nd@contoso.com";
    let mut large = request().with_input(text(four));
    large.max_subjects = Some(1_000);
    let hard = world.refusal(large).await;
    assert_eq!(hard.class(), PlanErrorClass::Guard);
    assert!(hard.to_string().contains("4 people"), "{hard}");
    let mut meant = request().with_input(text("a@contoso.com\nb@contoso.com"));
    meant.max_subjects = Some(1);
    let own = world.refusal(meant).await;
    assert!(
        own.hint().expect("a hint").contains("--max-subjects 2"),
        "{own}"
    );
    let mut short = request().with_input(text("a@contoso.com"));
    short.note = Note::parse("left", 1).expect("a note");
    let note = world.refusal(short).await;
    assert_eq!(note.class(), PlanErrorClass::Guard);
    let plan = world
        .planned(request().with_input(text("a@contoso.com")))
        .await;
    world
        .planner
        .accept(plan, Given::No)
        .await
        .expect_err("declined");
    assert_eq!(world.denials().await.len(), 4);
    assert!(
        world
            .store
            .orders(None, 9)
            .await
            .expect("orders")
            .is_empty()
    );
}

#[tokio::test]
async fn a_provider_that_is_unwell_does_not_keep_people_from_being_planned() {
    let unwell = Arc::new(Cloud::new("entra").feeling(Health::LockedOut));
    let world = World::new(&[(&unwell, &[])]).await;
    let plan = world
        .planned(request().with_input(text("ada@contoso.com")))
        .await;
    let why = plan.summary.providers[0]
        .could_not_check
        .as_ref()
        .expect("a reason");
    assert_eq!(why.reason, "the client secret has expired");
    assert_eq!(why.hint.as_deref(), Some("make a new one"));
    world
        .planner
        .accept(plan, Given::Yes)
        .await
        .expect("accepted");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_answers_holds_a_plan_up_for_a_while_only() {
    let silent = Arc::new(Cloud::new("entra").feeling(Health::Silent));
    let world = World::new(&[(&silent, &[])]).await;
    let mut dry = request().with_input(Input::Arguments(vec!["ada@contoso.com".to_owned()]));
    dry.dry_run = true;
    let plan = world.planned(dry).await;
    let why = plan.summary.providers[0]
        .could_not_check
        .as_ref()
        .expect("a reason");
    assert!(why.reason.contains("no answer"), "{why:?}");
}

#[tokio::test]
async fn refused_jobs_are_tried_again_in_an_order_that_names_the_first() {
    let cloud = entra();
    let world = World::new(&[(&cloud, &[])]).await;
    let list = "ada@contoso.com\nguest@fabrikam.example\nbreakglass@contoso.com";
    let (first, _) = world.accepted(request().with_input(text(list))).await;
    let (second, jobs) = world.accepted(request().for_retry_of(first.order)).await;
    let subjects: Vec<_> = jobs
        .iter()
        .filter_map(|job| job.subject.as_deref())
        .collect();
    assert_eq!(
        subjects,
        ["guest@fabrikam.example", "breakglass@contoso.com"]
    );
    let order = world.store.order(second.order).await.expect("the order");
    assert_eq!(order.retry_of, Some(first.order));
    assert_eq!(jobs[1].detail.outcome, Some(OutcomeName::Protected));
}

#[tokio::test]
async fn single_items_are_one_job_an_account_and_guarded_like_any() {
    let cloud = entra();
    let world = World::new(&[(&cloud, &[])]).await;
    let items = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| text.parse().expect("an item"))
            .collect()
    };
    let ask = request().for_items(name("entra"), items(&["1/a", "9/b", "1/c"]));
    let (_, jobs) = world.accepted(ask).await;
    assert_eq!(jobs.len(), 2);
    assert_eq!(
        format!("{:?}", jobs[0].scope),
        r#"Items([ItemId("a"), ItemId("c")])"#
    );
    assert_eq!(jobs[0].state, JobState::Pending);
    assert_eq!(jobs[1].detail.outcome, Some(OutcomeName::Protected));
}

#[tokio::test]
async fn a_large_file_streams_through_without_a_look_up() {
    const PEOPLE: u64 = 30_000;
    let cloud = entra();
    let world = World::new(&[(&cloud, &[])]).await;
    let rows = (0..PEOPLE + PEOPLE / 10).map(|n| n % PEOPLE);
    let mut table = "email,note\n".to_owned();
    for n in rows {
        writeln!(table, "person{n:06}@contoso.com,").unwrap();
    }
    let plan = world.planned(request().with_input(text(&table))).await;
    let summary = &plan.summary;
    assert_eq!((summary.people, summary.jobs), (PEOPLE, PEOPLE));
    assert_eq!(summary.duplicates, PEOPLE / 10);
    assert_eq!(summary.needs, Confirmation::Size);
    assert!(!summary.providers[0].looked_up);
    assert_eq!(cloud.looked_up.load(Ordering::Relaxed), 0);
    let accepted = world
        .planner
        .accept(plan, Given::Typed(PEOPLE))
        .await
        .expect("accepted");
    let counts = world.store.recount(accepted.key).await.expect("counts");
    assert_eq!((counts.accepted, counts.open), (PEOPLE, PEOPLE));
}
