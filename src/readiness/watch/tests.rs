use bson::raw::RawDocumentBuf;
use bson::rawdoc;

use super::super::report::{LineReport, Report, Why};
use super::*;
use crate::authz::Refused;
use crate::authz::action::Action;
use crate::authz::grants::Grants;
use crate::authz::request::Sequences;
use crate::authz::rules::Granted;
use crate::authz::testing::{request, user};

/// A principal that may read the database `app`.
fn reader() -> Arc<Principal> {
    Arc::new(user("find@app"))
}

/// `find` needs find, `update` needs update and with `upsert` insert too, which only a sequence that was read tells.
fn rule(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let collection = first_text(request).unwrap_or_default();
    let resource = Resource::Collection { database: request.database(), collection };
    let mut need = |action| if grants.has(resource, action) { Ok(()) } else { Err(Refused::NotAuthorized) };
    match request.canonical_name {
        "find" => need(Action::Find)?,
        "update" => {
            need(Action::Update)?;
            if let Sequences::Read(bytes) = request.sequences {
                if bytes == b"upsert" {
                    need(Action::Insert)?;
                }
            } else if need(Action::Insert).is_err() {
                return Err(Refused::WholeMessage);
            }
        }
        _ => {}
    }
    Ok(Granted::AsIs)
}

struct Bench {
    record: Record,
    watch: Watch,
    is_enforced: bool,
}

impl Bench {
    fn new() -> Self {
        let client = Client { application: "shop".into(), driver: "d 1".into(), address: "10.0.0.7".into(), ..Client::default() };
        Self { record: Record::default(), watch: Watch::new(client), is_enforced: false }
    }

    fn run(&mut self, principal: Option<&Arc<Principal>>, body: &RawDocumentBuf) -> Result<Outcome, WholeMessage> {
        self.run_with(principal, body, Sequences::None)
    }

    fn run_with(
        &mut self,
        principal: Option<&Arc<Principal>>,
        body: &RawDocumentBuf,
        sequences: Sequences<'_>,
    ) -> Result<Outcome, WholeMessage> {
        let judging = Judging { rule, cursors: &Cursors::default(), now_ms: 1, is_enforced: self.is_enforced };
        self.watch.observe(&self.record, principal, &request("app", body, sequences), judging)
    }

    fn report(&self) -> Report {
        self.record.report()
    }

    /// Command, whether it would be allowed, and count of each line.
    fn lines(&self) -> Vec<(String, bool, u64)> {
        let report = self.report();
        let lines = report.applications.iter().flat_map(|application| &application.lines);
        lines.map(|one| (one.line.command.clone(), one.line.why.is_none(), one.tally.count)).collect()
    }
}

fn find(collection: &str) -> RawDocumentBuf {
    rawdoc! { "find": collection, "$db": "app" }
}

fn update(collection: &str) -> RawDocumentBuf {
    rawdoc! { "update": collection, "$db": "app" }
}

#[test]
fn every_command_counts_once_whether_it_is_remembered_or_not() {
    let mut bench = Bench::new();
    let ann = reader();
    for round in 0..3 {
        for collection in ["a", "b", "c"] {
            assert_eq!(bench.run(Some(&ann), &find(collection)), Ok(Outcome::Allowed), "{round}");
        }
        let outcome = bench.run_with(Some(&ann), &update("a"), Sequences::Read(b""));
        assert_eq!(outcome, Ok(Outcome::MissingPrivilege), "{round}");
    }
    assert_eq!(bench.lines(), [("update".to_owned(), false, 3), ("find".to_owned(), true, 9)]);
}

#[test]
fn nobody_is_refused_everything_whatever_it_needs() {
    let mut bench = Bench::new();
    for _ in 0..2 {
        assert_eq!(bench.run(None, &find("a")), Ok(Outcome::Unauthenticated));
        assert_eq!(bench.run(None, &rawdoc! { "hostInfo": 1, "$db": "app" }), Ok(Outcome::Unauthenticated));
    }
    assert_eq!(bench.lines(), [("find".to_owned(), false, 2), ("hostInfo".to_owned(), false, 2)]);
}

