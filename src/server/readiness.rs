//! The would-deny record of a running doorward: in transition every forwarded command is judged as if it were enforced, and counted;
//! on the admin port it is told, and which roles an application needs.

use serde_json::{Value, json};

use super::connection::{ClientConnection, Surroundings};
use super::{Server, unix_now_ms};
use crate::admin::log::Severity;
use crate::admin::readiness::{self, RolesError};
use crate::authz;
use crate::authz::request::{Request, Sequences};
use crate::authz::resource::OwnedResource;
use crate::error::ErrorCode;
use crate::readiness::Client;
use crate::readiness::record::{Login, Operation};
use crate::readiness::report::Why;
use crate::readiness::roles::{Definition, recommend};
use crate::readiness::watch::{Judging, Outcome, Watch, WholeMessage};
use crate::session::{Effect, Event, Session, State};
use crate::upstream::roles::definitions;
use crate::wire::command::Command;

/// Of how many databases the upstream is asked for its built-in roles at most.
const MOST_DATABASES: usize = 64;
/// Stands for the command of a message that was not read.
const TOO_LARGE: &str = "message over preAuthMaximumMessageSizeBytes";
const NOBODY: &str = "not authenticated";
const GIVE_CREDENTIALS: &str = "give this client credentials, or take the rule out of proxy.enforcement and reload (SIGHUP)";

/// What one connection did in transition; costs nothing outside one.
#[derive(Default)]
pub(super) struct Readiness {
    watch: Option<Box<Watch>>,
    /// Whether the client had said who it is when the watch was made.
    is_introduced: bool,
    /// Whether something was refused by `proxy.enforcement`.
    was_refused: bool,
}

impl Readiness {
    /// Judges and counts a command that is forwarded in transition. Commands that need no authentication do not count, nor does what a
    /// cluster member does once it is logged in: it may do everything.
    ///
    /// # Errors
    /// [`WholeMessage`]: it can only be judged with its document sequences.
    pub(super) fn observe(
        &mut self,
        server: &Server,
        session: &Session,
        surroundings: &Surroundings<'_>,
        command: &Command<'_>,
        sequences: Sequences<'_>,
    ) -> Result<(), WholeMessage> {
        let policy = &surroundings.snapshot.policy;
        let is_enforced = session.enforces(policy);
        if !policy.transition_to_auth || is_enforced || matches!(session.state(), State::Member(_)) {
            return Ok(());
        }
        match self.judge(server, session, surroundings, command, sequences)? {
            None | Some(Outcome::Allowed) => {}
            Some(Outcome::Unauthenticated) => server.metrics.would_deny_unauthenticated.increment(1),
            Some(Outcome::MissingPrivilege) => server.metrics.would_deny_missing_privilege.increment(1),
        }
        Ok(())
    }

    /// Judges and counts a command; `None` for one that needs no authentication.
    fn judge(
        &mut self,
        server: &Server,
        session: &Session,
        surroundings: &Surroundings<'_>,
        command: &Command<'_>,
        sequences: Sequences<'_>,
    ) -> Result<Option<Outcome>, WholeMessage> {
        let canonical_name = authz::table::canonical_name(command.name);
        if !surroundings.picture.command(canonical_name).is_some_and(|known| known.requires_auth) {
            return Ok(None);
        }
        let is_enforced = session.is_enforced_by_rule(&surroundings.snapshot.policy);
        let watch = self.watch(session, surroundings);
        let request = Request { command: *command, canonical_name, sequences };
        let judging = Judging { rule: authz::rehearse, cursors: &surroundings.front.cursors, now_ms: unix_now_ms(), is_enforced };
        watch.observe(&server.readiness, session.state().principal(), &request, judging).map(Some)
    }

    fn watch(&mut self, session: &Session, surroundings: &Surroundings<'_>) -> &mut Watch {
        let is_introduced = session.client_metadata().is_some();
        if self.is_introduced != is_introduced {
            self.is_introduced = is_introduced;
            let client = client(session, surroundings);
            self.watch = self.watch.take().filter(|watch| *watch.client() == client);
        }
        self.watch.get_or_insert_with(|| Box::new(Watch::new(client(session, surroundings))))
    }
}

fn client(session: &Session, surroundings: &Surroundings<'_>) -> Client {
    if matches!(session.state(), State::Member(_)) || session.is_unproven_member() {
        return member(surroundings);
    }
    let metadata = session.client_metadata().map(AsRef::as_ref);
    Client::new(metadata, surroundings.client_address().ip(), &surroundings.front.deployment)
}

fn member(surroundings: &Surroundings<'_>) -> Client {
    Client::member(surroundings.client_address().ip(), &surroundings.front.deployment)
}

