//! `saslStart` and `saslContinue`: SCRAM for users and, with the keyfile's credentials, for `__system`@`local`.
//!
//! One conversation at a time; whatever begins another one, or fails, ends it. A user counts as authenticated only when the reply
//! says `done: true`. Source: fact sheet "Authentication and authorization semantics", sections 1.2 and 2.

use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bson::raw::{RawBson, RawBsonRef, RawDocument, RawDocumentBuf};
use bson::{Binary, rawdoc, spec::BinarySubtype};

use super::arguments::{Field, Kind, Unknown, check_command};
use super::event::Event;
use super::policy::MONGODB_X509;
use super::users::UserLookup;
use super::values::{document, element, text, value};
use super::{Context, Evidence, Request, Session, commands};
use crate::error::{CommandError, ErrorCode};
use crate::names::{EXTERNAL, UserName};
use crate::scram::{AwaitClientFinal, ClientFirst, Credential, Mechanism, Proof, ScramError, decoy};

/// There is one conversation at a time, and this is its number.
const CONVERSATION_ID: i32 = 1;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

const START: &[Field] = &[
    Field::required("mechanism", Kind::String),
    Field::required("payload", Kind::Payload),
    Field::optional("autoAuthorize", Kind::BoolOrNumber),
    Field::optional("options", Kind::Object),
];
/// Inside `speculativeAuthenticate`, where there is no `$db`.
const SPECULATIVE_START: &[Field] = &[
    Field::required("mechanism", Kind::String),
    Field::required("payload", Kind::Payload),
    Field::optional("autoAuthorize", Kind::BoolOrNumber),
    Field::optional("options", Kind::Object),
    Field::required("db", Kind::String),
];
const CONTINUE: &[Field] = &[Field::required("conversationId", Kind::Int), Field::required("payload", Kind::Payload)];

/// How far a conversation has come.
#[derive(Default)]
pub(super) enum Conversation {
    #[default]
    None,
    /// A hello asked for somebody's mechanisms: an authentication is expected to begin.
    Asked(Option<UserName>),
    /// The challenge is sent.
    AwaitClientFinal { await_client_final: Box<AwaitClientFinal>, attempt: Attempt, skip_empty_exchange: bool },
    /// The proof was right; the client owes one more message, an empty one.
    AwaitEmpty { proof: Proof, attempt: Attempt },
}

impl Conversation {
    /// Whose record the next `saslContinue` needs, of a decoy as of a user; `None` outside a conversation, and for `__system`.
    pub(super) fn user_wanted(&self) -> Option<&UserName> {
        match self {
            Self::AwaitClientFinal { attempt, .. } | Self::AwaitEmpty { attempt, .. } => {
                Some(&attempt.user).filter(|user| !user.is_system())
            }
            Self::None | Self::Asked(_) => None,
        }
    }
}

/// Who is trying to authenticate, and how.
pub(super) struct Attempt {
    user: UserName,
    mechanism: Mechanism,
    /// Whether the store has the user; it has neither `__system` nor a decoy.
    is_known: bool,
    speculative: bool,
}

/// A payload, and the way in which it came: the answer goes the same way.
struct Payload {
    bytes: Vec<u8>,
    as_text: bool,
}

/// The credentials that a proof is tried against, and whether they are a user's.
type Known = (Vec<Arc<Credential>>, bool);

/// A failure: what the client gets, and why.
struct Failure {
    error: CommandError,
    reason: String,
}

impl From<ScramError> for Failure {
    fn from(error: ScramError) -> Self {
        Self { error: error.to_command_error(), reason: error.to_string() }
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        Self { reason: error.to_string(), error }
    }
}

/// Decodes base64 as mongod does, with its errors for a SASL payload.
pub(super) fn decode_base64(text: &str) -> Result<Vec<u8>, CommandError> {
    let failed = |code, why| Err(CommandError::new(ErrorCode::Location(code), format!("Failed decoding SASL payload: {why}")));
    if !text.len().is_multiple_of(4) {
        return failed(10270, "invalid base64");
    }
    BASE64.decode(text).or_else(|_| failed(40537, "Invalid base64 character"))
}

impl Payload {
    fn read(body: &RawDocument) -> Result<Self, CommandError> {
        match element(body, "payload").and_then(|payload| payload.value().ok()) {
            Some(RawBsonRef::Binary(binary)) => Ok(Self { bytes: binary.bytes.to_vec(), as_text: false }),
            Some(RawBsonRef::String(text)) => Ok(Self { bytes: decode_base64(text)?, as_text: true }),
            _ => Err(super::arguments::missing_field("saslStart", "payload")),
        }
    }

    /// The answer, without `ok`.
    fn answer(&self, bytes: Vec<u8>, done: bool) -> RawDocumentBuf {
        let payload = if self.as_text {
            RawBson::String(BASE64.encode(bytes))
        } else {
            RawBson::Binary(Binary { subtype: BinarySubtype::Generic, bytes })
        };
        rawdoc! { "conversationId": CONVERSATION_ID, "done": done, "payload": payload }
    }
}