#[test]
fn who_logs_in_is_judged_by_what_it_may_do() {
    let mut bench = Bench::new();
    assert_eq!(bench.run(None, &find("a")), Ok(Outcome::Unauthenticated));
    assert_eq!(bench.run(Some(&reader()), &find("a")), Ok(Outcome::Allowed));
    assert_eq!(bench.run(None, &find("a")), Ok(Outcome::Unauthenticated));
    assert_eq!(bench.lines(), [("find".to_owned(), false, 2), ("find".to_owned(), true, 1)]);
}

#[test]
fn what_a_sister_command_needs_more_is_not_forgotten() {
    let mut bench = Bench::new();
    let needs = |bench: &Bench| bench.report().applications.first().unwrap().needs.len();
    for (sequences, expected) in [(&b""[..], 1), (b"", 1), (b"upsert", 2), (b"", 2), (b"upsert", 2)] {
        let outcome = bench.run_with(None, &update("a"), Sequences::Read(sequences));
        assert_eq!((outcome, needs(&bench)), (Ok(Outcome::Unauthenticated), expected));
    }
    assert_eq!(bench.lines(), [("update".to_owned(), false, 5)]);
}

#[test]
fn a_command_that_can_not_be_judged_by_its_head_is_not_counted() {
    let mut bench = Bench::new();
    assert_eq!(bench.run_with(None, &update("a"), Sequences::Unread), Err(WholeMessage));
    assert!(bench.report().applications.is_empty());
}

#[test]
fn the_missing_privilege_is_named_with_its_collection() {
    let mut bench = Bench::new();
    let _ = bench.run_with(Some(&reader()), &update("totals"), Sequences::Read(b""));
    let report = bench.report();
    let LineReport { line, namespace, .. } =
        report.applications.first().and_then(|application| application.lines.first()).unwrap();
    let Some(Why::MissingPrivilege(missing)) = &line.why else { panic!("{line:?}") };
    let [need] = missing.as_slice() else { panic!("{missing:?}") };
    assert_eq!(need.action, Action::Update);
    assert_eq!(need.resource.as_resource(), Resource::Collection { database: "app", collection: "totals" });
    assert_eq!(namespace, "app.totals");
}

#[test]
fn a_first_field_that_is_no_collection_is_not_shown_as_one() {
    let mut bench = Bench::new();
    let _ = bench.run(None, &rawdoc! { "createUser": "ann", "$db": "app" });
    let report = bench.report();
    let LineReport { namespace, .. } = report.applications.first().and_then(|application| application.lines.first()).unwrap();
    assert_eq!(namespace, "app");
}

#[test]
fn what_was_refused_in_earnest_has_lines_of_its_own() {
    let mut bench = Bench::new();
    let ann = reader();
    for is_enforced in [false, true, true, false] {
        bench.is_enforced = is_enforced;
        let outcome = bench.run_with(Some(&ann), &update("a"), Sequences::Read(b""));
        assert_eq!(outcome, Ok(Outcome::MissingPrivilege));
    }
    let report = bench.report();
    let lines = &report.applications.first().unwrap().lines;
    let found: Vec<_> = lines.iter().map(|one| (one.line.is_enforced, one.tally.count, one.is_denied())).collect();
    assert_eq!(found, [(false, 2, true), (true, 2, true)]);
}

#[test]
fn what_was_refused_although_the_rules_allow_it_is_never_counted_as_allowed() {
    let mut bench = Bench::new();
    bench.is_enforced = true;
    for _ in 0..2 {
        assert_eq!(bench.run(Some(&reader()), &find("a")), Ok(Outcome::MissingPrivilege));
    }
    assert_eq!(bench.lines(), [("find".to_owned(), false, 2)]);
}
