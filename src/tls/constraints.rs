//! Name constraints: which names an authority may give out.
//!
//! What can not be evaluated is refused. Pure; the work is bounded by the product of names and constraints.
//! Source: RFC 5280 section 4.2.1.10, with OpenSSL's reading of it where that differs (measured by `tests/certificates`).

use super::certificate::{Certificate, GeneralName, general_name};
use super::der::{Malformed, Reader, SEQUENCE};
use super::verdict::InvalidCertificate;

/// The greatest product of names and constraints that is looked at, as in OpenSSL.
const MOST_COMPARISONS: usize = 1 << 20;

/// A parsed name constraints extension.
#[derive(Debug)]
pub(crate) struct Constraints {
    permitted: Vec<Subtree>,
    excluded: Vec<Subtree>,
}

#[derive(Debug)]
struct Subtree {
    base: GeneralName,
    /// It has a minimum or a maximum, which nobody supports.
    bounded: bool,
}

impl Constraints {
    pub(crate) fn parse(value: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::only(value, SEQUENCE)?.inside();
        let mut list = |tag| match reader.optional(tag)? {
            Some(list) => subtrees(list.inside()),
            None => Ok(Vec::new()),
        };
        let (permitted, excluded) = (list(0xa0)?, list(0xa1)?);
        reader.finish()?;
        Ok(Self { permitted, excluded })
    }

    /// Checks the subject and the alternative names of `certificate`; its common names too when it is the first of a chain and
    /// has no DNS name.
    pub(crate) fn check(&self, certificate: &Certificate, first: bool) -> Result<(), InvalidCertificate> {
        let mut names = Vec::new();
        if !certificate.subject.is_empty() {
            names.push(GeneralName::Directory(certificate.subject.clone()));
            names.extend(certificate.subject.email_addresses.iter().map(|address| GeneralName::Email(address.clone().into())));
        }
        names.extend(certificate.alternative_names.iter().cloned());
        if first && !certificate.alternative_names.iter().any(|name| matches!(name, GeneralName::Dns(_))) {
            let common_names = certificate.subject.common_names.iter();
            names.extend(common_names.filter(|name| looks_like_a_host(name)).map(|name| GeneralName::Dns(name.clone().into())));
        }
        let constraints = self.permitted.len().saturating_add(self.excluded.len());
        if names.len().saturating_mul(constraints) > MOST_COMPARISONS {
            return Err(InvalidCertificate::Unspecified);
        }
        names.iter().try_for_each(|name| self.check_name(name))
    }

    fn check_name(&self, name: &GeneralName) -> Result<(), InvalidCertificate> {
        let (mut concerned, mut matched) = (false, false);
        for subtree in self.permitted.iter().filter(|subtree| same_kind(&subtree.base, name)) {
            if subtree.bounded {
                return Err(InvalidCertificate::SubtreeMinMax);
            }
            concerned = true;
            matched = matched || is_within(name, &subtree.base)?;
        }
        if concerned && !matched {
            return Err(InvalidCertificate::PermittedViolation);
        }
        for subtree in self.excluded.iter().filter(|subtree| same_kind(&subtree.base, name)) {
            if subtree.bounded {
                return Err(InvalidCertificate::SubtreeMinMax);
            }
            if is_within(name, &subtree.base)? {
                return Err(InvalidCertificate::ExcludedViolation);
            }
        }
        Ok(())
    }
}

fn subtrees(mut list: Reader<'_>) -> Result<Vec<Subtree>, Malformed> {
    let mut subtrees = Vec::new();
    while !list.is_empty() {
        let mut subtree = list.read(SEQUENCE)?.inside();
        let base = general_name(&subtree.any()?)?;
        let minimum = subtree.optional(0x80)?;
        let maximum = subtree.optional(0x81)?;
        subtree.finish()?;
        let bounded = maximum.is_some() || minimum.is_some_and(|minimum| minimum.content != [0]);
        subtrees.push(Subtree { base, bounded });
    }
    Ok(subtrees)
}

fn same_kind(base: &GeneralName, name: &GeneralName) -> bool {
    match (base, name) {
        (GeneralName::Other(base), GeneralName::Other(name)) => base == name,
        _ => std::mem::discriminant(base) == std::mem::discriminant(name),
    }
}

/// Whether `name` is within `base`, which is of the same kind.
fn is_within(name: &GeneralName, base: &GeneralName) -> Result<bool, InvalidCertificate> {
    match (name, base) {
        (GeneralName::Directory(name), GeneralName::Directory(base)) => Ok(name.is_within(base)),
        (GeneralName::Dns(name), GeneralName::Dns(base)) => Ok(dns_is_within(name, base)),
        (GeneralName::Email(name), GeneralName::Email(base)) => email_is_within(name, base),
        (GeneralName::Uri(name), GeneralName::Uri(base)) => uri_is_within(name, base),
        (GeneralName::Ip(name), GeneralName::Ip(base)) => Ok(ip_is_within(name, base)),
        _ => Err(InvalidCertificate::UnsupportedConstraintType),
    }
}

