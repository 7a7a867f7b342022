//! Whose an open cursor is. The upstream has no access control and would give any cursor to anybody.

use crate::names::UserName;

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

/// The cursors that clients have open.
#[derive(Debug, Default)]
pub struct Cursors {}

impl Cursors {
    /// To whom the cursor belongs, from the side of `asker` (`None`: nobody is authenticated).
    #[must_use]
    pub fn owner(&self, _id: i64, _asker: Option<&UserName>) -> CursorOwner {
        CursorOwner::Unknown
    }
}
