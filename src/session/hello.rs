//! `hello` and `isMaster`: the upstream's reply, made the client's own.
//!
//! Everything about the topology stays as the upstream said it, `topologyVersion` untouched; what is about the connection is
//! doorward's. Source: fact sheet "wire protocol and driver behaviour", sections 1.6, 2 and 3; a mongod 6.0.5.

use bson::raw::{RawArrayBuf, RawBson, RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use bson::{DateTime, rawdoc};

use super::arguments::{Field, Kind, Unknown, check_command};
use super::event::Event;
use super::picture::{TopologyVersion, UpstreamPicture, copy_without};
use super::sasl::{self, Conversation};
use super::users::UserLookup;
use super::values::{document, element, elements, integer, is_true, text, type_name, value};
use super::{AwaitTopology, Context, Request, Session, UserRequest, client_metadata, commands, x509};
use crate::error::{CommandError, ErrorCode};
use crate::names::{EXTERNAL, UserName};
use crate::scram::Mechanism;
use crate::wire::command::Command;

const INTERNAL_CLIENT: &[Field] =
    &[Field::required("maxWireVersion", Kind::Number), Field::optional("minWireVersion", Kind::Number)];
const TOPOLOGY_VERSION: &[Field] = &[Field::required("processId", Kind::ObjectId), Field::required("counter", Kind::Long)];
const HELLO: &[Field] = &[
    Field::optional("forShell", Kind::BoolOrNumber),
    Field::optional("hostInfo", Kind::String),
    Field::optional("hangUpOnStepDown", Kind::BoolOrNumber),
    Field::document("internalClient", INTERNAL_CLIENT),
    Field::optional("compression", Kind::Strings),
    Field::document("topologyVersion", TOPOLOGY_VERSION),
    Field::optional("maxAwaitTimeMS", Kind::Milliseconds),
    Field::optional("saslSupportedMechs", Kind::StringOrObject),
    Field::optional("speculativeAuthenticate", Kind::Object),
    Field::optional("loadBalanced", Kind::Bool),
    Field::optional("helloOk", Kind::BoolOrNumber),
];
/// The order in which mongod lists them.
const MECHANISMS: [Mechanism; 2] = [Mechanism::ScramSha256, Mechanism::ScramSha1];

/// What a hello waits for.
pub(super) struct Wait {
    pub(super) version: TopologyVersion,
    pub(super) max_await_ms: u64,
}

/// The user whose mechanisms are asked for.
fn user_asked_for(body: &RawDocument) -> Result<Option<UserName>, CommandError> {
    let bad = |text: String| CommandError::new(ErrorCode::BadValue, text);
    match value(body, "saslSupportedMechs") {
        Some(RawBsonRef::String(name)) => match name.split_once('.') {
            Some((database, user)) => Ok(Some(UserName::new(user, database))),
            None => Err(bad("UserName must contain a '.' separated database.user pair".to_owned())),
        },
        Some(RawBsonRef::Document(name)) => {
            for element in elements(name) {
                let name = element?.key();
                if name.as_str() != "user" && name.as_str() != "db" {
                    // The missing quotation mark is mongod's.
                    return Err(bad(format!("UserName contains an unknown field named: '{name}")));
                }
            }
            let part = |part: &str| match element(name, part).map(|element| element.value()) {
                Some(Ok(RawBsonRef::String(text))) => Ok(text.to_owned()),
                Some(Ok(other)) => {
                    let found = type_name(other.element_type());
                    Err(bad(format!("UserName must contain a string field named: {part}. But, has type {found}")))
                }
                _ => Err(bad(format!("UserName must contain a field named: {part}"))),
            };
            let user = part("user")?;
            Ok(Some(UserName::new(user, part("db")?)))
        }
        _ => Ok(None),
    }
}

/// Whose records a hello needs.
pub(super) fn users_wanted(body: &RawDocument, context: &Context<'_>) -> Vec<UserRequest> {
    let mut users = Vec::new();
    users.extend(user_asked_for(body).ok().flatten().filter(|user| !user.is_system()).map(UserRequest::from));
    if let Some(request) = document(body, "speculativeAuthenticate") {
        let first = elements(request).next().and_then(Result::ok).map(|element| element.key().as_str());
        users.extend(match first {
            Some("saslStart") => {
                let user = text(request, "db").and_then(|database| sasl::user_wanted(request, database, context));
                user.map(UserRequest::from)
            }
            Some("authenticate") => x509::user_wanted(request, context),
            _ => None,
        });
    }
    users.dedup();
    users
}

/// Checks the arguments and yields what to wait for, if anything.
fn check(command: &Command<'_>, picture: &UpstreamPicture) -> Result<Option<Wait>, CommandError> {
    let refuse = |code, text: String| Err(CommandError::new(ErrorCode::Location(code), text));
    let body = command.body;
    let version = document(body, "topologyVersion").and_then(TopologyVersion::read);
    let max_await = value(body, "maxAwaitTimeMS").and_then(integer);
    let (version, max_await) = match (version, max_await) {
        (Some(version), Some(max_await)) => (version, max_await),
        (Some(_), None) => {
            return refuse(31368, "A request with a 'topologyVersion' must include 'maxAwaitTimeMS'".to_owned());
        }
        (None, Some(_)) => {
            return refuse(31368, "A request with 'maxAwaitTimeMS' must include a 'topologyVersion'".to_owned());
        }
        (None, None) if command.exhaust_allowed => {
            return refuse(51756, "An isMaster or hello request with exhaust must specify 'maxAwaitTimeMS'".to_owned());
        }
        (None, None) => return Ok(None),
    };
    if version.counter < 0 {
        return refuse(31372, "topologyVersion must have a non-negative counter".to_owned());
    }
    if let Some(current) = picture.topology_version()
        && current.process_id == version.process_id
        && version.counter > current.counter
    {
        let code = if picture.is_replica_set_member() { 31382 } else { 51764 };
        return refuse(
            code,
            format!(
                "Received a topology version with counter: {} which is greater than the server topology version counter: {}",
                version.counter, current.counter
            ),
        );
    }
    Ok(Some(Wait { version, max_await_ms: u64::try_from(max_await).unwrap_or(0) }))
}

impl Session {
    /// Checks the `client` document, which mongod does before everything else.
    pub(super) fn check_client_metadata(&mut self, body: &RawDocument) -> Result<(), CommandError> {
        let Some(client) = element(body, "client") else { return Ok(()) };
        if self.hello_seen {
            let text = "The client metadata document may only be sent in the first hello";
            return Err(CommandError::new(ErrorCode::ClientMetadataCannotBeMutated, text));
        }
        self.client_metadata = Some(client_metadata::check(&client)?.to_owned());
        Ok(())
    }

    /// The first half of a hello: its arguments, and whether it has to wait.
    pub(super) fn begin_hello(
        &mut self,
        command: &Command<'_>,
        context: &Context<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Option<Wait>, CommandError> {
        check_command("hello", command.body, HELLO, Unknown::Ignored)?;
        if !self.hello_seen {
            self.hello_seen = true;
            if let Some(document) = &self.client_metadata {
                events.push(Event::ClientMetadata { document: document.clone() });
            }
        }
        if let Some(said) = InternalClient::read(command.body) {
            self.internal_client = Some(said);
        }
        check(command, context.picture)
    }

    /// The second half of a hello: its reply.
    pub(super) fn finish_hello(
        &mut self,
        command: &Command<'_>,
        context: &Context<'_>,
        events: &mut Vec<Event>,
    ) -> Result<RawDocumentBuf, CommandError> {
        let body = command.body;
        let mut own = RawDocumentBuf::new();
        self.negotiate_compression(body, context);
        if !self.compression.is_empty() {
            let names: RawArrayBuf = self.compression.iter().map(String::as_str).collect();
            own.append(cstr!("compression"), names);
        }
        if let Some(user) = user_asked_for(body)? {
            if let Some(mechanisms) = supported_mechanisms(&user, context) {
                own.append(cstr!("saslSupportedMechs"), mechanisms.into_iter().collect::<RawArrayBuf>());
            } else {
                events.push(Event::MechanismsOfUnknownUser { user: user.clone() });
            }
            self.conversation = Conversation::Asked(Some(user));
        }
        if let Some(answer) = self.speculate(body, context, events)? {
            own.append(cstr!("speculativeAuthenticate"), answer);
        }
        let balanced = context.policy.load_balanced && value(body, "loadBalanced").is_some_and(is_true);
        if let Some(id) = balanced.then(|| context.picture.service_id()).flatten() {
            own.append(cstr!("serviceId"), id);
        }
        Ok(reply(command, context, &own))
    }

    /// An authentication inside the hello. If it fails the client is told nothing, and may go on to authenticate.
    fn speculate(
        &mut self,
        body: &RawDocument,
        context: &Context<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Option<RawDocumentBuf>, CommandError> {
        let Some(request) = document(body, "speculativeAuthenticate") else { return Ok(None) };
        let Some(first) = elements(request).next() else {
            let text = "hello.speculativeAuthenticate must be a non-empty Object";
            return Err(CommandError::new(ErrorCode::BadValue, text));
        };
        let is_strict = commands::is_strict(body);
        let speculative = |database| Request { body: request, database, speculative: true, is_strict };
        let answer = match first?.key().as_str() {
            "saslStart" => sasl::check_start(request, true)
                .and_then(|()| self.sasl_start(speculative(text(request, "db").unwrap_or_default()), context, events)),
            "authenticate" => x509::check_authenticate(request, true)
                .and_then(|()| self.authenticate(speculative(text(request, "db").unwrap_or(EXTERNAL)), context, events)),
            other => {
                let text = format!("hello.speculativeAuthenticate unknown command: {other}");
                return Err(CommandError::new(ErrorCode::Location(51769), text));
            }
        };
        Ok(answer.ok())
    }

    fn negotiate_compression(&mut self, body: &RawDocument, context: &Context<'_>) {
        let Some(RawBsonRef::Array(wanted)) = value(body, "compression") else { return };
        let wanted = wanted.into_iter().filter_map(Result::ok).filter_map(RawBsonRef::as_str);
        let known = |name: &&str| context.policy.compressors.iter().any(|compressor| compressor == name);
        self.compression = wanted.filter(known).map(str::to_owned).collect();
    }
}

/// The mechanisms by which a user may authenticate; `None` for a user that does not exist.
fn supported_mechanisms(user: &UserName, context: &Context<'_>) -> Option<Vec<&'static str>> {
    let policy = context.policy;
    if user.is_system() {
        return Some(if policy.accepts_keyfile_members() { vec![Mechanism::ScramSha256.name()] } else { Vec::new() });
    }
    let enabled = MECHANISMS.into_iter().filter(|mechanism| policy.is_enabled(mechanism.name()));
    match context.user(&user.clone().into()) {
        UserLookup::Found(record) => {
            Some(enabled.filter(|mechanism| record.credential(*mechanism).is_some()).map(Mechanism::name).collect())
        }
        UserLookup::NotFound if policy.decoy_secret.is_none() => None,
        UserLookup::NotFound if user.database == EXTERNAL => Some(Vec::new()),
        UserLookup::NotFound => Some(enabled.map(Mechanism::name).collect()),
    }
}

/// The upstream's hello with the fields that are about this connection; `own` goes before `ok`.
fn reply(command: &Command<'_>, context: &Context<'_>, own: &RawDocumentBuf) -> RawDocumentBuf {
    let is_hello = command.name == "hello";
    let internal = document(command.body, "internalClient").is_some();
    let mut reply = RawDocumentBuf::new();
    if value(command.body, "helloOk").is_some_and(is_true) {
        reply.append(cstr!("helloOk"), true);
    }
    for element in context.picture.hello().iter_elements().filter_map(Result::ok) {
        let Ok(value) = element.value() else { continue };
        match element.key().as_str() {
            "isWritablePrimary" | "ismaster" if is_hello => reply.append(cstr!("isWritablePrimary"), RawBson::from(value)),
            "isWritablePrimary" | "ismaster" => reply.append(cstr!("ismaster"), RawBson::from(value)),
            "localTime" => reply.append(cstr!("localTime"), DateTime::from_millis(context.now_ms)),
            "connectionId" => reply.append(cstr!("connectionId"), context.connection_id),
            // A member must not talk the wire versions of old clients.
            "minWireVersion" if internal => reply.append(cstr!("minWireVersion"), context.picture.max_wire_version()),
            "ok" => {
                for (name, value) in own.iter().filter_map(Result::ok) {
                    reply.append(name, RawBson::from(value));
                }
            }
            // Negotiated with doorward, or the upstream's own affair.
            "helloOk" | "compression" | "saslSupportedMechs" | "speculativeAuthenticate" | "$clusterTime" | "operationTime" => {}
            _ => reply.append(element.key(), RawBson::from(value)),
        }
    }
    reply.append(cstr!("ok"), 1.0);
    reply
}

/// What a mongod or mongos says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct InternalClient {
    // Small, for every connection has room for one.
    min_wire_version: Option<u8>,
    max_wire_version: Option<u8>,
    /// Whether it asked to be spared when the server closes its connections.
    keeps_open: bool,
}

impl InternalClient {
    fn read(body: &RawDocument) -> Option<Self> {
        let said = document(body, "internalClient")?;
        let version = |name| value(said, name).and_then(RawBsonRef::as_i32).and_then(|version| u8::try_from(version).ok());
        Some(Self {
            min_wire_version: version("minWireVersion"),
            max_wire_version: version("maxWireVersion"),
            keeps_open: value(body, "hangUpOnStepDown").is_some_and(|hang_up| !is_true(hang_up)),
        })
    }
}

/// The hello that tells the upstream who a client is.
pub(super) fn introduction(client: Option<&RawDocument>, internal_client: Option<InternalClient>) -> Option<RawDocumentBuf> {
    if client.is_none() && internal_client.is_none() {
        return None;
    }
    let mut hello = rawdoc! { "hello": 1 };
    if let Some(client) = client {
        hello.append(cstr!("client"), client.to_owned());
    }
    if let Some(InternalClient { min_wire_version, max_wire_version, keeps_open }) = internal_client {
        let mut said = RawDocumentBuf::new();
        if let Some(version) = min_wire_version {
            said.append(cstr!("minWireVersion"), i32::from(version));
        }
        if let Some(version) = max_wire_version {
            said.append(cstr!("maxWireVersion"), i32::from(version));
        }
        hello.append(cstr!("internalClient"), said);
        hello.append(cstr!("hangUpOnStepDown"), !keeps_open);
    }
    hello.append(cstr!("$db"), "admin");
    Some(hello)
}

impl AwaitTopology {
    /// The hello of the next round: the client is told nothing but the topology again.
    pub(super) fn plain(body: &RawDocument) -> RawDocumentBuf {
        copy_without(body, &["speculativeAuthenticate", "saslSupportedMechs", "client"])
    }
}

/// The reply to `help` on a command.
pub(super) fn help(name: &str, text: &str) -> RawDocumentBuf {
    rawdoc! { "help": format!("help for: {name} {text}"), "ok": 1.0 }
}
