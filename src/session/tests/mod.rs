//! The session against what was recorded of a real mongod, and against itself. This file holds what the tests share.

mod authentication;
mod certificates;
mod enforcement;
mod gate;
mod introduction;
mod local;
mod localhost;
mod recordings;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bson::oid::ObjectId;
use bson::raw::{CString, RawArrayBuf, RawBson, RawBsonRef, RawDocument, RawDocumentBuf};
use bson::{Binary, Timestamp, rawdoc};
use serde_json::Value;

use super::*;
use crate::config::settings::ClusterAuthMode;
use crate::names::UserName;
use crate::scram::{Credential, Mechanism, prepare_password};
use crate::secret::Secret;
use crate::wire::command::Protocol;
use crate::x509::peer::PeerIdentity;

pub(super) const KEY: &str = "abcdefghij";
/// The fewest that our own client takes.
pub(super) const ITERATIONS: u32 = 4096;
const PREAUTH: &str = include_str!("../../../tests/data/preauth-commands.json");

/// Extended JSON as BSON, as far as the recordings use it.
pub(super) fn document(value: &Value) -> RawDocumentBuf {
    let mut document = RawDocumentBuf::new();
    for (key, value) in value.as_object().unwrap() {
        document.append(CString::try_from(key.as_str()).unwrap(), bson(value));
    }
    document
}

fn bson(value: &Value) -> RawBson {
    match value {
        Value::Null => RawBson::Null,
        Value::Bool(value) => RawBson::Boolean(*value),
        Value::Number(number) => number.as_i64().map_or_else(
            || RawBson::Double(number.as_f64().unwrap()),
            |integer| i32::try_from(integer).map_or(RawBson::Int64(integer), RawBson::Int32),
        ),
        Value::String(text) => RawBson::String(text.clone()),
        Value::Array(items) => RawBson::Array(items.iter().map(bson).collect::<RawArrayBuf>()),
        Value::Object(object) => match object.iter().next() {
            Some((key, inner)) if key.starts_with('$') && object.len() == 1 => special(key, inner),
            _ => RawBson::Document(document(value)),
        },
    }
}

fn special(key: &str, inner: &Value) -> RawBson {
    let text = || inner.as_str().unwrap();
    match key {
        "$numberInt" => RawBson::Int32(text().parse().unwrap()),
        "$numberLong" => RawBson::Int64(text().parse().unwrap()),
        "$numberDouble" => RawBson::Double(text().parse().unwrap()),
        "$oid" => RawBson::ObjectId(ObjectId::parse_str(text()).unwrap()),
        "$timestamp" => RawBson::Timestamp(Timestamp {
            time: inner["t"].as_u64().unwrap() as u32,
            increment: inner["i"].as_u64().unwrap() as u32,
        }),
        "$binary" => {
            let subtype = u8::from_str_radix(inner["subType"].as_str().unwrap(), 16).unwrap();
            let bytes = STANDARD.decode(inner["base64"].as_str().unwrap()).unwrap();
            RawBson::Binary(Binary { subtype: subtype.into(), bytes })
        }
        other => panic!("{other} is not in the recordings"),
    }
}

/// A document as text that shows order and types.
pub(super) fn show(document: &RawDocument) -> String {
    let fields: Vec<_> = document
        .iter()
        .map(|element| {
            let (key, value) = element.unwrap();
            match value {
                RawBsonRef::Document(inside) => format!("{key}: {}", show(inside)),
                value => format!("{key}: {value:?}"),
            }
        })
        .collect();
    format!("{{ {} }}", fields.join(", "))
}

/// The commands of a mongod 6.0.5, as `listCommands` describes them.
pub(super) fn list_commands() -> RawDocumentBuf {
    let recorded: Value = serde_json::from_str(PREAUTH).unwrap();
    let mut commands = RawDocumentBuf::new();
    for (name, command) in recorded["commands"].as_object().unwrap() {
        let api_versions: RawArrayBuf = command["apiVersions"].as_array().unwrap().iter().map(bson).collect();
        let description = rawdoc! {
            "help": format!("what {name} does"),
            "requiresAuth": command["requiresAuth_flag"].as_bool().unwrap(),
            "adminOnly": command["adminOnly"].as_bool().unwrap(),
            "apiVersions": api_versions,
        };
        commands.append(CString::try_from(name.as_str()).unwrap(), description);
    }
    rawdoc! { "commands": commands, "ok": 1.0 }
}

