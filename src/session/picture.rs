//! What doorward knows of the upstream, as replies that are repeated to clients that may not reach it themselves.
//!
//! The monitor of the upstream makes a new picture whenever it gets a new hello; a picture never changes. Nothing here is asked on
//! behalf of a client. Source: fact sheet "wire protocol and driver behaviour", sections 2.1 and 2.7.

use std::collections::HashMap;
use std::sync::Arc;

use bson::oid::ObjectId;
use bson::raw::{CStr, RawBson, RawBsonRef, RawDocument, RawDocumentBuf, cstr};

use super::values::{document, element, integer, is_true, text, value};

/// The fields that a replica set member puts at the end of every reply.
const GOSSIP: [&CStr; 2] = [cstr!("$clusterTime"), cstr!("operationTime")];

/// `topologyVersion`: which process, and how often its idea of the topology changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopologyVersion {
    /// Drawn by the upstream when it started.
    pub process_id: ObjectId,
    /// Counts up with each change.
    pub counter: i64,
}

impl TopologyVersion {
    /// Reads `{processId, counter}`.
    pub(super) fn read(document: &RawDocument) -> Option<Self> {
        let process_id = value(document, "processId")?.as_object_id()?;
        let counter = value(document, "counter")?.as_i64()?;
        Some(Self { process_id, counter })
    }
}

/// One command of the upstream, as `listCommands` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandDescription {
    /// The canonical name.
    pub name: String,
    /// The help text.
    pub help: String,
    /// Whether it is for the `admin` database only.
    pub admin_only: bool,
    /// Whether only an authenticated client may run it.
    pub requires_auth: bool,
    /// Whether it belongs to API version 1.
    pub in_api_version_1: bool,
}

