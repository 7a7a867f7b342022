use proptest::prelude::*;

use super::super::report::{ApplicationReport, LineReport, Overflow};
use super::*;
use crate::authz::action::Action;

fn client(application: &str, address: &str) -> Client {
    Client { application: application.into(), driver: "PyMongo 4.8.0".into(), address: address.into(), ..Client::default() }
}

fn need(database: &str, collection: &str, action: Action) -> Need {
    Need { resource: OwnedResource::Collection { database: database.into(), collection: collection.into() }, action }
}

fn count(record: &Record, client: &Client, command: &str, why: Option<&Why>, needs: &[Need], now_ms: i64) -> Arc<Counter> {
    let user = why.is_none_or(|why| *why != Why::Unauthenticated).then(|| UserName::new("ann", "app"));
    let operation = Operation { client, user: user.as_ref(), command, namespace: "app.orders", why, is_enforced: false, needs };
    record.operation(&operation, now_ms)
}

fn only(record: &Record) -> ApplicationReport {
    let mut report = record.report();
    assert_eq!(report.applications.len(), 1, "{report:?}");
    report.applications.remove(0)
}

#[test]
fn alike_operations_share_a_counter_with_their_first_and_last_moment() {
    let record = Record::default();
    let shop = client("shop", "10.0.0.7");
    count(&record, &shop, "find", Some(&Why::Unauthenticated), &[], 5);
    count(&record, &shop, "find", Some(&Why::Unauthenticated), &[], 7).add(9);
    let application = only(&record);
    let [LineReport { line, tally, namespace, .. }] = application.lines.as_slice() else { panic!("{application:?}") };
    assert_eq!((line.command.as_str(), line.address.as_str(), namespace.as_str()), ("find", "10.0.0.7", "app.orders"));
    assert_eq!(*tally, Tally { count: 3, first_ms: 5, last_ms: 9 });
}

#[test]
fn an_application_is_ready_when_everything_it_does_would_be_allowed() {
    let record = Record::default();
    let find = [need("app", "orders", Action::Find)];
    count(&record, &client("ready", "10.0.0.1"), "find", None, &find, 1);
    count(&record, &client("nobody", "10.0.0.2"), "find", Some(&Why::Unauthenticated), &find, 1);
    let lacks = Why::MissingPrivilege(vec![need("app", "totals", Action::Insert)]);
    count(&record, &client("lacking", "10.0.0.3"), "find", None, &find, 1);
    count(&record, &client("lacking", "10.0.0.3"), "insert", Some(&lacks), &[need("app", "totals", Action::Insert)], 1);
    let report = record.report();
    let verdicts: Vec<_> = report.applications.iter().map(|one| (one.name.as_str(), one.is_ready(), one.counts())).collect();
    assert_eq!(verdicts, [("lacking", false, (1, 0, 1)), ("nobody", false, (0, 1, 0)), ("ready", true, (1, 0, 0))]);
    let needs = &report.applications.first().unwrap().needs;
    assert_eq!(*needs, [(need("app", "orders", Action::Find), false), (need("app", "totals", Action::Insert), true)]);
}

#[test]
fn a_failed_login_counts_until_the_same_user_logs_in_from_there() {
    let record = Record::default();
    let (shop, elsewhere) = (client("shop", "10.0.0.7"), client("shop", "10.0.0.8"));
    let user = UserName::new("ann", "app");
    let login = |client| Login { client, user: Some(&user), mechanism: "SCRAM-SHA-256" };
    record.login_failed(&login(&shop), 1);
    assert!(!only(&record).is_ready());
    record.login_succeeded(&login(&elsewhere), 2);
    assert!(!only(&record).is_ready());
    record.login_succeeded(&login(&shop), 3);
    assert!(only(&record).is_ready());
    record.login_failed(&login(&shop), 4);
    assert!(!only(&record).is_ready());
}

#[test]
fn a_login_of_an_application_that_never_failed_leaves_no_trace() {
    let record = Record::default();
    record.login_succeeded(&Login { client: &client("shop", ""), user: None, mechanism: "SCRAM-SHA-256" }, 1);
    assert!(record.report().applications.is_empty());
}

