//! What judging a command costs. The target for a find and an insert of a user with five privileges is 300 ns.
#![expect(clippy::unwrap_used, reason = "a bench stops at the first surprise")]

use std::hint::black_box;

use bson::raw::{RawArrayBuf, RawDocumentBuf};
use bson::rawdoc;
use criterion::{Criterion, criterion_group, criterion_main};
use doorward::authz::cursors::Cursors;
use doorward::authz::grants::Held;
use doorward::authz::judge_held;
use doorward::authz::principal::Principal;
use doorward::authz::privileges::Privileges;
use doorward::authz::request::{Request, Sequences};
use doorward::authz::table::canonical_name;
use doorward::names::UserName;
use doorward::wire::command::{Command, Protocol};

fn user(privileges: impl Iterator<Item = (RawDocumentBuf, &'static [&'static str])>) -> Principal {
    let mut list = RawArrayBuf::new();
    for (resource, actions) in privileges {
        list.push(rawdoc! { "resource": resource, "actions": RawArrayBuf::from_iter(actions.iter().copied()) });
    }
    Principal::new(UserName::new("me", "shop"), Vec::new(), Privileges::from_inherited(&list))
}

const READ_WRITE: &[&str] = &["find", "insert", "update", "remove", "listCollections", "listIndexes", "createIndex"];

/// Five privileges, as `readWrite` on one database and `read` on another give.
fn five() -> Principal {
    user(
        [
            (rawdoc! { "db": "shop", "collection": "" }, READ_WRITE),
            (rawdoc! { "db": "shop", "collection": "system.js" }, READ_WRITE),
            (rawdoc! { "db": "stock", "collection": "" }, READ_WRITE),
            (rawdoc! { "db": "stock", "collection": "system.js" }, &["find"]),
            (rawdoc! { "cluster": true }, &["serverStatus"]),
        ]
        .into_iter(),
    )
}

/// As `root` has it: wildcards, the cluster, and system collections by name.
fn root() -> Principal {
    let named = ["system.users", "system.roles", "system.version", "system.js", "system.views", "system.profile", "system.keys"];
    let named = named.into_iter().map(|name| (rawdoc! { "db": "", "collection": name }, READ_WRITE));
    let wide = [
        (rawdoc! { "db": "", "collection": "" }, READ_WRITE),
        (rawdoc! { "db": "local", "collection": "" }, READ_WRITE),
        (rawdoc! { "db": "config", "collection": "" }, READ_WRITE),
        (rawdoc! { "system_buckets": "" }, READ_WRITE),
        (rawdoc! { "cluster": true }, &["serverStatus", "killop", "inprog"]),
        (rawdoc! { "anyResource": true }, &["validate", "dbCheck"]),
    ];
    user(named.chain(wide))
}

/// 200 collections by name.
fn many() -> Principal {
    user((0..200).map(|number| (rawdoc! { "db": "shop", "collection": format!("c{number}").as_str() }, READ_WRITE)))
}

fn find(collection: &str) -> RawDocumentBuf {
    rawdoc! {
        "find": collection,
        "filter": { "customer": "c-1029", "state": { "$in": ["open", "paid"] } },
        "sort": { "at": -1 },
        "limit": 20,
        "lsid": { "id": bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![7; 16] } },
        "$db": "shop",
        "$readPreference": { "mode": "primaryPreferred" },
    }
}

fn update() -> RawDocumentBuf {
    rawdoc! { "update": "orders", "ordered": true, "updates": [{ "q": { "_id": 1 }, "u": { "$set": { "a": 1 } } }], "$db": "shop" }
}

fn pipeline() -> RawDocumentBuf {
    rawdoc! {
        "aggregate": "orders",
        "pipeline": [
            { "$match": { "state": "open" } },
            { "$lookup": { "from": "customers", "localField": "customer", "foreignField": "_id", "as": "c" } },
            { "$unwind": "$c" },
            { "$addFields": { "total": { "$multiply": ["$price", "$count"] } } },
            { "$lookup": { "from": "items", "pipeline": [{ "$match": { "a": 1 } }], "as": "i" } },
            { "$group": { "_id": "$c", "sum": { "$sum": "$total" } } },
            { "$sort": { "sum": -1 } },
            { "$skip": 10 },
            { "$limit": 10 },
            { "$project": { "_id": 1, "sum": 1 } },
        ],
        "cursor": {},
        "$db": "shop",
    }
}

fn judging(criterion: &mut Criterion) {
    let cursors = Cursors::default();
    let (few, root, many) = (five(), root(), many());
    let member = Principal::member();
    let insert = rawdoc! { "insert": "orders", "ordered": true, "$db": "shop" };
    let (unread, none) = (Sequences::Unread, Sequences::None);
    let cases: [(&str, &Principal, RawDocumentBuf, Sequences<'_>, bool); 10] = [
        ("find", &few, find("orders"), none, true),
        ("insert with a sequence", &few, insert, unread, true),
        ("update", &few, update(), none, true),
        ("update with a sequence", &few, rawdoc! { "update": "orders", "ordered": true, "$db": "shop" }, unread, true),
        ("aggregate of 10 stages", &few, pipeline(), none, true),
        ("find, denied", &few, find("system.profile"), none, false),
        ("find, root", &root, find("orders"), none, true),
        ("find, 200 collections", &many, find("c117"), none, true),
        ("find, member", &member, find("orders"), none, true),
        ("ping", &few, rawdoc! { "ping": 1, "$db": "shop" }, none, true),
    ];
    let mut group = criterion.benchmark_group("authz");
    for (name, user, body, sequences, allowed) in &cases {
        let command = Command {
            name: body.iter().next().unwrap().unwrap().0.as_str(),
            database: "shop",
            body,
            protocol: Protocol::Message,
            exhaust_allowed: false,
        };
        let judge = || {
            let command = black_box(command);
            let request = Request { command, canonical_name: canonical_name(command.name), sequences: *sequences };
            judge_held(&request, Held::new(user, &cursors)).is_ok()
        };
        if judge() != *allowed {
            eprintln!("{name}: expected {allowed}");
        }
        group.bench_function(*name, |bencher| bencher.iter(judge));
    }
    group.finish();
}

criterion_group!(benches, judging);
criterion_main!(benches);
