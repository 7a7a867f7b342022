//! What MongoDB sees in a certificate: the user name, the roles, whether it is a cluster member.
//!
//! Nothing here verifies a certificate: signatures, dates, purposes and revocation are the business of [`crate::tls`], and its
//! result must be known before anything of this module is believed. All input is foreign: no function panics, whatever the bytes.
//!
//! Source: fact sheet "Authentication and authorization semantics", sections 3 and 4.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions))]

mod attribute_type;
pub mod ca_trusts;
pub mod certificate;
mod der;
pub mod dn;
pub mod dn_text;
pub mod membership;
pub mod peer;
mod preparation;
mod relaxed_json;
pub mod roles;
mod tables;
#[cfg(test)]
mod test_data;
mod time;

use std::borrow::Cow;

pub use ca_trusts::CaTrusts;
pub use certificate::Certificate;
pub use der::DerError;
pub use dn::DistinguishedName;
pub use membership::MembershipRule;
pub use peer::PeerIdentity;
pub use preparation::PreparationError;

/// OpenSSL's short name of an object identifier (its content octets), else its dotted text; `None` if it is none.
#[must_use]
pub fn object_identifier_text(content: &[u8]) -> Option<Cow<'static, str>> {
    attribute_type::is_valid(content).then(|| attribute_type::print(content))
}
