//! End-to-end tests: the same conversations with a real mongod and with doorward in front of one.
//!
//! What is right is what mongod answers. Every suite that has a table of expected answers runs against doorward by default and
//! against a real mongod with `DOORWARD_E2E_TARGET=mongod`, which is how the tables and the harness are checked themselves.
//! Each server runs on a port of its own, in a folder of its own, and ends with the test process, however that ends.

#[cfg(test)]
mod authorization;
#[cfg(test)]
mod ca_trusts;
#[cfg(test)]
mod support;

#[cfg(test)]
mod cluster_auth;
#[cfg(test)]
mod conversation;
#[cfg(test)]
mod differential;

#[cfg(test)]
mod drivers;
#[cfg(test)]
mod enforcement;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod framing;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod hidden_users;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod listeners;
#[cfg(test)]
mod load_balanced;
#[cfg(test)]
mod members_reload;
#[cfg(test)]
mod observability;
#[cfg(test)]
mod ownership;
#[cfg(test)]
mod pooling;
#[cfg(test)]
mod preauth;
#[cfg(test)]
mod proxy_protocol;
#[cfg(test)]
mod readiness;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod replica_set;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod scram_cases;
#[cfg(test)]
mod server_name;
#[cfg(test)]
mod sidecars;
#[cfg(test)]
mod tls_modes;
#[cfg(test)]
mod transcripts;
#[cfg(test)]
mod transition;
#[cfg(test)]
mod tutorial;
#[cfg(test)]
mod upstream;
#[cfg(test)]
mod user_changes;
#[cfg(test)]
mod ways_out;
