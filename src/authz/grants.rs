//! Whom a rule asks: what the user holds, who it is, whose a cursor is.
//!
//! Rules ask through a trait so that the same rules answer three questions: may this be done, what does this need (to recommend
//! roles), and what would a reference say (in tests).

use super::action::Action;
use super::cursors::{CursorOwner, Cursors};
use super::principal::Principal;
use super::resource::Resource;

/// What a rule may ask.
pub trait Grants {
    /// Whether the action may be done on the resource.
    fn has(&mut self, resource: Resource<'_>, action: Action) -> bool;

    /// Who asks; `None` for a client that is not authenticated.
    fn principal(&self) -> Option<&Principal>;

    /// To whom an open cursor belongs, from the asker's side.
    fn cursor(&self, id: i64) -> CursorOwner;
}

/// The real one: a user's privileges, and the cursors that are open.
pub struct Held<'a> {
    principal: &'a Principal,
    cursors: &'a Cursors,
}

impl<'a> Held<'a> {
    /// For one user.
    #[must_use]
    pub const fn new(principal: &'a Principal, cursors: &'a Cursors) -> Self {
        Self { principal, cursors }
    }
}

impl Grants for Held<'_> {
    fn has(&mut self, resource: Resource<'_>, action: Action) -> bool {
        self.principal.privileges().holds(resource, action)
    }

    fn principal(&self) -> Option<&Principal> {
        Some(self.principal)
    }

    fn cursor(&self, id: i64) -> CursorOwner {
        self.cursors.owner(id, Some(self.principal.name()))
    }
}
