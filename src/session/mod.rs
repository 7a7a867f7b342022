//! The authentication state of one connection, and every command that doorward answers itself. This is the gate.
//!
//! A [`Session`] judges one command at a time and says what is to be done: send this reply, forward, or wait for the topology to
//! change. It never forwards for somebody who has not proved who they are, unless access control is off or in transition
//! (and no rule of `proxy.enforcement` matches them). It does
//! no I/O, reads no clock and draws nothing at random: users, time and nonces come in by [`Context`].
//!
//! Source: fact sheets "Authentication and authorization semantics", sections 1.2, 2, 3.1, 3.2, 5, 6 and 8.1, and "wire protocol
//! and driver behaviour", sections 1.4, 1.6, 2 and 3; a mongod 6.0.5.

mod address;
mod advertised;
mod arguments;
mod client_metadata;
mod commands;
mod context;
mod enforcement;
mod event;
mod generic;
mod hello;
mod local;
mod member_names;
mod picture;
mod policy;
mod refusal;
mod sasl;
mod state;
mod user_request;
mod users;
mod values;
mod x509;

#[cfg(test)]
mod tests;

use bson::raw::{RawDocument, RawDocumentBuf, cstr};

pub use self::address::ClientAddress;
pub use self::advertised::AdvertisedNames;
pub use self::context::Context;
pub use self::event::Event;
pub use self::member_names::check_user_name;
pub use self::picture::{CommandDescription, PictureError, TopologyVersion, UpstreamPicture};
pub use self::policy::{MONGODB_X509, Policy};
use self::sasl::Conversation;
use self::state::Evidence;
pub use self::state::{Addresses, AuthenticatedMember, AuthenticatedUser, State};
pub use self::user_request::UserRequest;
pub use self::users::{UserDocumentError, UserLookup, UserRecord};
use crate::authz::action::Action;
use crate::authz::resource::Resource;
use crate::authz::{Permit, Subject};
use crate::error::{CommandError, ErrorCode};
use crate::wire::command::Command;

/// What is to be done with a command.
#[derive(Debug)]
#[must_use = "an effect has to be carried out"]
pub enum Effect {
    /// Send this reply.
    Reply {
        /// The whole reply document.
        body: RawDocumentBuf,
        /// What to log and count.
        events: Vec<Event>,
    },
    /// Let [`crate::authz`] judge it, and forward it.
    Forward(Permit),
    /// A hello that waits.
    AwaitTopology(AwaitTopology),
}

/// A hello that is answered when the topology has changed, or its time is up.
///
/// Wait until the picture's topology version differs from [`topology_version`](Self::topology_version) (at once, if it does
/// already) or [`max_await_ms`](Self::max_await_ms) have passed; then send what [`Session::hello_again`] gives. With
/// [`exhaust`](Self::exhaust) every reply says `moreToCome` and it all begins again; look at it once the reply is made, for an error
/// ends the stream.
#[derive(Debug)]
pub struct AwaitTopology {
    /// What the client knows already.
    pub topology_version: TopologyVersion,
    /// How long to wait at most, in milliseconds.
    pub max_await_ms: u64,
    /// Whether to go on for ever.
    pub exhaust: bool,
    /// What to log and count now.
    pub events: Vec<Event>,
    name: String,
    database: String,
    body: RawDocumentBuf,
    protocol: crate::wire::command::Protocol,
}

/// The authentication state of one connection.
#[derive(Default)]
pub struct Session {
    state: State,
    conversation: Conversation,
    /// The `client` document; final once `hello_seen`.
    client_metadata: Option<RawDocumentBuf>,
    hello_seen: bool,
    /// The compressors that were agreed on.
    compression: Vec<String>,
    /// What a hello said of being a mongod or mongos.
    internal_client: Option<hello::InternalClient>,
    /// Whether a rule of `proxy.enforcement` matched when it was last looked at.
    is_enforced_by_rule: bool,
}

/// A command that begins an authentication, or the same inside a hello.
#[derive(Clone, Copy)]
struct Request<'a> {
    body: &'a RawDocument,
    database: &'a str,
    speculative: bool,
    /// The `apiStrict` of the command, of the hello if it is inside one.
    is_strict: bool,
}

impl<'a> Request<'a> {
    fn of(command: &Command<'a>) -> Self {
        let is_strict = commands::is_strict(command.body);
        Self { body: command.body, database: command.database, speculative: false, is_strict }
    }
}

enum Outcome {
    Reply(RawDocumentBuf),
    Forward(Permit),
    Wait(hello::Wait),
}

impl Session {
    /// A new connection: nobody is authenticated.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Who is authenticated.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The `client` document of the first hello, for the upstream connection; `None` if there was none.
    #[must_use]
    pub fn client_metadata(&self) -> Option<&RawDocumentBuf> {
        self.client_metadata.as_ref().filter(|_| self.hello_seen)
    }

