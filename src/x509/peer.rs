//! Who is at the other end: all that later code may know of a verified certificate.
//!
//! Computed once, after the handshake has verified the chain; an error closes the connection before any command, as in mongod.
//!
//! Source: fact sheet sections 3.3 to 3.5.

use super::certificate::{Certificate, CertificateError};
use super::der::{DerError, Reader, UNIVERSAL, UTF8_STRING};
use super::dn::{DistinguishedName, DnError};
use super::roles::{self, ROLES_EXTENSION, RolesError};
use crate::error::ErrorCode;
use crate::names::RoleName;

/// The content octets of 1.3.6.1.4.1.34601.2.1.2, which names the cluster of a member.
pub const CLUSTER_MEMBERSHIP_EXTENSION: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x8e\x29\x02\x01\x02";

/// Why a certificate gives no identity, and the connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerIdentityError {
    /// It is no certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Its subject has no text.
    #[error(transparent)]
    Subject(#[from] DnError),
    /// Its role extension is broken.
    #[error(transparent)]
    Roles(#[from] RolesError),
}

impl PeerIdentityError {
    /// mongod's code in the log line of the closed connection.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Certificate(_) => ErrorCode::SSLHandshakeFailed,
            Self::Subject(error) => match error.code() {
                Some(code) => code,
                None => ErrorCode::SSLHandshakeFailed,
            },
            Self::Roles(error) => error.code(),
        }
    }
}

/// What a certificate says of its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    /// The subject; its text is the user name. It may be empty, and then nobody can log in with it.
    pub subject: DistinguishedName,
    /// The roles of the role extension; empty without one, or where it is not allowed.
    pub roles: Vec<RoleName>,
    /// The text of the cluster membership extension; `None` also if it is malformed, as mongod 6.0 does not look at it.
    pub cluster_membership: Option<String>,
    /// The last second of validity, in seconds since 1970 began.
    pub not_after: i64,
}

impl PeerIdentity {
    /// Reads the identity out of a certificate that was verified before. Without `allow_roles`
    /// (`allowRolesFromX509Certificates`) the role extension is not looked at.
    ///
    /// # Errors
    /// [`PeerIdentityError`]: the connection must be closed.
    pub fn from_der(certificate_der: &[u8], allow_roles: bool) -> Result<Self, PeerIdentityError> {
        let certificate = Certificate::parse(certificate_der)?;
        let subject = DistinguishedName::from_der(certificate.subject_der())?;
        let roles = match certificate.extension_value(ROLES_EXTENSION) {
            Some(value) if allow_roles => roles::roles(value)?,
            _ => Vec::new(),
        };
        let cluster_membership = certificate.extension_value(CLUSTER_MEMBERSHIP_EXTENSION).and_then(|value| text(value).ok());
        Ok(Self { subject, roles, cluster_membership, not_after: certificate.not_after() })
    }
}

/// A single UTF8String and nothing else.
fn text(value: &[u8]) -> Result<String, DerError> {
    let mut reader = Reader::new(value);
    let octets = reader.expect(UNIVERSAL, UTF8_STRING)?.primitive()?;
    reader.end()?;
    str::from_utf8(octets).map(str::to_owned).map_err(|_| DerError::Content)
}

#[cfg(test)]
mod tests {
    use super::super::test_data::{self, tlv};
    use super::*;

    fn with_extension(oid: &[u8], value: &[u8]) -> Vec<u8> {
        let extension = tlv(0x30, &[tlv(0x06, oid), tlv(0x04, value)].concat());
        test_data::with_extensions(&test_data::certificate("cn-only"), &[extension])
    }

    const ROLE: &[u8] = b"\x31\x11\x30\x0f\x0c\x04root\x0c\x07mongodb";

    #[test]
    fn roles_come_from_the_extension_if_allowed() {
        let der = with_extension(ROLES_EXTENSION, ROLE);
        let identity = PeerIdentity::from_der(&der, true).unwrap();
        assert_eq!(identity.roles, [RoleName { role: "root".into(), database: "mongodb".into() }]);
        assert_eq!((identity.subject.as_str(), identity.not_after), ("CN=alice", 1_826_836_637));
        assert_eq!(PeerIdentity::from_der(&der, false).unwrap().roles, []);
    }

    #[test]
    fn a_broken_role_extension_matters_only_if_allowed() {
        let der = with_extension(ROLES_EXTENSION, b"\x31\x00");
        assert_eq!(PeerIdentity::from_der(&der, true), Err(PeerIdentityError::Roles(RolesError::Length)));
        assert_eq!(PeerIdentity::from_der(&der, false).unwrap().roles, []);
    }

    #[test]
    fn the_first_of_two_extensions_counts() {
        let extension = |value: &[u8]| tlv(0x30, &[tlv(0x06, ROLES_EXTENSION), tlv(0x04, value)].concat());
        let der = test_data::with_extensions(&test_data::certificate("cn-only"), &[extension(ROLE), extension(b"\x31\x00")]);
        assert_eq!(PeerIdentity::from_der(&der, true).unwrap().roles.len(), 1);
    }

    #[test]
    fn the_cluster_membership_is_a_bare_utf8_string_and_else_absent() {
        let membership = |value: &[u8]| {
            PeerIdentity::from_der(&with_extension(CLUSTER_MEMBERSHIP_EXTENSION, value), true).unwrap().cluster_membership
        };
        assert_eq!(membership(b"\x0c\x05rs-01").as_deref(), Some("rs-01"));
        for broken in [&b""[..], b"rs-01", b"\x13\x05rs-01", b"\x0c\x05rs-01x", b"\x0c\x01\xff"] {
            assert_eq!(membership(broken), None, "{broken:02x?}");
        }
        assert_eq!(PeerIdentity::from_der(&test_data::certificate("cn-only"), true).unwrap().cluster_membership, None);
    }
}