pub(super) fn standalone_hello() -> RawDocumentBuf {
    rawdoc! {
        "isWritablePrimary": true,
        "topologyVersion": { "processId": ObjectId::from_bytes([7; 12]), "counter": 6_i64 },
        "maxBsonObjectSize": 16_777_216, "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000,
        "localTime": bson::DateTime::from_millis(1), "logicalSessionTimeoutMinutes": 30, "connectionId": 3,
        "minWireVersion": 0, "maxWireVersion": 17, "readOnly": false, "ok": 1.0,
    }
}

/// A standalone, or the primary of a replica set.
pub(super) fn picture(replica_set: bool) -> UpstreamPicture {
    let mut hello = standalone_hello();
    if replica_set {
        hello = rawdoc! { "topologyVersion": { "processId": ObjectId::from_bytes([7; 12]), "counter": 6_i64 }, "setName": "rs" };
        for element in standalone_hello().iter() {
            let (key, value) = element.unwrap();
            if key.as_str() != "topologyVersion" {
                hello.append(key, RawBson::from(value));
            }
        }
        hello.append(cstr!("$clusterTime"), rawdoc! { "clusterTime": Timestamp { time: 9, increment: 1 } });
        hello.append(cstr!("operationTime"), Timestamp { time: 9, increment: 1 });
    }
    let build_info = rawdoc! { "version": "6.0.5", "ok": 1.0, "$clusterTime": { "clusterTime": 1 }, "operationTime": 1 };
    UpstreamPicture::new(hello, build_info, list_commands(), Some(rawdoc! { "id": ObjectId::from_bytes([8; 12]), "ok": 1.0 }))
        .unwrap()
}

/// Credentials by mechanism, user and password: each is made once.
type Made = HashMap<(Mechanism, String, String), Arc<Credential>>;

pub(super) fn credential(mechanism: Mechanism, user: &str, password: &str) -> Arc<Credential> {
    static MADE: LazyLock<Mutex<Made>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().unwrap();
    let credential = made.entry((mechanism, user.to_owned(), password.to_owned())).or_insert_with(|| {
        let password = prepare_password(mechanism, user, password).unwrap();
        Arc::new(Credential::derive(mechanism, password.expose(), vec![5; mechanism.salt_length()], ITERATIONS))
    });
    Arc::clone(credential)
}

fn system_credential() -> Arc<Credential> {
    static MADE: LazyLock<Arc<Credential>> =
        LazyLock::new(|| Arc::new(Credential::derive(Mechanism::ScramSha256, KEY.as_bytes(), vec![6; 28], ITERATIONS)));
    Arc::clone(&MADE)
}

/// The rules of a server with a keyfile.
pub(super) fn keyfile_policy() -> Policy {
    Policy {
        access_control: true,
        transition_to_auth: false,
        enforcement: Vec::new(),
        mechanisms: [MONGODB_X509, "SCRAM-SHA-1", "SCRAM-SHA-256"].map(str::to_owned).to_vec(),
        cluster_auth_mode: ClusterAuthMode::KeyFile,
        enforce_user_cluster_separation: true,
        decoy_secret: None,
        scram_iteration_count: ITERATIONS,
        scram_sha256_iteration_count: ITERATIONS,
        membership: None,
        system_credentials: vec![system_credential()],
        cluster_ip_source_allowlist: None,
        compressors: ["snappy", "zstd", "zlib"].map(str::to_owned).to_vec(),
        localhost_exception: true,
        allow_roles_from_x509_certificates: true,
        load_balanced: false,
    }
}

/// The rules of a server without access control.
pub(super) fn open_policy() -> Policy {
    let keyless = Policy { system_credentials: Vec::new(), cluster_auth_mode: ClusterAuthMode::Undefined, ..keyfile_policy() };
    Policy { access_control: false, ..keyless }
}

pub(super) fn hiding(policy: Policy) -> Policy {
    Policy { decoy_secret: Some(Secret::new(vec![3; 32])), ..policy }
}

/// A stored user with one role, with credentials for both mechanisms and the password `pw`.
pub(super) fn user(name: &str, database: &str) -> UserRecord {
    let document = rawdoc! {
        "userId": 1, "user": name, "db": database, "credentials": {},
        "inheritedRoles": [{ "role": "root", "db": "admin" }],
        "inheritedPrivileges": [{ "resource": { "cluster": true }, "actions": ["top"] }],
        "authenticationRestrictions": [], "inheritedAuthenticationRestrictions": [],
    };
    let mut record = UserRecord::from_users_info(&document).unwrap();
    if database != "$external" {
        record.sha1 = Some(credential(Mechanism::ScramSha1, name, "pw"));
        record.sha256 = Some(credential(Mechanism::ScramSha256, name, "pw"));
    }
    record
}

