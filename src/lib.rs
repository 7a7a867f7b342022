//! doorward: a MongoDB-compatible TLS authentication proxy.
//!
//! The modules stand in layers, and imports point down only:
//! `inspect -> server`, and `admin, server -> relay, upstream, tls, net -> readiness, session -> authz, scram, x509, keyfile, wire, config -> names, secret, error`.
//! Everything above the line below is pure: it knows no socket, clock, file or source of randomness; such things come in as
//! arguments. Everything below it needs the feature `server`. `tests/layers` holds both rules.

// Vocabulary.
pub mod error;
pub mod names;
pub mod secret;

// Pure logic.
pub mod authz;
pub mod config;
pub mod keyfile;
pub mod readiness;
pub mod scram;
pub mod session;
pub mod wire;
pub mod x509;

// Input and output.
#[cfg(feature = "server")]
pub mod admin;
#[cfg(feature = "server")]
mod arguments;
#[cfg(feature = "server")]
pub mod certs;
#[cfg(feature = "server")]
pub mod dev;
#[cfg(feature = "server")]
pub mod inspect;
#[cfg(feature = "server")]
pub mod net;
#[cfg(feature = "server")]
pub mod relay;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod sink;
#[cfg(feature = "server")]
pub mod tls;
#[cfg(feature = "server")]
pub mod upstream;