/// Checks the arguments of a `saslStart`; inside `speculativeAuthenticate` the database is `db`.
pub(super) fn check_start(body: &RawDocument, speculative: bool) -> Result<(), CommandError> {
    check_command("saslStart", body, if speculative { SPECULATIVE_START } else { START }, Unknown::Refused)
}

/// Checks the arguments of a `saslContinue`.
pub(super) fn check_continue(body: &RawDocument) -> Result<(), CommandError> {
    check_command("saslContinue", body, CONTINUE, Unknown::Refused)
}

/// Whose record a `saslStart` needs; `None` if it fails before, or for `__system`.
pub(super) fn user_wanted(body: &RawDocument, database: &str, context: &Context<'_>) -> Option<UserName> {
    let mechanism = text(body, "mechanism")?;
    Mechanism::from_name(mechanism)?;
    if database == EXTERNAL || !context.policy.is_enabled(mechanism) {
        return None;
    }
    let first = ClientFirst::parse(&Payload::read(body).ok()?.bytes).ok()?;
    Some(UserName::new(first.user_name()?, database)).filter(|user| !user.is_system())
}

/// The mechanism, if it is one that goes through `saslStart` on this database.
fn mechanism(name: &str, database: &str, context: &Context<'_>) -> Result<Mechanism, CommandError> {
    let mechanism = Mechanism::from_name(name);
    // Members use these two whatever the list of mechanisms says; for users they are found to be disabled later.
    let of_members = matches!(mechanism, Some(Mechanism::ScramSha256)) || name == MONGODB_X509;
    if !of_members && !context.policy.is_enabled(name) {
        let text = format!("Received authentication for mechanism {name} which is not enabled");
        return Err(CommandError::new(ErrorCode::MechanismUnavailable, text));
    }
    mechanism.filter(|_| database != EXTERNAL).ok_or_else(|| {
        let text = format!("Unsupported mechanism '{name}' on authentication database '{database}'");
        CommandError::new(ErrorCode::MechanismUnavailable, text)
    })
}

/// What is known of a user.
fn credentials(first: &ClientFirst, user: &UserName, mechanism: Mechanism, context: &Context<'_>) -> Result<Known, ScramError> {
    if user.is_system() {
        if mechanism == Mechanism::ScramSha1 {
            return Err(ScramError::NoSystemCredential);
        }
        if !context.policy.accepts_keyfile_members() {
            return Err(ScramError::DisallowedForCluster);
        }
        return Ok((context.policy.system_credentials.clone(), false));
    }
    if !context.policy.is_enabled(mechanism.name()) {
        return Err(ScramError::MechanismDisabled(mechanism));
    }
    // The decoy is made for everybody, so that its making does not tell who is known.
    let decoy = context
        .policy
        .decoy_secret
        .as_ref()
        .map(|secret| Arc::new(decoy(secret, mechanism, user, context.policy.iteration_count(mechanism))));
    let unknown = |error| decoy.map_or(Err(error), |decoy| Ok((vec![decoy], false)));
    match context.user(&user.clone().into()) {
        // A name that is not UTF-8 is nobody's; `user` holds it with replacement characters, which could be somebody's.
        UserLookup::Found(record) if first.user_name().is_some() => match record.credential(mechanism) {
            Some(credential) => Ok((vec![Arc::clone(credential)], true)),
            None => unknown(ScramError::NoCredential(mechanism)),
        },
        _ => unknown(ScramError::user_not_found(first.user(), user.database.clone())),
    }
}

impl Session {
    /// Runs a `saslStart` whose arguments were checked; the answer has no `ok` yet.
    pub(super) fn sasl_start(
        &mut self,
        request: Request<'_>,
        context: &Context<'_>,
        events: &mut Vec<Event>,
    ) -> Result<RawDocumentBuf, CommandError> {
        let Request { body, database, speculative, .. } = request;
        let asked = match std::mem::take(&mut self.conversation) {
            Conversation::Asked(asked) => asked,
            _ => None,
        };
        let name = text(body, "mechanism").unwrap_or_default();
        let payload = Payload::read(body)?;
        let first = ClientFirst::parse(&payload.bytes);
        let user = first.as_ref().ok().map(|first| UserName::new(String::from_utf8_lossy(first.user()), database));
        match self.begin(request, first, user.clone(), context) {
            Ok(challenge) => {
                if let (Some(asked), Some(user)) = (asked, user)
                    && asked != user
                {
                    events.push(Event::OtherUserThanAsked { asked, user });
                }
                Ok(payload.answer(challenge, false))
            }
            Err(Failure { error, reason }) => {
                let mechanism = name.to_owned();
                let told = !speculative;
                events.push(Event::AuthenticationFailed { mechanism, user, error: error.clone(), reason, speculative, told });
                Err(error)
            }
        }
    }

