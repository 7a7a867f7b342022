//! What the would-deny record costs a command in transition, for the three kinds of users: it is added to what a command costs anyway.

use std::hint::black_box;
use std::sync::Arc;

use bson::raw::{RawArrayBuf, RawDocumentBuf};
use bson::rawdoc;
use criterion::{Criterion, criterion_group, criterion_main};
use doorward::authz;
use doorward::authz::cursors::Cursors;
use doorward::authz::principal::Principal;
use doorward::authz::privileges::Privileges;
use doorward::authz::request::{Request, Sequences};
use doorward::names::UserName;
use doorward::readiness::Client;
use doorward::readiness::record::Record;
use doorward::readiness::watch::{Judging, Watch};
use doorward::wire::command::Command;

/// A user that may do these actions in the database `app`.
fn user(actions: &[&str]) -> Arc<Principal> {
    let (mut names, mut privileges) = (RawArrayBuf::new(), RawArrayBuf::new());
    actions.iter().for_each(|action| names.push(*action));
    privileges.push(rawdoc! { "resource": { "db": "app", "collection": "" }, "actions": names });
    Arc::new(Principal::new(UserName::new("ann", "app"), Vec::new(), Privileges::from_inherited(&privileges)))
}

fn commands() -> [(&'static str, RawDocumentBuf); 3] {
    let lookup = |from: &str| rawdoc! { "$lookup": { "from": from, "localField": "a", "foreignField": "b", "as": "c" } };
    let mut pipeline = RawArrayBuf::new();
    pipeline.push(rawdoc! { "$match": { "a": 1 } });
    pipeline.push(lookup("carts"));
    pipeline.push(lookup("users"));
    let lsid = || rawdoc! { "id": bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![7; 16] } };
    [
        ("find", rawdoc! { "find": "orders", "filter": { "_id": 1 }, "limit": 1, "lsid": lsid(), "$db": "app" }),
        ("insert", rawdoc! { "insert": "orders", "ordered": true, "lsid": lsid(), "$db": "app" }),
        ("aggregate", rawdoc! { "aggregate": "orders", "pipeline": pipeline, "cursor": {}, "lsid": lsid(), "$db": "app" }),
    ]
}

fn observe(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("readiness/observe");
    let users = [("ready", Some(user(&["find", "insert"]))), ("lacking", Some(user(&["collStats"]))), ("nobody", None)];
    for (name, body) in &commands() {
        for (who, principal) in &users {
            let (record, cursors) = (Record::default(), Cursors::default());
            let mut watch = Watch::new(Client {
                application: "shop".into(),
                driver: "d 1".into(),
                address: "10.0.0.7".into(),
                ..Client::default()
            });
            let command = Command::new(name, "app", body);
            let request = Request { command, canonical_name: name, sequences: Sequences::None };
            let judging = Judging { rule: authz::rehearse, cursors: &cursors, now_ms: 1, is_enforced: false };
            group.bench_function(format!("{name}/{who}"), |bencher| {
                bencher.iter(|| watch.observe(&record, principal.as_ref(), black_box(&request), judging));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, observe);
criterion_main!(benches);