    /// The hello that introduces the client to the upstream; `None` if there is nothing to tell. That it is a member or a mongos is
    /// passed on only of one that may do everything: mongod lets it do what it lets nobody else.
    #[must_use]
    pub fn introduction(&self, policy: &Policy) -> Option<RawDocumentBuf> {
        let is_trusted = matches!(self.state, State::Member(_)) || !self.enforces(policy);
        hello::introduction(self.client_metadata().map(AsRef::as_ref), self.internal_client.filter(|_| is_trusted))
    }

    /// Whether the client says that it is a member or a mongos, and has not proved it, nor that it is anybody else.
    #[must_use]
    pub const fn is_unproven_member(&self) -> bool {
        self.internal_client.is_some() && !self.state.is_authenticated()
    }

    /// Whether the upstream connection of this client may be another's too: not that of a member or a mongos, nor of who says so.
    #[must_use]
    pub const fn may_share_upstream(&self) -> bool {
        self.internal_client.is_none() && !matches!(self.state, State::Member(_))
    }

    /// Whether this client is refused what it is not authenticated, or not authorized, for.
    #[must_use]
    pub const fn enforces(&self, policy: &Policy) -> bool {
        policy.enforces_authentication() || self.is_enforced_by_rule(policy)
    }

    /// Whether it is so by `proxy.enforcement` alone.
    #[must_use]
    pub const fn is_enforced_by_rule(&self, policy: &Policy) -> bool {
        policy.access_control && policy.transition_to_auth && self.is_enforced_by_rule
    }

    /// Asks the rules of `proxy.enforcement` again. To be called when the connection opens, when the rules have changed, and after
    /// [`refresh_user`](Self::refresh_user); a session that learns of the client's name or user by itself asks them by itself.
    pub fn ask_rules(&mut self, policy: &Policy, client_address: ClientAddress) {
        let rules = &policy.enforcement;
        let application = || {
            let metadata = self.client_metadata.as_deref();
            let name =
                |metadata: &RawDocument| metadata.get_document("application").ok()?.get_str("name").ok().map(str::to_owned);
            metadata.and_then(name).unwrap_or_default()
        };
        let application = (!rules.is_empty() && self.hello_seen).then(application);
        let (address, user) = (client_address.ip(), self.state.user());
        let known = enforcement::Known { address, application: application.as_deref(), user };
        self.is_enforced_by_rule = enforcement::is_enforced(rules, known);
    }

    /// The permit to forward a command of this name; `None` when it is answered here.
    #[must_use]
    pub fn permit(&self, name: &str, policy: &Policy) -> Option<Permit> {
        if commands::is_always_local(name) {
            return None;
        }
        if !self.enforces(policy) {
            return Some(Permit::issue(Subject::Unrestricted(self.state.principal().cloned())));
        }
        self.state.principal().cloned().map(|principal| Permit::issue(Subject::Authenticated(principal)))
    }

