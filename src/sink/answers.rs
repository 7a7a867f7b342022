//! The canned replies: what a standalone mongod 6.0.5 would say, as far as a load test and doorward's monitor look at it.
//!
//! It must never authenticate or authorise anybody, and keeps no data. Source: fact sheets "wire protocol", section 2, and
//! "Authentication", section 4.

use bson::oid::ObjectId;
use bson::raw::{CStr, RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use bson::{DateTime, rawdoc};

use super::users;

/// Documents of this many bytes make up a batch.
const DOCUMENT: usize = 1024;
/// Above this, documents grow instead of multiplying.
const LARGE_BATCH: usize = 1024 * 1024;

/// What the sink was told on its command line.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The size of the documents in a reply of `find`, in bytes; one document for 0 and for a `find` with `limit: 1`.
    pub batch_bytes: usize,
    /// How many such batches a cursor has, at least one.
    pub batches: u32,
    /// A SCRAM user of the database `admin`: name and password.
    pub user: Option<(String, String)>,
    /// Users of `$external`: the subjects of their certificates.
    pub x509_users: Vec<String>,
    /// The one database that the users may read and write; without it they may do everything.
    pub read_write: Option<String>,
}

/// Every reply that can be made beforehand.
pub(super) struct Answers {
    process: ObjectId,
    pub(super) done: RawDocumentBuf,
    written: RawDocumentBuf,
    one: RawDocumentBuf,
    batch: RawDocumentBuf,
    batch_open: RawDocumentBuf,
    next_batch: RawDocumentBuf,
    next_batch_open: RawDocumentBuf,
    build_info: RawDocumentBuf,
    commands: RawDocumentBuf,
    users: Vec<RawDocumentBuf>,
    /// Who is named to whoever asks in the clear.
    x509_user: Option<String>,
    batches: u32,
}

/// What to do with a request.
pub(super) enum Answer<'a> {
    /// A reply that was made beforehand.
    Canned(&'a RawDocumentBuf),
    /// A reply for this request.
    Made(RawDocumentBuf),
    /// A hello that waits so many milliseconds for a change that never comes.
    Awaited(u64, RawDocumentBuf),
}

impl Answers {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            process: ObjectId::new(),
            done: rawdoc! { "ok": 1.0 },
            written: rawdoc! { "n": 1, "ok": 1.0 },
            one: cursor(cstr!("firstBatch"), 0, 0),
            batch: cursor(cstr!("firstBatch"), options.batch_bytes, 0),
            batch_open: cursor(cstr!("firstBatch"), options.batch_bytes, 1),
            next_batch: cursor(cstr!("nextBatch"), options.batch_bytes, 0),
            next_batch_open: cursor(cstr!("nextBatch"), options.batch_bytes, 1),
            build_info: build_info(),
            commands: commands(),
            users: users::documents(options),
            x509_user: options.x509_users.first().cloned(),
            batches: options.batches.max(1),
        }
    }

    /// The answer to the command `body`. `left` is the number of batches that the connection's cursor still has.
    pub(super) fn answer(&self, body: &RawDocument, connection: i32, left: &mut u32) -> Answer<'_> {
        let Some(Ok((name, value))) = body.iter().next() else {
            return Answer::Made(error(59, "CommandNotFound", "no such command: ''"));
        };
        Answer::Canned(match name.as_str() {
            "aggregate" => &self.one,
            "find" if matches!(body.get("limit"), Ok(Some(RawBsonRef::Int32(1) | RawBsonRef::Int64(1)))) => &self.one,
            "find" => {
                *left = self.batches.saturating_sub(1);
                if *left > 0 { &self.batch_open } else { &self.batch }
            }
            "getMore" => {
                *left = left.saturating_sub(1);
                if *left > 0 { &self.next_batch_open } else { &self.next_batch }
            }
            "insert" | "update" | "delete" => &self.written,
            "ping" | "endSessions" | "killCursors" | "refreshSessions" => &self.done,
            "buildInfo" | "buildinfo" => &self.build_info,
            "listCommands" => &self.commands,
            "hello" | "isMaster" | "ismaster" => return self.hello(body, name.as_str() == "hello", connection),
            "usersInfo" => return Answer::Made(users::info(&self.users, value)),
            "_isSelf" => return Answer::Made(rawdoc! { "id": self.process, "ok": 1.0 }),
            other => return Answer::Made(error(59, "CommandNotFound", &format!("no such command: '{other}'"))),
        })
    }

    fn hello(&self, body: &RawDocument, modern: bool, connection: i32) -> Answer<'_> {
        let mut reply = RawDocumentBuf::new();
        if matches!(body.get("helloOk"), Ok(Some(RawBsonRef::Boolean(true)))) {
            reply.append(cstr!("helloOk"), true);
        }
        reply.append(if modern { cstr!("isWritablePrimary") } else { cstr!("ismaster") }, true);
        reply.append(cstr!("topologyVersion"), rawdoc! { "processId": self.process, "counter": 0_i64 });
        reply.append(cstr!("maxBsonObjectSize"), 16_777_216);
        reply.append(cstr!("maxMessageSizeBytes"), 48_000_000);
        reply.append(cstr!("maxWriteBatchSize"), 100_000);
        reply.append(cstr!("localTime"), DateTime::now());
        reply.append(cstr!("logicalSessionTimeoutMinutes"), 30);
        reply.append(cstr!("connectionId"), connection);
        reply.append(cstr!("minWireVersion"), 0);
        reply.append(cstr!("maxWireVersion"), 17);
        reply.append(cstr!("readOnly"), false);
        if let (Some(user), Ok(Some(_))) = (&self.x509_user, body.get("speculativeAuthenticate")) {
            reply.append(cstr!("speculativeAuthenticate"), rawdoc! { "dbname": "$external", "user": user.as_str() });
        }
        reply.append(cstr!("ok"), 1.0);
        match self.awaited(body) {
            Some(milliseconds) => Answer::Awaited(milliseconds, reply),
            None => Answer::Made(reply),
        }
    }

    /// How long a hello that names this process's topology version waits.
    fn awaited(&self, body: &RawDocument) -> Option<u64> {
        let version = body.get_document("topologyVersion").ok()?;
        let milliseconds = match body.get("maxAwaitTimeMS").ok()?? {
            RawBsonRef::Int32(value) => u64::try_from(value).ok()?,
            RawBsonRef::Int64(value) => u64::try_from(value).ok()?,
            _ => return None,
        };
        // Another process's version is answered at once.
        Some(if version.get_object_id("processId").ok()? == self.process { milliseconds } else { 0 })
    }
}

