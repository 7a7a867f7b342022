//! Who is a cluster member by certificate.
//!
//! The rule compares attributes, never the text of names, so nothing inside a value can pretend to be an attribute. A rule that
//! demands nothing matches nobody. The chain must have been verified before.
//!
//! Source: fact sheet sections 4.1 to 4.3, and `membership-corpus.jsonl` (118 cases judged by a mongod 6.0.5); that `createUser`
//! does not look at the override was seen on the same server.

use super::dn::{Attribute, DistinguishedName};
use super::dn_text::DnTextError;
use super::peer::PeerIdentity;

const ORGANIZATION: &[u8] = b"\x55\x04\x0a";
const ORGANIZATIONAL_UNIT: &[u8] = b"\x55\x04\x0b";
const DOMAIN_COMPONENT: &[u8] = b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19";

/// One way to be a member.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Criterion {
    /// The subject has exactly these O, OU and DC (sorted); nobody has if there are none.
    ClusterAttributes(Vec<Attribute>),
    /// The subject contains all these relative names (each sorted, and sorted); nobody does if there are none.
    Rdns(Vec<Vec<Attribute>>),
    /// The cluster membership extension has this text.
    Extension(String),
}

/// Who is a cluster member: a main criterion and perhaps an override beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembershipRule {
    criterion: Criterion,
    /// Also enough, but not looked at for `createUser`.
    override_criterion: Option<Criterion>,
}

impl MembershipRule {
    /// Members have the O, OU and DC of the server's own certificate, in any order. If it has none, nobody is a member.
    #[must_use]
    pub fn by_server_subject(server: &DistinguishedName) -> Self {
        Self::by(Criterion::ClusterAttributes(cluster_attributes(server)))
    }

    /// `net.tls.clusterAuthX509.attributes`: members have all the relative names of this DN, and perhaps others.
    ///
    /// # Errors
    /// [`DnTextError`] if the text is no DN, or an empty one.
    pub fn by_attributes(dn_text: &str) -> Result<Self, DnTextError> {
        let name = DistinguishedName::from_text(dn_text)?;
        if name.is_empty() {
            return Err(DnTextError::Empty);
        }
        Ok(Self::by(Criterion::Rdns(sorted_rdns(&name))))
    }

    /// `net.tls.clusterAuthX509.extensionValue`: members have this text in their cluster membership extension.
    #[must_use]
    pub fn by_extension(value: String) -> Self {
        Self::by(Criterion::Extension(value))
    }

    /// `tlsX509ClusterAuthDNOverride`: who has the O, OU and DC of this DN is a member too. An empty text removes the override.
    ///
    /// # Errors
    /// [`DnTextError`] if the text is no DN or has neither O nor OU nor DC.
    pub fn with_override(self, dn_text: &str) -> Result<Self, DnTextError> {
        if dn_text.is_empty() {
            return Ok(Self { override_criterion: None, ..self });
        }
        let attributes = cluster_attributes(&DistinguishedName::from_text(dn_text)?);
        if attributes.is_empty() {
            return Err(DnTextError::NoClusterAttribute);
        }
        Ok(Self { override_criterion: Some(Criterion::ClusterAttributes(attributes)), ..self })
    }

    /// Whether this peer is a cluster member.
    #[must_use]
    pub fn is_member(&self, peer: &PeerIdentity) -> bool {
        [Some(&self.criterion), self.override_criterion.as_ref()].into_iter().flatten().any(|criterion| match criterion {
            Criterion::Extension(value) => peer.cluster_membership.as_ref() == Some(value),
            by_name => by_name.matches(&peer.subject),
        })
    }

    /// Whether `createUser` must refuse this name, because its certificate would be a member's. A text that is no DN is no
    /// member's; the override and the extension do not count.
    #[must_use]
    pub fn is_member_name(&self, user_name: &str) -> bool {
        DistinguishedName::from_text(user_name).is_ok_and(|name| self.criterion.matches(&name))
    }

    /// The rule in words, for operators: what stands behind "a cluster member is ".
    #[must_use]
    pub fn in_words(&self) -> String {
        let main = self.criterion.in_words();
        match &self.override_criterion {
            None => main,
            Some(other) => format!("{main}; or (setParameter.tlsX509ClusterAuthDNOverride) {}", other.in_words()),
        }
    }

    fn by(criterion: Criterion) -> Self {
        Self { criterion, override_criterion: None }
    }
}

impl Criterion {
    fn matches(&self, name: &DistinguishedName) -> bool {
        match self {
            Self::ClusterAttributes(required) => !required.is_empty() && cluster_attributes(name) == *required,
            Self::Rdns(required) => !required.is_empty() && contains(&sorted_rdns(name), required),
            Self::Extension(_) => false,
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::ClusterAttributes(required) if required.is_empty() => {
                "nobody, because the server's own certificate has neither O nor OU nor DC".to_owned()
            }
            Self::ClusterAttributes(required) => {
                let attributes = required.iter().cloned().map(|attribute| vec![attribute]).collect();
                let attributes = DistinguishedName::from_rdns(attributes);
                format!("who has exactly these O, OU and DC in the certificate's subject, in any order: {attributes}")
            }
            Self::Rdns(required) => {
                let names = DistinguishedName::from_rdns(required.clone());
                format!("who has all of this in the certificate's subject, in any order, and perhaps more: {names}")
            }
            Self::Extension(value) => {
                format!("who has \"{value}\" in the certificate's extension 1.3.6.1.4.1.34601.2.1.2")
            }
        }
    }
}

/// The O, OU and DC of a name as text, which the usual rule of membership compares; empty without any.
#[must_use]
pub fn cluster_attributes_text(name: &DistinguishedName) -> String {
    let attributes = cluster_attributes(name).into_iter().map(|attribute| vec![attribute]).collect();
    DistinguishedName::from_rdns(attributes).to_string()
}

/// The multiset of O, OU and DC, as a sorted list.
fn cluster_attributes(name: &DistinguishedName) -> Vec<Attribute> {
    let counts = |attribute: &&Attribute| [ORGANIZATION, ORGANIZATIONAL_UNIT, DOMAIN_COMPONENT].contains(&attribute.oid());
    let mut attributes: Vec<_> = name.attributes().filter(counts).cloned().collect();
    attributes.sort_unstable();
    attributes
}

fn sorted_rdns(name: &DistinguishedName) -> Vec<Vec<Attribute>> {
    let mut rdns: Vec<_> = name.rdns().map(<[Attribute]>::to_vec).collect();
    rdns.iter_mut().for_each(|rdn| rdn.sort_unstable());
    rdns.sort_unstable();
    rdns
}

/// Whether each element of `required` has one of its own in `present`; both are sorted.
fn contains<T: PartialEq>(present: &[T], required: &[T]) -> bool {
    let mut present = present.iter();
    required.iter().all(|element| present.any(|candidate| candidate == element))
}

#[cfg(test)]
mod tests;