/// A client of a session, with everything that a session is told from outside.
pub(super) struct Client {
    pub(super) session: Session,
    pub(super) policy: Policy,
    pub(super) picture: UpstreamPicture,
    pub(super) peer: Option<PeerIdentity>,
    pub(super) address: ClientAddress,
    pub(super) users: Vec<(UserRequest, UserLookup)>,
    pub(super) no_users: bool,
    pub(super) events: Vec<Event>,
    pub(super) protocol: Protocol,
    nonces: Cell<u8>,
}

impl Client {
    pub(super) fn new(policy: Policy) -> Self {
        let mut client = Self {
            session: Session::new(),
            policy,
            picture: picture(false),
            peer: None,
            address: ClientAddress::Tcp("127.0.0.1:36552".parse().unwrap()),
            users: Vec::new(),
            no_users: false,
            events: Vec::new(),
            protocol: Protocol::Message,
            nonces: Cell::new(1),
        };
        client.knows(user("root", "admin"));
        client.knows(user("ann", "app"));
        client
    }

    pub(super) fn knows(&mut self, record: UserRecord) {
        self.users.retain(|(known, _)| known.name != record.name);
        self.users.push((record.name.clone().into(), UserLookup::Found(Arc::new(record))));
    }

    /// Sends a command and does what a server does: looks up the users that are wanted, those alone.
    pub(super) fn effect(&mut self, body: &RawDocument, database: &str, exhaust_allowed: bool) -> Effect {
        let name = body.iter_elements().next().unwrap().unwrap().key().as_str();
        let command = Command { name, database, body, protocol: self.protocol, exhaust_allowed };
        let nonce = || {
            self.nonces.set(self.nonces.get().wrapping_add(1));
            [self.nonces.get(); 24]
        };
        let mut context = Context {
            policy: &self.policy,
            picture: &self.picture,
            peer: self.peer.as_ref(),
            tls: self.peer.is_some(),
            client_address: self.address,
            server_address: Some("127.0.0.1".parse().unwrap()),
            connection_id: 42,
            now_ms: 1_700_000_000_000,
            nonce: &nonce,
            users: &[],
            no_users: self.no_users,
        };
        let wanted = self.session.users_wanted(&command, &context);
        assert!(wanted.len() <= 2, "{wanted:?}");
        let users: Vec<_> = self.users.iter().filter(|(user, _)| wanted.contains(user)).cloned().collect();
        context.users = &users;
        match self.session.step(&command, &context) {
            Effect::Reply { body, events } => {
                self.events.extend(events.iter().cloned());
                Effect::Reply { body, events }
            }
            Effect::AwaitTopology(mut awaited) => {
                self.events.append(&mut awaited.events);
                let (body, events) = self.session.hello_again(&mut awaited, &context);
                self.events.extend(events.iter().cloned());
                if awaited.exhaust { Effect::AwaitTopology(awaited) } else { Effect::Reply { body, events } }
            }
            forward @ Effect::Forward(_) => forward,
        }
    }

    /// Sends a command that has to be answered here.
    pub(super) fn send_to(&mut self, body: &RawDocument, database: &str) -> RawDocumentBuf {
        match self.effect(body, database, false) {
            Effect::Reply { body, .. } => body,
            other => panic!("{} was not answered: {other:?}", show(body)),
        }
    }

    pub(super) fn send(&mut self, body: &RawDocument) -> RawDocumentBuf {
        self.send_to(body, "admin")
    }

    /// Whether a `find` is forwarded.
    pub(super) fn may_forward(&mut self) -> bool {
        matches!(self.effect(&rawdoc! { "find": "x" }, "app", false), Effect::Forward(_))
    }
}

/// The error of a reply, as `code text`, or `ok`.
pub(super) fn outcome(reply: &RawDocument) -> String {
    match reply.get_f64("ok") {
        Ok(1.0) => "ok".to_owned(),
        _ => format!("{} {}", reply.get_i32("code").unwrap(), reply.get_str("errmsg").unwrap()),
    }
}
