//! Whom a rule asks: what the user holds, who it is, whose a cursor is.
//!
//! Rules ask through a trait so that the same rules answer three questions: may this be done, what does this need (to recommend
//! roles), and what would a reference say (in tests).

use std::sync::Arc;

use super::action::Action;
use super::cursors::{CursorOwner, Cursors, Opened};
use super::principal::Principal;
use super::privileges::Privileges;
use super::resource::Resource;

/// What a rule may ask.
pub trait Grants {
    /// Whether the action may be done on the resource.
    fn has(&mut self, resource: Resource<'_>, action: Action) -> bool;

    /// Who asks; `None` for a client that is not authenticated.
    fn principal(&self) -> Option<&Principal>;

    /// To whom an open cursor belongs, from the asker's side.
    fn cursor(&self, id: i64) -> CursorOwner;

    /// How an open cursor was opened.
    fn opened(&self, id: i64) -> Option<Arc<Opened>>;
}

/// The real one: what somebody holds, and the cursors that are open.
pub struct Held<'a> {
    principal: Option<&'a Principal>,
    privileges: &'a Privileges,
    cursors: &'a Cursors,
    newest_time: u32,
}

impl<'a> Held<'a> {
    /// For one user.
    #[must_use]
    pub const fn new(principal: &'a Principal, cursors: &'a Cursors) -> Self {
        Self { principal: Some(principal), privileges: principal.privileges(), cursors, newest_time: u32::MAX }
    }

    /// For somebody without a name.
    #[must_use]
    pub const fn nameless(privileges: &'a Privileges, cursors: &'a Cursors) -> Self {
        Self { principal: None, privileges, cursors, newest_time: u32::MAX }
    }

    /// The same, for somebody who is believed no cluster time beyond this one, in seconds.
    #[must_use]
    pub const fn until(self, newest_time: u32) -> Self {
        Self { newest_time, ..self }
    }

    /// The newest cluster time that is believed, in seconds.
    #[must_use]
    pub const fn newest_time(&self) -> u32 {
        self.newest_time
    }

    /// Whether every action on every resource is held.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.privileges.is_everything()
    }
}

impl Grants for Held<'_> {
    fn has(&mut self, resource: Resource<'_>, action: Action) -> bool {
        self.privileges.holds(resource, action)
    }

    fn principal(&self) -> Option<&Principal> {
        self.principal
    }

    fn cursor(&self, id: i64) -> CursorOwner {
        self.cursors.owner(id, self.principal.map(Principal::name))
    }

    fn opened(&self, id: i64) -> Option<Arc<Opened>> {
        self.cursors.opened(id)
    }
}
