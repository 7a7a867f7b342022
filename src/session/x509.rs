//! `authenticate` with MONGODB-X509: users and cluster members by the certificate of their TLS connection.
//!
//! Trusts nothing but [`PeerIdentity`], which exists only for a verified certificate. Source: fact sheet "Authentication and
//! authorization semantics", sections 3.1 to 3.4.

use std::sync::Arc;

use bson::raw::{RawDocument, RawDocumentBuf};
use bson::rawdoc;

use super::arguments::{Field, Kind, Unknown, check_command};
use super::event::Event;
use super::policy::MONGODB_X509;
use super::sasl::Conversation;
use super::users::{UserLookup, UserRecord};
use super::values::text;
use super::{Context, Evidence, Request, Session, UserRequest};
use crate::error::{CommandError, ErrorCode};
use crate::names::{EXTERNAL, UserName};
use crate::scram::Mechanism;
use crate::x509::peer::PeerIdentity;

const AUTHENTICATE: &[Field] = &[Field::required("mechanism", Kind::String), Field::optional("user", Kind::String)];
/// Inside `speculativeAuthenticate`, where there is no `$db`.
const SPECULATIVE_AUTHENTICATE: &[Field] =
    &[Field::required("mechanism", Kind::String), Field::optional("user", Kind::String), Field::optional("db", Kind::String)];

const NOT_FOR_CLIENTS: &str = "The provided certificate can only be used for cluster authentication, not client authentication. The \
     current configuration does not allow x.509 cluster authentication, check the --clusterAuthMode flag";

/// Checks the arguments of an `authenticate`.
pub(super) fn check_authenticate(body: &RawDocument, speculative: bool) -> Result<(), CommandError> {
    let fields = if speculative { SPECULATIVE_AUTHENTICATE } else { AUTHENTICATE };
    check_command("authenticate", body, fields, Unknown::Refused)
}

/// Whose record an `authenticate` needs; `None` when it fails before, and for a member.
pub(super) fn user_wanted(body: &RawDocument, context: &Context<'_>) -> Option<UserRequest> {
    let peer = context.peer.filter(|peer| !peer.subject.is_empty())?;
    let is_for_us = text(body, "mechanism") == Some(MONGODB_X509);
    let is_member = is_member(peer, context) && context.policy.accepts_x509_members();
    (is_for_us && !is_member).then(|| user_request(peer, context))
}

/// How the user of a certificate is asked for.
pub(super) fn user_request(peer: &PeerIdentity, context: &Context<'_>) -> UserRequest {
    let takes_roles = context.policy.allow_roles_from_x509_certificates;
    let roles = if takes_roles { peer.roles.clone() } else { Vec::new() };
    UserRequest { name: UserName::new(peer.subject.as_str(), EXTERNAL), roles }
}

fn is_member(peer: &PeerIdentity, context: &Context<'_>) -> bool {
    context.policy.membership.as_ref().is_some_and(|rule| rule.is_member(peer))
}

/// The certificate's identity, if the client may claim it. Checks 1 to 4 of section 3.1.
fn claimed<'a>(body: &RawDocument, database: &str, context: &Context<'a>) -> Result<&'a PeerIdentity, CommandError> {
    let refuse = |code, text: String| Err(CommandError::new(code, text));
    let mechanism = text(body, "mechanism").unwrap_or_default();
    if mechanism.is_empty() {
        return refuse(ErrorCode::BadValue, "Auth mechanism not specified".to_owned());
    }
    if mechanism != MONGODB_X509 {
        if !context.policy.is_enabled(mechanism) && Mechanism::from_name(mechanism).is_none() {
            let text = format!("Received authentication for mechanism {mechanism} which is not enabled");
            return refuse(ErrorCode::MechanismUnavailable, text);
        }
        return refuse(ErrorCode::BadValue, format!("Unsupported mechanism: {mechanism}"));
    }
    let Some(peer) = context.peer.filter(|peer| !peer.subject.is_empty()) else {
        return refuse(ErrorCode::AuthenticationFailed, "No verified subject name available from client".to_owned());
    };
    if text(body, "user").is_some_and(|user| !user.is_empty() && user != peer.subject.as_str()) {
        let text = "There is no x.509 client certificate matching the user.".to_owned();
        return refuse(ErrorCode::AuthenticationFailed, text);
    }
    if database != EXTERNAL {
        let text = "X.509 authentication must always use the $external database.".to_owned();
        return refuse(ErrorCode::ProtocolError, text);
    }
    Ok(peer)
}