fn cursor(field: &CStr, bytes: usize, id: i64) -> RawDocumentBuf {
    let size = if bytes > LARGE_BATCH { LARGE_BATCH / 16 } else { DOCUMENT };
    let mut batch = RawArrayBuf::new();
    let mut total = 0;
    while total == 0 || total < bytes {
        let size = size.min(bytes.saturating_sub(total)).max(64);
        // 33 bytes of the document are not the text.
        let document = rawdoc! { "_id": i64::try_from(total).unwrap_or_default(), "text": "x".repeat(size.saturating_sub(33)) };
        total = total.saturating_add(document.as_bytes().len());
        batch.push(document);
    }
    let mut reply = RawDocumentBuf::new();
    reply.append(field, batch);
    reply.append(cstr!("id"), id);
    reply.append(cstr!("ns"), "test.sink");
    rawdoc! { "cursor": reply, "ok": 1.0 }
}

fn build_info() -> RawDocumentBuf {
    rawdoc! {
        "version": "6.0.5", "gitVersion": "sink", "modules": [], "allocator": "system", "javascriptEngine": "none",
        "versionArray": [6, 0, 5, 0], "bits": 64, "debug": false, "maxBsonObjectSize": 16_777_216,
        "storageEngines": ["sink"], "ok": 1.0
    }
}

fn commands() -> RawDocumentBuf {
    let mut commands = RawDocumentBuf::new();
    for (name, requires_auth) in [
        (cstr!("_isSelf"), false),
        (cstr!("aggregate"), true),
        (cstr!("buildInfo"), false),
        (cstr!("delete"), true),
        (cstr!("endSessions"), true),
        (cstr!("find"), true),
        (cstr!("getMore"), true),
        (cstr!("hello"), false),
        (cstr!("insert"), true),
        (cstr!("isMaster"), false),
        (cstr!("killCursors"), true),
        (cstr!("listCommands"), true),
        (cstr!("ping"), false),
        (cstr!("refreshSessions"), true),
        (cstr!("update"), true),
        (cstr!("usersInfo"), true),
    ] {
        let description = rawdoc! { "help": "", "requiresAuth": requires_auth, "secondaryOk": true, "adminOnly": false };
        commands.append(name, description);
    }
    rawdoc! { "commands": commands, "ok": 1.0 }
}

fn error(code: i32, name: &str, text: &str) -> RawDocumentBuf {
    rawdoc! { "ok": 0.0, "errmsg": text, "code": code, "codeName": name }
}
