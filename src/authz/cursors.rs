//! Whose an open cursor is. The upstream has no access control and would give any cursor to anybody.
//!
//! mongod remembers with each cursor who opened it, in which logical session, and what that needed; doorward remembers the same, for
//! the whole process, because a cursor may be continued on another connection. It learns of a cursor from the reply that opens it,
//! before the client has seen its id. A cursor that is not known here is nobody's: one that was opened before doorward started, or
//! past it, is never given to anybody, and `getMore` on it is answered as mongod answers for a cursor that is gone (43), which is
//! what drivers know how to handle after a restart.
//!
//! A cursor is forgotten when the upstream says that it is used up or gone, when it is killed, and when the upstream is lost. What
//! dies at the upstream unseen (its time ran out, its session ended) stays, so both the number of cursors and the bytes of the
//! commands kept with them are bounded: beyond [`MOST_CURSORS`] or [`MOST_BYTES`] the user who has the most of them loses the one
//! that it opened first, and finds it gone. So nobody can push out the cursors of others. Source: fact sheet "Authentication and
//! authorization semantics", section 8.4.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bson::raw::RawDocument;

use super::principal::Principal;
use super::request::{Request, Sequences};
use super::table;
use crate::names::UserName;
use crate::wire::command::Command;

/// How many cursors are remembered at most.
pub const MOST_CURSORS: usize = 200_000;
/// How many bytes the remembered commands may have together.
pub const MOST_BYTES: usize = 256 * 1024 * 1024;

/// To whom a cursor belongs, seen from somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CursorOwner {
    /// To the one who asks.
    Asker,
    /// To somebody else.
    Other,
    /// No such cursor was opened through this doorward.
    Unknown,
}

/// How a cursor was opened.
#[derive(Debug)]
pub struct Opened {
    owner: Option<Arc<Principal>>,
    names_user: bool,
    command: Box<str>,
    database: Box<str>,
    body: Box<[u8]>,
}

impl Opened {
    /// A cursor that `owner` opened (`None`: somebody who was not authenticated, in transition) with this command. `names_user`:
    /// whether the command's logical session was given its user's digest on the way.
    #[must_use]
    pub fn new(owner: Option<Arc<Principal>>, names_user: bool, command: &Command<'_>) -> Self {
        Self {
            owner,
            names_user,
            command: command.name.into(),
            database: command.database.into(),
            body: command.body.as_bytes().into(),
        }
    }

    /// Who opened it.
    #[must_use]
    pub fn owner(&self) -> Option<&Principal> {
        self.owner.as_deref()
    }

    /// The digest that its logical session was given.
    #[must_use]
    pub fn digest(&self) -> Option<&[u8; 32]> {
        self.owner().filter(|_| self.names_user).map(Principal::digest)
    }

    /// The command that opened it, to be judged again; `None` if it can not be read.
    #[must_use]
    pub fn request(&self) -> Option<Request<'_>> {
        let body = RawDocument::from_bytes(&self.body).ok()?;
        let command = Command::new(&self.command, &self.database, body);
        Some(Request { command, canonical_name: table::canonical_name(command.name), sequences: Sequences::None })
    }
}

/// The cursors that clients have open.
#[derive(Debug)]
pub struct Cursors {
    open: Mutex<Open>,
    most_cursors: usize,
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct Open {
    cursors: HashMap<i64, (u64, Arc<Opened>)>,
    /// By the digest of the owner; those of nobody are together.
    shares: HashMap<[u8; 32], Share>,
    next: u64,
    bytes: usize,
}

/// The cursors of one owner.
#[derive(Debug, Default)]
struct Share {
    /// By the order in which they were opened.
    order: BTreeMap<u64, i64>,
    bytes: usize,
}

impl Opened {
    fn share(&self) -> [u8; 32] {
        self.owner().map(Principal::digest).copied().unwrap_or_default()
    }
}

impl Open {
    fn remember(&mut self, id: i64, opened: Opened) {
        self.forget(id);
        let number = self.next;
        self.next = number.saturating_add(1);
        let share = self.shares.entry(opened.share()).or_default();
        share.order.insert(number, id);
        share.bytes = share.bytes.saturating_add(opened.body.len());
        self.bytes = self.bytes.saturating_add(opened.body.len());
        self.cursors.insert(id, (number, Arc::new(opened)));
    }

    fn forget(&mut self, id: i64) {
        let Some((number, opened)) = self.cursors.remove(&id) else { return };
        self.bytes = self.bytes.saturating_sub(opened.body.len());
        let key = opened.share();
        if let Some(share) = self.shares.get_mut(&key) {
            share.order.remove(&number);
            share.bytes = share.bytes.saturating_sub(opened.body.len());
            if share.order.is_empty() {
                self.shares.remove(&key);
            }
        }
    }