/// The record of an ordinary user. Checks 6 and 7 of section 3.1.
fn record(peer: &PeerIdentity, context: &Context<'_>) -> Result<Arc<UserRecord>, CommandError> {
    if !context.policy.is_enabled(MONGODB_X509) {
        return Err(CommandError::new(ErrorCode::BadValue, "x.509 authentication is disabled."));
    }
    let user = user_request(peer, context);
    match context.user(&user) {
        UserLookup::Found(record) => Ok(record),
        UserLookup::NotFound => {
            let text = format!("Could not find user \"{}\" for db \"{EXTERNAL}\"", user.name.name);
            Err(CommandError::new(ErrorCode::UserNotFound, text))
        }
    }
}

impl Session {
    /// Runs an `authenticate` whose arguments were checked; the answer has no `ok` yet.
    pub(super) fn authenticate(
        &mut self,
        request: Request<'_>,
        context: &Context<'_>,
        events: &mut Vec<Event>,
    ) -> Result<RawDocumentBuf, CommandError> {
        let Request { body, speculative, .. } = request;
        self.conversation = Conversation::None;
        let subject = context.peer.map(|peer| peer.subject.as_str().to_owned()).filter(|subject| !subject.is_empty());
        let failed = |(error, reason): (CommandError, String), events: &mut Vec<Event>| {
            events.push(Event::AuthenticationFailed {
                mechanism: text(body, "mechanism").unwrap_or_default().to_owned(),
                user: subject.as_deref().map(|subject| UserName::new(subject, EXTERNAL)),
                error: error.clone(),
                reason,
                speculative,
                told: !speculative,
            });
            error
        };
        let (peer, user) = self.identify(request, context, events).map_err(|failure| failed(failure, events))?;
        let subject = peer.subject.as_str().to_owned();
        let answer = rawdoc! { "dbname": EXTERNAL, "user": subject.as_str() };
        let cluster = user.is_system();
        let subject = Some(subject);
        events.push(Event::AuthenticationSucceeded { mechanism: MONGODB_X509, user, subject, speculative, cluster });
        Ok(answer)
    }

    fn identify<'a>(
        &mut self,
        request: Request<'_>,
        context: &Context<'a>,
        events: &mut Vec<Event>,
    ) -> Result<(&'a PeerIdentity, UserName), (CommandError, String)> {
        let with_reason = |error: CommandError| {
            let reason = error.to_string();
            (error, reason)
        };
        let Request { body, database, is_strict, .. } = request;
        let peer = claimed(body, database, context).map_err(with_reason)?;
        if is_member(peer, context) {
            if context.policy.accepts_x509_members() {
                if self.internal_client.is_none() {
                    events.push(Event::MemberCertificateFromClient { subject: peer.subject.as_str().to_owned() });
                }
                self.admit_member(Evidence::Certificate(peer), is_strict, context, events)?;
                return Ok((peer, UserName::system()));
            }
            if context.policy.enforce_user_cluster_separation {
                return Err(with_reason(CommandError::new(ErrorCode::AuthenticationFailed, NOT_FOR_CLIENTS)));
            }
        }
        let record = record(peer, context).map_err(with_reason)?;
        self.admit_user(Evidence::Certificate(peer), &record, is_strict, context, events)?;
        Ok((peer, record.name.clone()))
    }
}
