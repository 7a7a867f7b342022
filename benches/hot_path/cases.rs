//! What is counted: what every message passes through, and the steps of a login.

use std::hint::black_box;
use std::sync::Arc;

use bson::raw::{RawArrayBuf, RawDocument, RawDocumentBuf};
use bson::rawdoc;
use bson::spec::BinarySubtype;
use doorward::authz::cursors::Cursors;
use doorward::authz::grants::Held;
use doorward::authz::judge_held;
use doorward::authz::principal::Principal;
use doorward::authz::privileges::Privileges;
use doorward::authz::request::{Request, Sequences};
use doorward::authz::rewrite::Rewrite;
use doorward::authz::table::canonical_name;
use doorward::names::UserName;
use doorward::scram::{Client, ClientFirst, Credential, Mechanism};
use doorward::secret::Secret;
use doorward::wire::MAX_MESSAGE_SIZE;
use doorward::wire::command::{Command, Protocol};
use doorward::wire::head::{HeadState, peek};
use doorward::wire::header::Header;
use doorward::wire::message::{ReplyHead, op_msg};
use doorward::wire::reply_cursor::ReplyCursor;

/// What is done again and again; it tells whether it came out as it has to.
pub(crate) type Work = Box<dyn FnMut() -> bool>;

/// How it is made ready.
type Prepare = fn() -> Work;

/// All cases by name.
pub(crate) const CASES: [(&str, Prepare); 8] = [
    ("head-of-find", head_of_find),
    ("head-of-reply", head_of_reply),
    ("judge-find", || judge(find(), Sequences::None)),
    ("judge-insert", || judge(rawdoc! { "insert": "orders", "ordered": true, "$db": "shop" }, Sequences::Unread)),
    ("judge-aggregate", || judge(aggregate(), Sequences::None)),
    ("name-session", name_session),
    ("watch-cursor", watch_cursor),
    ("scram-sha-256", scram),
];

/// Those that a `find` and its reply pass through, one after the other.
pub(crate) const OF_A_FIND: [&str; 5] = ["head-of-find", "judge-find", "name-session", "head-of-reply", "watch-cursor"];

/// A find as drivers send it: `$db` behind the arguments, the logical session before it.
fn find() -> RawDocumentBuf {
    rawdoc! {
        "find": "orders",
        "filter": { "customer": "c-1029", "state": { "$in": ["open", "paid"] } },
        "sort": { "at": -1 },
        "limit": 20,
        "lsid": { "id": bson::Binary { subtype: BinarySubtype::Uuid, bytes: vec![7; 16] } },
        "$db": "shop",
        "$readPreference": { "mode": "primaryPreferred" },
    }
}

fn aggregate() -> RawDocumentBuf {
    rawdoc! {
        "aggregate": "orders",
        "pipeline": [
            { "$match": { "state": "open" } },
            { "$lookup": { "from": "customers", "localField": "customer", "foreignField": "_id", "as": "c" } },
            { "$unwind": "$c" },
            { "$lookup": { "from": "items", "pipeline": [{ "$match": { "a": 1 } }], "as": "i" } },
            { "$group": { "_id": "$c", "sum": { "$sum": "$total" } } },
            { "$sort": { "sum": -1 } },
        ],
        "cursor": {},
        "$db": "shop",
    }
}

fn head_of_find() -> Work {
    let message = op_msg(1, 0, &find());
    Box::new(move || {
        let Ok(Some(header)) = Header::peek(black_box(&message), MAX_MESSAGE_SIZE) else { return false };
        matches!(peek(&header, &message), Ok(HeadState::Ready { request, .. }) if request.command.is_ok())
    })
}

fn head_of_reply() -> Work {
    let reply = op_msg(1, 2, &rawdoc! { "ok": 1.0 });
    Box::new(move || {
        ReplyHead::peek(black_box(&reply), MAX_MESSAGE_SIZE).is_ok_and(|head| head.is_some_and(|head| head.more_to_come()))
    })
}

/// A user with five privileges, as `readWrite` on one database and `read` on another give.
fn user() -> Principal {
    const READ_WRITE: &[&str] = &["find", "insert", "update", "remove", "listCollections", "listIndexes", "createIndex"];
    let privileges: [(RawDocumentBuf, &[&str]); 5] = [
        (rawdoc! { "db": "shop", "collection": "" }, READ_WRITE),
        (rawdoc! { "db": "shop", "collection": "system.js" }, READ_WRITE),
        (rawdoc! { "db": "stock", "collection": "" }, READ_WRITE),
        (rawdoc! { "db": "stock", "collection": "system.js" }, &["find"]),
        (rawdoc! { "cluster": true }, &["serverStatus"]),
    ];
    let mut list = RawArrayBuf::new();
    for (resource, actions) in privileges {
        list.push(rawdoc! { "resource": resource, "actions": RawArrayBuf::from_iter(actions.iter().copied()) });
    }
    Principal::new(UserName::new("me", "shop"), Vec::new(), Privileges::from_inherited(&list))
}

fn judge(body: RawDocumentBuf, sequences: Sequences<'static>) -> Work {
    let (user, cursors) = (user(), Cursors::default());
    Box::new(move || {
        let body: &RawDocument = black_box(&body);
        let Some(Ok((name, _))) = body.iter().next() else { return false };
        let (protocol, exhaust_allowed) = (Protocol::Message, false);
        let command = Command { name: name.as_str(), database: "shop", body, protocol, exhaust_allowed };
        let request = Request { command, canonical_name: canonical_name(command.name), sequences };
        judge_held(&request, Held::new(&user, &cursors)).is_ok()
    })
}

fn name_session() -> Work {
    let body = find();
    Box::new(move || matches!(Rewrite::naming(black_box(body.as_bytes()), &[7; 32]), Some(Rewrite::Session(_))))
}

fn watch_cursor() -> Work {
    let mut batch = RawArrayBuf::new();
    (0..20).for_each(|_| batch.push(rawdoc! { "_id": 1, "text": "x".repeat(200).as_str() }));
    let reply = op_msg(1, 0, &rawdoc! { "cursor": { "firstBatch": batch, "id": 7_i64, "ns": "app.t" }, "ok": 1.0 });
    Box::new(move || {
        let mut cursor = ReplyCursor::new();
        cursor.feed(black_box(&reply));
        cursor.id() == Some(7)
    })
}

/// Both steps of the server; the derivation of the credential is the user store's.
fn scram() -> Work {
    let (mechanism, password) = (Mechanism::ScramSha256, Secret::new(b"correct horse battery staple".to_vec()));
    let salt = vec![7; mechanism.salt_length()];
    let credentials = vec![Arc::new(Credential::derive(mechanism, password.expose(), salt, 5000))];
    let (client, first) = Client::start(mechanism, "alice", &password, [1; 24]);
    let challenge = |first: &[u8]| Some(ClientFirst::parse(first).ok()?.challenge(credentials.clone(), [2; 24]));
    let last = challenge(&first).and_then(|(_, challenge)| client.step(&challenge).ok()).map(|(_, last)| last);
    Box::new(move || {
        let state = ClientFirst::parse(black_box(&first)).map(|first| first.challenge(credentials.clone(), [2; 24]).0);
        state.is_ok_and(|state| last.as_ref().is_some_and(|last| state.step(last).is_ok()))
    })
}
