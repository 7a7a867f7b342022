//! The tests of the whole codec; those of one rule stand beside it.

mod bytes;
mod compression;
mod corpus;
mod head;
mod properties;
mod refusals;
mod replies;
