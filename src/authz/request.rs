//! A command as rules see it: its body, and the document sequences beside it if they were read.

use bson::raw::RawDocument;

use crate::wire::command::Command;

/// What is known of the sections of kind 1 of a message.
#[derive(Clone, Copy, Debug)]
pub enum Sequences<'a> {
    /// The message has none.
    None,
    /// It has some, which were not read: a rule that must see them asks for the whole message.
    Unread,
    /// The sections of the message, from the first to the last, kinds and lengths included, without a checksum.
    Read(&'a [u8]),
}

/// What is judged.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The command.
    pub command: Command<'a>,
    /// The canonical name, where the client used another.
    pub canonical_name: &'a str,
    /// The document sequences.
    pub sequences: Sequences<'a>,
}

impl<'a> Request<'a> {
    /// The command's document.
    #[must_use]
    pub const fn body(&self) -> &'a RawDocument {
        self.command.body
    }

    /// The command's database.
    #[must_use]
    pub const fn database(&self) -> &'a str {
        self.command.database
    }
}