/// A reply of the upstream that can not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the upstream's reply to {0} can not be used")]
pub struct PictureError(&'static str);

/// The upstream as clients see it before they authenticate.
#[derive(Clone, Debug)]
pub struct UpstreamPicture {
    hello: RawDocumentBuf,
    build_info: Arc<RawDocumentBuf>,
    list_commands: Arc<RawDocumentBuf>,
    self_id: Option<Arc<RawDocumentBuf>>,
    commands: Arc<HashMap<String, CommandDescription>>,
    topology_version: Option<TopologyVersion>,
    max_wire_version: i32,
    replica_set_member: bool,
}

impl UpstreamPicture {
    /// A picture from the replies to `hello`, `buildInfo`, `listCommands` and, if it answered, `_isSelf`.
    ///
    /// # Errors
    /// [`PictureError`] if a hello or a list of commands is not one: without them no client can be answered.
    pub fn new(
        hello: RawDocumentBuf,
        build_info: RawDocumentBuf,
        list_commands: RawDocumentBuf,
        self_id: Option<RawDocumentBuf>,
    ) -> Result<Self, PictureError> {
        let commands = read_commands(&list_commands).ok_or(PictureError("listCommands"))?;
        let picture = Self {
            hello: RawDocumentBuf::new(),
            build_info: Arc::new(build_info),
            list_commands: Arc::new(list_commands),
            self_id: self_id.map(Arc::new),
            commands: Arc::new(commands),
            topology_version: None,
            max_wire_version: 0,
            replica_set_member: false,
        };
        picture.with_hello(hello)
    }

    /// The same picture with a newer hello; everything else is shared.
    ///
    /// # Errors
    /// [`PictureError`] if it is no hello reply with `ok: 1`.
    pub fn with_hello(&self, hello: RawDocumentBuf) -> Result<Self, PictureError> {
        let max_wire_version = value(&hello, "maxWireVersion").and_then(integer).and_then(|version| i32::try_from(version).ok());
        let ok = value(&hello, "ok").is_some_and(is_true);
        let (Some(max_wire_version), true) = (max_wire_version, ok) else { return Err(PictureError("hello")) };
        let topology_version = document(&hello, "topologyVersion").and_then(TopologyVersion::read);
        let replica_set_member = element(&hello, "setName").is_some() || element(&hello, "isreplicaset").is_some();
        Ok(Self { topology_version, max_wire_version, replica_set_member, hello, ..self.clone() })
    }

    /// The last hello reply of the upstream to doorward itself.
    #[must_use]
    pub fn hello(&self) -> &RawDocument {
        &self.hello
    }

    /// The reply to `buildInfo`.
    #[must_use]
    pub fn build_info(&self) -> &RawDocument {
        &self.build_info
    }

    /// The reply to `listCommands`.
    #[must_use]
    pub fn list_commands(&self) -> &RawDocument {
        &self.list_commands
    }

    /// The reply to `_isSelf`.
    #[must_use]
    pub fn self_id(&self) -> Option<&RawDocument> {
        self.self_id.as_deref().map(AsRef::as_ref)
    }

    /// The topology version of the hello; `None` for servers before 4.4.
    #[must_use]
    pub const fn topology_version(&self) -> Option<TopologyVersion> {
        self.topology_version
    }

    /// What tells this mongod from every other, the same for all who ask it and another after its restart: the `processId` of its
    /// topology version; of servers before 4.4 the id that it tells its peers.
    #[must_use]
    pub fn service_id(&self) -> Option<ObjectId> {
        let told_to_peers = || value(self.self_id()?, "id")?.as_object_id();
        self.topology_version.map(|version| version.process_id).or_else(told_to_peers)
    }

    /// `maxWireVersion`.
    #[must_use]
    pub const fn max_wire_version(&self) -> i32 {
        self.max_wire_version
    }

    /// Whether the upstream was started with a replica set name.
    #[must_use]
    pub const fn is_replica_set_member(&self) -> bool {
        self.replica_set_member
    }

    /// What the upstream says of a command; `name` is the canonical one, see [`super::commands`].
    #[must_use]
    pub fn command(&self, name: &str) -> Option<&CommandDescription> {
        self.commands.get(name)
    }

    /// Ends a reply as the upstream would: a replica set member puts `$clusterTime` and `operationTime` behind every reply, errors
    /// too.
    #[must_use]
    pub fn complete(&self, mut reply: RawDocumentBuf) -> RawDocumentBuf {
        for name in GOSSIP {
            if let Some(Ok(value)) = element(&self.hello, name.as_str()).map(|element| element.value()) {
                reply.append(name, RawBson::from(value));
            }
        }
        reply
    }

    /// A stored reply without what belongs to the moment in which it was given.
    pub(super) fn repeat(reply: &RawDocument) -> RawDocumentBuf {
        copy_without(reply, &["$clusterTime", "operationTime"])
    }
}

/// A copy of `document` without the fields `left_out`.
pub(super) fn copy_without(document: &RawDocument, left_out: &[&str]) -> RawDocumentBuf {
    let mut copy = RawDocumentBuf::new();
    for element in document.iter_elements().filter_map(Result::ok) {
        if let (false, Ok(value)) = (left_out.contains(&element.key().as_str()), element.value()) {
            copy.append(element.key(), RawBson::from(value));
        }
    }
    copy
}

fn read_commands(list_commands: &RawDocument) -> Option<HashMap<String, CommandDescription>> {
    let mut commands = HashMap::new();
    for element in document(list_commands, "commands")?.iter_elements() {
        let element = element.ok()?;
        let description = element.value().ok()?.as_document()?;
        let flag = |name| value(description, name).is_some_and(is_true);
        let api_versions = value(description, "apiVersions").and_then(RawBsonRef::as_array);
        let in_api_version_1 = api_versions
            .is_some_and(|versions| versions.into_iter().filter_map(Result::ok).any(|version| version.as_str() == Some("1")));
        let name = element.key().as_str().to_owned();
        let command = CommandDescription {
            name: name.clone(),
            help: text(description, "help").unwrap_or_default().to_owned(),
            admin_only: flag("adminOnly"),
            // A command that does not say so is taken to need authentication.
            requires_auth: value(description, "requiresAuth").is_none_or(is_true),
            in_api_version_1,
        };
        commands.insert(name, command);
    }
    if commands.is_empty() { None } else { Some(commands) }
}