#[test]
fn the_period_begins_with_the_first_transition_and_ends_with_the_last() {
    let record = Record::default();
    let period = || (record.report().since_ms, record.report().ended_ms);
    record.set_transition(false, 1);
    assert_eq!(period(), (None, None));
    record.set_transition(true, 2);
    record.set_transition(true, 3);
    assert_eq!(period(), (Some(2), None));
    record.set_transition(false, 4);
    record.set_transition(false, 5);
    assert_eq!(period(), (Some(2), Some(4)));
    record.set_transition(true, 6);
    assert_eq!(period(), (Some(2), None));
}

#[test]
fn names_that_are_longer_than_any_real_one_are_cut() {
    let record = Record::default();
    let long = "x".repeat(10_000);
    let needs = [need(&long, &long, Action::Find)];
    let why = Why::MissingPrivilege(needs.to_vec());
    let shop = client("shop", "10.0.0.7");
    let operation = Operation {
        client: &shop,
        user: Some(&UserName::new(&*long, &*long)),
        command: &long,
        namespace: &long,
        why: Some(&why),
        is_enforced: false,
        needs: &needs,
    };
    record.operation(&operation, 1);
    record.operation(&operation, 1);
    record.login_failed(&Login { client: &shop, user: Some(&UserName::new(&*long, &*long)), mechanism: &long }, 1);
    let text = format!("{:?}", record.report());
    assert!(text.len() < 4096, "{} bytes", text.len());
    assert_eq!(only(&record).lines.len(), 1);
}

/// One thing that happens: which application, address, command, why, need; or a failed login.
type Happening = (u8, u8, u8, u8, u8, bool);

fn happen(record: &Record, (application, address, command, why, collection, login): Happening) {
    let client = client(&format!("app{application}"), &format!("10.0.0.{address}"));
    if login {
        let user = UserName::new(format!("user{command}"), "app");
        return record.login_failed(&Login { client: &client, user: Some(&user), mechanism: "SCRAM-SHA-1" }, 1);
    }
    let needs = [need("app", &format!("c{collection}"), Action::Find)];
    let missing = Why::MissingPrivilege(needs.to_vec());
    let why = match why % 3 {
        0 => None,
        1 => Some(&Why::Unauthenticated),
        _ => Some(&missing),
    };
    count(record, &client, &format!("command{command}"), why, &needs, 1);
}

/// Operations and failed logins of a report, the overflow included.
fn total(report: &Report) -> (u64, u64) {
    let rest = |overflow: &Overflow| (overflow.allowed + overflow.denied, overflow.failed_logins);
    let mut sum = rest(&report.overflow);
    for application in &report.applications {
        let (operations, logins) = rest(&application.overflow);
        sum.0 += operations + application.lines.iter().map(|one| one.tally.count).sum::<u64>();
        sum.1 += logins + application.failed_logins.iter().map(|(_, tally, _)| tally.count).sum::<u64>();
    }
    sum
}

proptest! {
    #[test]
    fn whatever_happens_memory_is_bounded_and_every_event_is_counted(
        events in prop::collection::vec((0_u8..12, any::<u8>(), 0_u8..8, any::<u8>(), 0_u8..40, any::<bool>()), 0..600),
    ) {
        let limits =
            Limits { applications: 5, entries_an_application: 9, entries: 20, needs_an_application: 4, needs: 10, missing: 2 };
        let record = Record::new(limits);
        let logins = events.iter().filter(|event| event.5).count() as u64;
        events.iter().for_each(|event| happen(&record, *event));
        let report = record.report();
        prop_assert_eq!(total(&report), (events.len() as u64 - logins, logins));
        let lines = |one: &ApplicationReport| one.lines.len() + one.failed_logins.len();
        prop_assert!(report.applications.len() <= limits.applications);
        prop_assert!(report.applications.iter().all(|one| lines(one) <= limits.entries_an_application));
        prop_assert!(report.applications.iter().map(lines).sum::<usize>() <= limits.entries);
        prop_assert!(report.applications.iter().all(|one| one.needs.len() <= limits.needs_an_application));
        prop_assert!(report.applications.iter().map(|one| one.needs.len()).sum::<usize>() <= limits.needs);
    }
}