impl ClientConnection<'_> {
    /// Counts a refusal, tells of the first of a connection, where `proxy.enforcement` alone is the reason.
    pub(super) fn note_enforced(&mut self, command: &Command<'_>, sequences: Sequences<'_>, effect: &Effect) {
        let Effect::Reply { body, .. } = effect else { return };
        let is_refusal = || body.get_i32("code").is_ok_and(|code| code == ErrorCode::Unauthorized.code());
        if !self.session.is_enforced_by_rule(&self.surroundings.snapshot.policy) || !is_refusal() {
            return;
        }
        let judged = self.readiness.judge(self.server, &self.session, &self.surroundings, command, sequences);
        let (counter, why, remedy) = match judged {
            Ok(None) => return,
            Ok(Some(Outcome::Unauthenticated)) => {
                (&self.server.metrics.enforced_refusals_unauthenticated, NOBODY, GIVE_CREDENTIALS)
            }
            Ok(Some(Outcome::MissingPrivilege | Outcome::Allowed)) | Err(WholeMessage) => (
                &self.server.metrics.enforced_refusals_missing_privilege,
                "the user lacks a privilege",
                "doorward readiness tells which; grant it, or take the rule out of proxy.enforcement and reload (SIGHUP)",
            ),
        };
        counter.increment(1);
        self.tell_of_refusal(command.name, why, remedy);
    }

    /// Counts a message that is too large for somebody who is not logged in, where `proxy.enforcement` alone is the reason: the
    /// connection ends before anybody knows what it was about.
    pub(super) fn note_too_large(&mut self) {
        if !self.session.is_enforced_by_rule(&self.surroundings.snapshot.policy) {
            return;
        }
        let operation = Operation {
            client: &client(&self.session, &self.surroundings),
            user: None,
            command: TOO_LARGE,
            namespace: "",
            why: Some(&Why::Unauthenticated),
            is_enforced: true,
            needs: &[],
        };
        self.server.readiness.operation(&operation, unix_now_ms());
        self.server.metrics.enforced_refusals_unauthenticated.increment(1);
        self.tell_of_refusal(TOO_LARGE, NOBODY, GIVE_CREDENTIALS);
    }

    /// Tells of the first refusal of a connection.
    fn tell_of_refusal(&mut self, command: &str, why: &str, remedy: &str) {
        if !std::mem::replace(&mut self.readiness.was_refused, true) {
            let attributes = json!({
                "remote": self.log.remote(), "applicationName": self.application_name(), "command": command,
                "user": self.session.state().user().map(ToString::to_string), "reason": why, "remedy": remedy,
            });
            self.log.access(Severity::Warning, 9_000_030, "Refused by proxy.enforcement", attributes);
        }
    }

    /// Takes note of a login in transition. One that fails within a hello is not the client's last word.
    pub(super) fn note_login(&mut self, event: &Event) {
        if !self.surroundings.snapshot.policy.transition_to_auth {
            return;
        }
        let now_ms = unix_now_ms();
        match event {
            Event::AuthenticationFailed { mechanism, user, told: true, .. } => {
                let client = match user {
                    // A member logs in before it says that it is one.
                    Some(user) if user.is_system() => member(&self.surroundings),
                    _ => client(&self.session, &self.surroundings),
                };
                self.server.readiness.login_failed(&Login { client: &client, user: user.as_ref(), mechanism }, now_ms);
            }
            Event::AuthenticationSucceeded { mechanism, user, .. } => {
                let client = client(&self.session, &self.surroundings);
                self.server.readiness.login_succeeded(&Login { client: &client, user: Some(user), mechanism }, now_ms);
                if let Some(principal) = self.session.state().principal() {
                    let watch = self.readiness.watch(&self.session, &self.surroundings);
                    watch.logged_in(&self.server.readiness, principal, now_ms);
                }
            }
            _ => {}
        }
    }
}

impl Server {
    /// Tells the record whether there is a transition, at the start and after each reload.
    pub(super) fn note_transition(&self) {
        let is_on = self.snapshot.load().policy.transition_to_auth;
        self.readiness.set_transition(is_on, unix_now_ms());
    }

    /// Brings the numbers of applications up to date; there are none before the first transition.
    pub(super) fn show_readiness(&self) {
        let report = self.readiness.report();
        if report.since_ms.is_none() {
            return;
        }
        let ready = report.applications.iter().filter(|application| application.is_ready()).count();
        self.metrics.readiness("ready", ready);
        self.metrics.readiness("would_break", report.applications.len().saturating_sub(ready));
    }

    /// The roles that an application needs, with what the upstream says of its built-in roles.
    pub(super) async fn recommended_roles(&self, application: &str) -> Result<Value, RolesError> {
        let mut report = self.readiness.report();
        let place = report.applications.iter().position(|one| one.name == application).ok_or(RolesError::UnknownApplication)?;
        let application = report.applications.swap_remove(place);
        let needs: Vec<_> = application.needs.iter().map(|(need, _)| need.clone()).collect();
        let mut databases: Vec<String> =
            needs.iter().filter_map(|need| OwnedResource::database(&need.resource)).map(str::to_owned).collect();
        databases.sort_unstable();
        databases.dedup();
        databases.truncate(MOST_DATABASES);
        let unreachable = || RolesError::Upstream("no upstream is reachable".to_owned());
        let front = self.fronts.iter().find(|front| front.is_up()).ok_or_else(unreachable)?;
        let connector = front.connector();
        let asked = definitions(&connector, &databases).await.map_err(|error| RolesError::Upstream(error.to_string()))?;
        // Combining roles takes a moment, and this thread accepts clients.
        let found = tokio::task::spawn_blocking(move || {
            let definitions: Vec<Definition> = asked.iter().flat_map(|reply| Definition::from_roles_info(reply)).collect();
            let recommendation = recommend(&needs, &definitions);
            readiness::roles(&application, &recommendation)
        });
        found.await.map_err(|error| RolesError::Upstream(error.to_string()))
    }
}
