//! Sockets: listening, the kinds of stream, bytes in and out. Knows nothing of MongoDB but the port's meaning of a first byte.

pub mod channel;
pub mod client_hello;
pub mod incoming;
pub mod listener;
pub mod sniff;
pub mod stream;
pub mod tls_stream;