    /// The first cursor of the owner that has the most by this measure.
    fn first_of_the_largest(&self, size: impl Fn(&Share) -> usize) -> Option<i64> {
        let largest = self.shares.values().max_by_key(|share| size(share))?;
        largest.order.first_key_value().map(|(_, id)| *id)
    }
}

impl Default for Cursors {
    fn default() -> Self {
        Self::bounded(MOST_CURSORS, MOST_BYTES)
    }
}

impl Cursors {
    /// None yet, and never more than these.
    #[must_use]
    pub fn bounded(most_cursors: usize, most_bytes: usize) -> Self {
        Self { open: Mutex::default(), most_cursors, most_bytes }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To whom the cursor belongs, from the side of `asker` (`None`: nobody is authenticated).
    #[must_use]
    pub fn owner(&self, id: i64, asker: Option<&UserName>) -> CursorOwner {
        match self.opened(id) {
            None => CursorOwner::Unknown,
            Some(opened) if asker.is_some() && opened.owner().map(Principal::name) == asker => CursorOwner::Asker,
            Some(_) => CursorOwner::Other,
        }
    }

    /// How the cursor was opened.
    #[must_use]
    pub fn opened(&self, id: i64) -> Option<Arc<Opened>> {
        self.lock().cursors.get(&id).map(|(_, opened)| Arc::clone(opened))
    }

    /// Remembers a cursor. To be called before its owner can know its id.
    pub fn remember(&self, id: i64, opened: Opened) {
        if id == 0 {
            return;
        }
        let mut open = self.lock();
        open.remember(id, opened);
        loop {
            let first = match () {
                () if open.cursors.len() > self.most_cursors => open.first_of_the_largest(|share| share.order.len()),
                () if open.bytes > self.most_bytes => open.first_of_the_largest(|share| share.bytes),
                () => return,
            };
            let Some(first) = first else { return };
            open.forget(first);
        }
    }

    /// Forgets a cursor that is used up, killed or gone.
    pub fn forget(&self, id: i64) {
        self.lock().forget(id);
    }

    /// Forgets every cursor: the upstream that had them is lost.
    pub fn forget_all(&self) {
        let mut open = self.lock();
        *open = Open { next: open.next, ..Open::default() };
    }

    /// How many cursors are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().cursors.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::privileges::Privileges;
    use super::*;

    fn principal(name: &str) -> Arc<Principal> {
        let name = UserName { name: name.to_owned(), database: "admin".to_owned() };
        Arc::new(Principal::new(name, Vec::new(), Privileges::default()))
    }

    fn opened(owner: Option<&Arc<Principal>>) -> Opened {
        let body = bson::rawdoc! { "find": "t", "$db": "app" };
        Opened::new(owner.cloned(), true, &Command::new("find", "app", &body))
    }

    #[test]
    fn a_cursor_belongs_to_its_user_whichever_connection_asks() {
        let (alice, again, bob) = (principal("alice"), principal("alice"), principal("bob"));
        let cursors = Cursors::default();
        cursors.remember(7, opened(Some(&alice)));
        assert_eq!(cursors.owner(7, Some(again.name())), CursorOwner::Asker);
        assert_eq!(cursors.owner(7, Some(bob.name())), CursorOwner::Other);
        assert_eq!(cursors.owner(7, None), CursorOwner::Other);
        assert_eq!(cursors.owner(8, Some(alice.name())), CursorOwner::Unknown);
        cursors.forget(7);
        assert_eq!(cursors.owner(7, Some(alice.name())), CursorOwner::Unknown);
    }

    #[test]
    fn the_cursor_of_somebody_without_a_name_is_nobodys() {
        let cursors = Cursors::default();
        cursors.remember(7, opened(None));
        assert_eq!(cursors.owner(7, None), CursorOwner::Other);
        assert_eq!(cursors.owner(7, Some(principal("alice").name())), CursorOwner::Other);
    }

    #[test]
    fn beyond_the_bounds_nobody_pushes_out_the_cursors_of_others() {
        let (alice, bob) = (principal("alice"), principal("bob"));
        let size = opened(None).body.len();
        for cursors in [Cursors::bounded(4, usize::MAX), Cursors::bounded(usize::MAX, 4 * size)] {
            cursors.remember(1, opened(Some(&bob)));
            for id in 2..=9 {
                cursors.remember(id, opened(Some(&alice)));
            }
            let kept = |cursors: &Cursors| (1..=9).filter(|id| cursors.opened(*id).is_some()).collect::<Vec<i64>>();
            assert_eq!(kept(&cursors), [1, 7, 8, 9]);
            cursors.forget(1);
            cursors.remember(2, opened(Some(&bob)));
            assert_eq!((kept(&cursors), cursors.lock().shares.len()), (vec![2, 7, 8, 9], 2));
        }
    }

    #[test]
    fn beyond_the_bounds_the_oldest_is_forgotten() {
        let alice = principal("alice");
        let size = opened(None).body.len();
        for cursors in [Cursors::bounded(3, usize::MAX), Cursors::bounded(usize::MAX, 3 * size)] {
            for id in 1..=5 {
                cursors.remember(id, opened(Some(&alice)));
            }
            cursors.remember(5, opened(Some(&alice)));
            let kept: Vec<i64> = (1..=5).filter(|id| cursors.opened(*id).is_some()).collect();
            assert_eq!((kept, cursors.len()), (vec![3, 4, 5], 3));
            assert_eq!(cursors.lock().bytes, 3 * size);
        }
    }

    #[test]
    fn no_cursor_has_the_id_0_and_a_lost_upstream_has_none() {
        let cursors = Cursors::default();
        cursors.remember(0, opened(None));
        assert!(cursors.is_empty());
        cursors.remember(1, opened(None));
        cursors.forget_all();
        assert!(cursors.is_empty());
        assert_eq!(cursors.lock().bytes, 0);
        assert!(cursors.lock().shares.is_empty());
    }
}