    fn begin(
        &mut self,
        request: Request<'_>,
        first: Result<ClientFirst, ScramError>,
        user: Option<UserName>,
        context: &Context<'_>,
    ) -> Result<Vec<u8>, Failure> {
        let Request { body, database, speculative, .. } = request;
        let mechanism = mechanism(text(body, "mechanism").unwrap_or_default(), database, context)?;
        let skip_empty_exchange = skip_empty_exchange(body)?;
        let first = first?;
        let user = user.unwrap_or_else(|| UserName::new("", database));
        let (credentials, is_known) = credentials(&first, &user, mechanism, context)?;
        let (await_client_final, challenge) = first.challenge(credentials, (context.nonce)());
        self.conversation = Conversation::AwaitClientFinal {
            await_client_final: Box::new(await_client_final),
            attempt: Attempt { user, mechanism, is_known, speculative },
            skip_empty_exchange,
        };
        Ok(challenge)
    }

    /// Runs a `saslContinue` whose arguments were checked; the answer has no `ok` yet.
    pub(super) fn sasl_continue(
        &mut self,
        body: &RawDocument,
        context: &Context<'_>,
        events: &mut Vec<Event>,
    ) -> Result<RawDocumentBuf, CommandError> {
        let protocol_error = |text| Err(CommandError::new(ErrorCode::ProtocolError, text));
        let payload = Payload::read(body)?;
        if let Conversation::Asked(_) = self.conversation {
            return protocol_error("saslContinue must follow saslStart");
        }
        let conversation = std::mem::take(&mut self.conversation);
        let has_begun = !matches!(conversation, Conversation::None);
        let is_ours = value(body, "conversationId").and_then(RawBsonRef::as_i32) == Some(CONVERSATION_ID);
        if has_begun && !is_ours {
            return protocol_error("sasl: Mismatched conversation id");
        }
        let is_strict = commands::is_strict(body);
        match conversation {
            Conversation::None | Conversation::Asked(_) => protocol_error("No SASL session state found"),
            Conversation::AwaitClientFinal { await_client_final, attempt, skip_empty_exchange } => {
                let (proof, signature) =
                    await_client_final.step(&payload.bytes).map_err(|error| report(&attempt, Failure::from(error), events))?;
                if skip_empty_exchange {
                    self.finish(proof, attempt, is_strict, context, events)?;
                } else {
                    self.conversation = Conversation::AwaitEmpty { proof, attempt };
                }
                Ok(payload.answer(signature, skip_empty_exchange))
            }
            Conversation::AwaitEmpty { proof, attempt } => {
                self.finish(proof, attempt, is_strict, context, events)?;
                Ok(payload.answer(Vec::new(), true))
            }
        }
    }

    fn finish(
        &mut self,
        proof: Proof,
        attempt: Attempt,
        is_strict: bool,
        context: &Context<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), CommandError> {
        let result = match (attempt.is_known, attempt.user.is_system()) {
            (false, true) => self.admit_member(Evidence::Scram(proof), is_strict, context, events),
            // As the user is now: it may have been dropped, or have lost its roles, since the conversation began.
            (true, false) => match context.user(&attempt.user.clone().into()) {
                UserLookup::Found(record) => self.admit_user(Evidence::Scram(proof), &record, is_strict, context, events),
                UserLookup::NotFound => {
                    let text = format!("Could not find user \"{}\" for db \"{}\"", attempt.user.name, attempt.user.database);
                    Err((CommandError::new(ErrorCode::UserNotFound, text), "the user was dropped meanwhile".to_owned()))
                }
            },
            // A decoy's proof is never right; should it ever be, nobody comes in.
            _ => Err((CommandError::authentication_failed(), "there is no such user".to_owned())),
        };
        result.map_err(|(error, reason)| report(&attempt, Failure { error, reason }, events))?;
        events.push(Event::AuthenticationSucceeded {
            mechanism: attempt.mechanism.name(),
            cluster: attempt.user.is_system(),
            user: attempt.user,
            subject: None,
            speculative: attempt.speculative,
        });
        Ok(())
    }
}

fn report(attempt: &Attempt, failure: Failure, events: &mut Vec<Event>) -> CommandError {
    events.push(Event::AuthenticationFailed {
        mechanism: attempt.mechanism.name().to_owned(),
        user: Some(attempt.user.clone()),
        error: failure.error.clone(),
        reason: failure.reason,
        speculative: attempt.speculative,
        told: true,
    });
    failure.error
}

fn skip_empty_exchange(body: &RawDocument) -> Result<bool, CommandError> {
    match document(body, "options").and_then(|options| element(options, "skipEmptyExchange")).map(|option| option.value()) {
        None => Ok(false),
        Some(Ok(RawBsonRef::Boolean(skip))) => Ok(skip),
        Some(_) => Err(CommandError::new(ErrorCode::BadValue, "skipEmptyExchange must be boolean")),
    }
}