    /// Which users have to be looked up before [`step`](Self::step) can judge this command; the users of `context` are not looked
    /// at. A lookup that fails (not one that finds nobody) must close the connection.
    #[must_use]
    pub fn users_wanted(&self, command: &Command<'_>, context: &Context<'_>) -> Vec<UserRequest> {
        match commands::canonical_name(command.name) {
            "hello" | "isMaster" => hello::users_wanted(command.body, context),
            "saslStart" => {
                sasl::user_wanted(command.body, command.database, context).into_iter().map(UserRequest::from).collect()
            }
            "saslContinue" => self.conversation.user_wanted().cloned().map(UserRequest::from).into_iter().collect(),
            "authenticate" => x509::user_wanted(command.body, context).into_iter().collect(),
            "connectionStatus" => self.state.stored_user().into_iter().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether it has to be known if the upstream has any user or role, before [`step`](Self::step) can judge this command: only the
    /// localhost exception may let it pass.
    #[must_use]
    pub fn asks_for_any_user(&self, command: &Command<'_>, context: &Context<'_>) -> bool {
        let policy = context.policy;
        let in_force = policy.localhost_exception && self.enforces(policy) && !self.state.is_authenticated();
        let requires_auth = || commands::find(context.picture, command.name).is_ok_and(|known| known.requires_auth);
        in_force && context.client_address.is_loopback() && requires_auth()
    }

    /// Takes note of what the user store says of the authenticated user now: its roles may have changed. If the user was dropped,
    /// or dropped and made anew, or may not connect from here any more, the session is not authenticated any more.
    pub fn refresh_user(&mut self, lookup: &UserLookup, addresses: Addresses) -> Option<Event> {
        self.state.refresh(lookup, addresses)
    }

    /// Judges one command.
    pub fn step(&mut self, command: &Command<'_>, context: &Context<'_>) -> Effect {
        let mut events = Vec::new();
        let judged = self.judge(command, context, &mut events);
        if !matches!(judged, Ok(Outcome::Forward(_))) {
            self.ask_rules(context.policy, context.client_address);
        }
        match judged {
            Ok(Outcome::Reply(reply)) => Effect::Reply { body: context.picture.complete(reply), events },
            Ok(Outcome::Forward(permit)) => Effect::Forward(permit),
            Ok(Outcome::Wait(wait)) => Effect::AwaitTopology(AwaitTopology {
                topology_version: wait.version,
                max_await_ms: wait.max_await_ms,
                exhaust: command.exhaust_allowed,
                events,
                name: command.name.to_owned(),
                database: command.database.to_owned(),
                body: command.body.to_owned(),
                protocol: command.protocol,
            }),
            Err(error) => Effect::Reply { body: context.picture.complete(error.to_reply()), events },
        }
    }

    /// The reply to a hello that waited, and what to log and count. `awaited` is made ready for the next round.
    pub fn hello_again(&mut self, awaited: &mut AwaitTopology, context: &Context<'_>) -> (RawDocumentBuf, Vec<Event>) {
        let mut events = Vec::new();
        let body = awaited.body.clone();
        let command = Command {
            name: &awaited.name,
            database: &awaited.database,
            body: &body,
            protocol: awaited.protocol,
            exhaust_allowed: awaited.exhaust,
        };
        let reply = match self.finish_hello(&command, context, &mut events) {
            Ok(reply) => reply,
            Err(error) => {
                awaited.exhaust = false;
                error.to_reply()
            }
        };
        self.ask_rules(context.policy, context.client_address);
        awaited.body = AwaitTopology::plain(&body);
        if let Some(version) = context.picture.topology_version() {
            awaited.topology_version = version;
        }
        (context.picture.complete(reply), events)
    }

    /// The order of the checks is mongod's: the fact sheet "wire protocol", section 1.4.
    fn judge(&mut self, command: &Command<'_>, context: &Context<'_>, events: &mut Vec<Event>) -> Result<Outcome, CommandError> {
        if let Some(permit) = self.permit(command.name, context.policy) {
            return Ok(Outcome::Forward(permit));
        }
        let known = refusal::check_command(command, context)?;
        let must_authenticate = self.enforces(context.policy) && !self.state.is_authenticated();
        if known.requires_auth && must_authenticate {
            if !(context.no_users && self.asks_for_any_user(command, context)) {
                let text = format!("command {} requires authentication", known.name);
                return Err(CommandError::new(ErrorCode::Unauthorized, text));
            }
            if !commands::is_always_local(command.name) {
                return Ok(Outcome::Forward(Permit::issue(Subject::LocalhostException)));
            }
        }
        let name = known.name.as_str();
        self.check_arguments(command, name, context)?;
        commands::check_database_name(command.database)?;
        if local::has_help(name) && generic::asks_for_help(command.body) {
            return Ok(Outcome::Reply(hello::help(name, &known.help)));
        }
        generic::check_execution(command.body, name)?;
        self.run(command, name, context, events)
    }

    fn check_arguments(&mut self, command: &Command<'_>, name: &str, context: &Context<'_>) -> Result<(), CommandError> {
        let body = command.body;
        match name {
            "hello" | "isMaster" => self.check_client_metadata(body)?,
            "saslStart" => sasl::check_start(body, false)?,
            "saslContinue" => sasl::check_continue(body)?,
            "authenticate" => x509::check_authenticate(body, false)?,
            _ => local::check_arguments(name, body)?,
        }
        let situation = self.situation(context);
        generic::check_request(body, situation)?;
        generic::check_session(body, situation, self.state.digest().as_deref())?;
        generic::check_transaction(body)
    }

    fn situation(&self, context: &Context<'_>) -> generic::Situation {
        let free = !self.enforces(context.policy);
        let holds = |action| {
            let principal = self.state.principal();
            free || principal.is_some_and(|principal| principal.privileges().holds(Resource::Cluster, action))
        };
        generic::Situation {
            replica_set_member: context.picture.is_replica_set_member(),
            judges_sessions: free || self.state.is_authenticated(),
            may_impersonate: holds(Action::Impersonate),
            is_internal: holds(Action::Internal),
        }
    }

    fn run(
        &mut self,
        command: &Command<'_>,
        name: &str,
        context: &Context<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, CommandError> {
        let mut reply = match name {
            "hello" | "isMaster" => {
                if let Some(wait) = self.begin_hello(command, context, events)? {
                    return Ok(Outcome::Wait(wait));
                }
                return self.finish_hello(command, context, events).map(Outcome::Reply);
            }
            "saslStart" => self.sasl_start(Request::of(command), context, events)?,
            "saslContinue" => self.sasl_continue(command.body, context, events)?,
            "authenticate" => self.authenticate(Request::of(command), context, events)?,
            "connectionStatus" => {
                if let Some(user) = self.state.stored_user().cloned() {
                    let found = context.users.iter().find(|(request, _)| *request == user);
                    events.extend(found.and_then(|(_, found)| self.refresh_user(found, context.addresses())));
                }
                return Ok(Outcome::Reply(self.connection_status(command.body)));
            }
            "logout" => return Ok(Outcome::Reply(self.logout(command.database, events))),
            // Whatever else does not need authentication in some other server is refused here: it is not ours to answer.
            other => {
                let unauthorized =
                    || CommandError::new(ErrorCode::Unauthorized, format!("command {other} requires authentication"));
                return local::answer(other, command.body, context).ok_or_else(unauthorized)?.map(Outcome::Reply);
            }
        };
        reply.append(cstr!("ok"), 1.0);
        Ok(Outcome::Reply(reply))
    }
}