fn ends_with(name: &[u8], end: &[u8]) -> bool {
    let start = name.len().checked_sub(end.len()).and_then(|start| name.get(start..));
    start.is_some_and(|last| last.eq_ignore_ascii_case(end))
}

fn dns_is_within(name: &[u8], base: &[u8]) -> bool {
    if base.is_empty() {
        return true;
    }
    let before = name.len().checked_sub(base.len()).and_then(|start| start.checked_sub(1)).and_then(|at| name.get(at));
    ends_with(name, base) && (base.starts_with(b".") || before.is_none_or(|before| *before == b'.'))
}

/// What is before and behind the last `@`.
fn split_at_sign(address: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = address.iter().rposition(|byte| *byte == b'@')?;
    Some((address.get(..at)?, address.get(at.checked_add(1)?..)?))
}

fn email_is_within(name: &[u8], base: &[u8]) -> Result<bool, InvalidCertificate> {
    let (local, host) = split_at_sign(name).ok_or(InvalidCertificate::UnsupportedNameSyntax)?;
    Ok(match split_at_sign(base) {
        None if base.starts_with(b".") => name.len() > base.len() && ends_with(name, base),
        None => host.eq_ignore_ascii_case(base),
        Some((base_local, base_host)) => (base_local.is_empty() || base_local == local) && host.eq_ignore_ascii_case(base_host),
    })
}

fn uri_is_within(name: &[u8], base: &[u8]) -> Result<bool, InvalidCertificate> {
    let colon = name.iter().position(|byte| *byte == b':').and_then(|at| name.get(at..));
    let behind = colon.and_then(|rest| rest.strip_prefix(b"://")).ok_or(InvalidCertificate::UnsupportedNameSyntax)?;
    let authority_end = behind.iter().position(|byte| matches!(byte, b'/' | b':')).unwrap_or(behind.len());
    let host = behind.get(..authority_end).filter(|host| !host.is_empty()).ok_or(InvalidCertificate::UnsupportedNameSyntax)?;
    if base.starts_with(b".") {
        return Ok(host.len() > base.len() && ends_with(host, base));
    }
    Ok(host.eq_ignore_ascii_case(base))
}

fn ip_is_within(address: &[u8], base: &[u8]) -> bool {
    let Some((network, mask)) = base.split_at_checked(address.len()) else { return false };
    matches!(address.len(), 4 | 16)
        && mask.len() == address.len()
        && address.iter().zip(network).zip(mask).all(|((address, network), mask)| address & mask == network & mask)
}

/// Whether a common name could be a host name: labels of letters, digits, `-` and `_`, and at least one dot.
fn looks_like_a_host(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.contains('.') && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_constraints_match_whole_labels() {
        for (name, base, within) in [
            ("example.com", "example.com", true),
            ("a.EXAMPLE.com", "example.com", true),
            ("aexample.com", "example.com", false),
            ("a.example.com", ".example.com", true),
            ("example.com", ".example.com", false),
            ("anything", "", true),
        ] {
            assert_eq!(dns_is_within(name.as_bytes(), base.as_bytes()), within, "{name} in {base}");
        }
    }

    #[test]
    fn email_constraints_are_a_host_a_domain_or_one_address() {
        for (name, base, within) in [
            ("a@example.com", "example.com", Ok(true)),
            ("a@b.example.com", "example.com", Ok(false)),
            ("a@b.example.com", ".example.com", Ok(true)),
            ("A@example.com", "a@example.com", Ok(false)),
            ("a@EXAMPLE.com", "a@example.com", Ok(true)),
            ("no address", "example.com", Err(InvalidCertificate::UnsupportedNameSyntax)),
        ] {
            assert_eq!(email_is_within(name.as_bytes(), base.as_bytes()), within, "{name} in {base}");
        }
    }

    #[test]
    fn uri_constraints_are_about_the_host() {
        for (name, base, within) in [
            ("spiffe://a.example.com/x", ".example.com", Ok(true)),
            ("spiffe://example.com:1/x", "example.com", Ok(true)),
            ("spiffe://other.com", "example.com", Ok(false)),
            ("urn:x", "example.com", Err(InvalidCertificate::UnsupportedNameSyntax)),
            ("x:///path", "example.com", Err(InvalidCertificate::UnsupportedNameSyntax)),
        ] {
            assert_eq!(uri_is_within(name.as_bytes(), base.as_bytes()), within, "{name} in {base}");
        }
    }

    #[test]
    fn ip_constraints_are_a_network_and_its_mask() {
        assert!(ip_is_within(&[10, 1, 2, 3], &[10, 1, 0, 0, 255, 255, 0, 0]));
        assert!(!ip_is_within(&[10, 2, 2, 3], &[10, 1, 0, 0, 255, 255, 0, 0]));
        assert!(!ip_is_within(&[10, 1, 2, 3], &[10, 1, 0, 0]));
        assert!(!ip_is_within(&[], &[]));
    }
}
