//! SCRAM-SHA-1 and SCRAM-SHA-256 as MongoDB speaks them: values in, values out.
//!
//! The server's half ([`server`]) checks proofs against stored credentials ([`credential`]), the client's half ([`client`]) logs
//! doorward in to a mongod. Nothing here looks up a user, draws a random number or sends a byte, and no password, key or proof
//! ever reaches a log through these types.
//!
//! Source: RFC 5802, RFC 7677, fact sheet section 2, and a real mongod 6.0.5 wherever it is more generous than the RFCs.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions)]

pub mod client;
pub mod credential;
pub mod error;
pub mod mechanism;
pub mod password;
pub mod server;
pub mod unknown_user;

mod base64;

pub use client::{AwaitServerFinal, AwaitServerFirst, Client, ClientError, ClientKeys};
pub use credential::{Credential, StoredCredentialError};
pub use error::ScramError;
pub use mechanism::Mechanism;
pub use password::{PreparePasswordError, prepare_password};
pub use server::{AwaitClientFinal, ClientFirst, Proof};
pub use unknown_user::decoy;

#[cfg(test)]
mod tests;
