//! Revocation lists: whether the first certificate of a chain was taken back.
//!
//! As with mongod's `CRLFile`: only the first certificate is looked up, and its issuer must have a current list in the file.
//! Indirect lists, lists for certain reasons, delta lists and lists of one distribution point are not used.
//! Source: fact sheet section 7.4; RFC 5280 section 5, OpenSSL 3.0 as measured by `tests/certificates`.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::certificate::{Authority, AuthorityKey, CRL_SIGN, Certificate, unsigned};
use super::der::{BIT_STRING, BOOLEAN, INTEGER, Malformed, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE};
use super::name::Name;
use super::signature::Algorithms;
use super::verdict::{Failures, InvalidCertificate};

/// The lists of a `CRLFile`.
#[derive(Debug, Default)]
pub struct RevocationLists(Vec<RevocationList>);

/// One list.
#[derive(Debug)]
pub(crate) struct RevocationList {
    tbs: Vec<u8>,
    algorithm: Vec<u8>,
    consistent: bool,
    signature: Vec<u8>,
    issuer: Name,
    this_update: i64,
    next_update: Option<i64>,
    /// Serial numbers, with whether the entry takes the certificate off the list again.
    revoked: HashMap<Vec<u8>, bool>,
    authority_key: Option<AuthorityKey>,
    unknown_critical: bool,
    scope: Scope,
    /// The key that is known to have signed this list, so that a large list is hashed only once.
    signer: OnceLock<Vec<u8>>,
}

/// For which certificates of its issuer a list speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    All,
    Users,
    Authorities,
    /// One distribution point only.
    Partial,
    /// A kind of list that is not used.
    Unusable,
}

impl RevocationLists {
    /// Reads lists.
    ///
    /// # Errors
    /// The position of the first that is none.
    pub fn new<'a>(lists: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, usize> {
        let read = |(position, der): (usize, &'a [u8])| RevocationList::parse(der).map_err(|Malformed| position);
        lists.into_iter().enumerate().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The end of each list that has one, in seconds since 1970.
    pub fn next_updates(&self) -> impl Iterator<Item = i64> + '_ {
        self.0.iter().filter_map(|list| list.next_update)
    }

    /// When each list begins and ends.
    pub(crate) fn dates(&self) -> impl Iterator<Item = i64> + '_ {
        self.0.iter().map(|list| list.this_update).chain(self.next_updates())
    }

    /// Looks the first certificate of `chain` up.
    pub(crate) fn check(&self, chain: &[&Certificate], now: i64, algorithms: &Algorithms, failures: &mut Failures) {
        let [leaf, above @ ..] = chain else { return };
        let issuer = above.first().unwrap_or(leaf);
        let Some(list) = self.best(leaf, issuer, now) else {
            return failures.add(InvalidCertificate::NoRevocationList);
        };
        if above.is_empty() && !issuer.likely_issued(issuer) {
            failures.add(InvalidCertificate::NoRevocationListIssuer);
        }
        let in_scope = list.is_about(leaf);
        failures.add_if(!issuer.key_usage_allows(CRL_SIGN), InvalidCertificate::NoRevocationListSigning);
        failures.add_if(!in_scope, InvalidCertificate::RevocationListScope);
        failures.add_if(now < list.this_update, InvalidCertificate::RevocationListNotYetValid);
        failures.add_if(list.next_update.is_some_and(|end| end <= now), InvalidCertificate::RevocationListExpired);
        failures.add_if(!list.is_signed_by(issuer, algorithms), InvalidCertificate::RevocationListSignatureFailure);
        failures.add_if(list.unknown_critical, InvalidCertificate::UnhandledCriticalRevocationListExtension);
        failures.add_if(list.revoked.get(&leaf.serial) == Some(&false), InvalidCertificate::Revoked);
        // A distribution point that is only for some reasons leaves the other reasons open.
        failures.add_if(!in_scope || leaf.partial_distribution_point, InvalidCertificate::NoRevocationList);
    }

    /// The list that serves best: nothing unknown in it, in scope, current, and the newest.
    fn best(&self, leaf: &Certificate, issuer: &Certificate, now: i64) -> Option<&RevocationList> {
        let usable = self.0.iter().filter(|list| {
            list.scope != Scope::Unusable && list.issuer == leaf.issuer && issuer.is_named_by(list.authority_key.as_ref())
        });
        let score = |list: &RevocationList| (!list.unknown_critical, list.is_about(leaf), list.is_current(now), list.this_update);
        // The first of equals, as `max_by_key` would give the last.
        usable.reduce(|best, list| if score(list) > score(best) { list } else { best })
    }
}

impl RevocationList {
    fn parse(der: &[u8]) -> Result<Self, Malformed> {
        let mut outer = Reader::only(der, SEQUENCE)?.inside();
        let tbs = outer.read(SEQUENCE)?;
        let algorithm = outer.read(SEQUENCE)?.content;
        let signature = outer.read(BIT_STRING)?.whole_bits()?;
        outer.finish()?;

        let mut fields = tbs.inside();
        fields.optional(INTEGER)?;
        let inner_algorithm = fields.read(SEQUENCE)?.content;
        let issuer = Name::parse(fields.read(SEQUENCE)?.whole)?;
        let this_update = fields.any()?.time()?;
        let next_update = match fields.0.first() {
            Some(0x17 | 0x18) => Some(fields.any()?.time()?),
            _ => None,
        };
        let mut list = Self {
            tbs: tbs.whole.to_vec(),
            algorithm: inner_algorithm.to_vec(),
            consistent: algorithm == inner_algorithm,
            signature: signature.to_vec(),
            issuer,
            this_update,
            next_update,
            revoked: HashMap::new(),
            authority_key: None,
            unknown_critical: false,
            scope: Scope::All,
            signer: OnceLock::new(),
        };
        if let Some(entries) = fields.optional(SEQUENCE)? {
            list.read_entries(entries.inside())?;
        }
        if let Some(extensions) = fields.optional(0xa0)? {
            list.read_extensions(extensions.content)?;
        }
        fields.finish()?;
        Ok(list)
    }

    fn read_entries(&mut self, mut entries: Reader<'_>) -> Result<(), Malformed> {
        while !entries.is_empty() {
            let mut entry = entries.read(SEQUENCE)?.inside();
            let serial = unsigned(entry.read(INTEGER)?.content);
            entry.any()?.time()?;
            let mut removed = false;
            if let Some(extensions) = entry.optional(SEQUENCE)? {
                each_extension(extensions.inside(), |identifier, critical, value| {
                    match identifier {
                        // The reason: 8 is `removeFromCRL`.
                        [0x55, 0x1d, 21] => removed = value == [0x0a, 1, 8],
                        _ => self.unknown_critical |= critical,
                    }
                    Ok(())
                })?;
            }
            entry.finish()?;
            // Of two entries for one certificate the one that revokes counts.
            self.revoked.entry(serial).and_modify(|before| *before &= removed).or_insert(removed);
        }
        Ok(())
    }

    fn read_extensions(&mut self, extensions: &[u8]) -> Result<(), Malformed> {
        each_extension(Reader::only(extensions, SEQUENCE)?.inside(), |identifier, critical, value| {
            match identifier {
                [0x55, 0x1d, 35] => self.authority_key = Some(AuthorityKey::parse(value)?),
                [0x55, 0x1d, 27] => self.scope = Scope::Unusable,
                [0x55, 0x1d, 28] if self.scope == Scope::All => self.scope = Scope::parse(value)?,
                [0x55, 0x1d, 28] => self.scope = Scope::Unusable,
                _ => self.unknown_critical |= critical,
            }
            Ok(())
        })
    }

    fn is_current(&self, now: i64) -> bool {
        self.this_update <= now && self.next_update.is_none_or(|end| now < end)
    }

    fn is_about(&self, certificate: &Certificate) -> bool {
        match self.scope {
            Scope::All => true,
            Scope::Users => certificate.authority() != Authority::Yes,
            Scope::Authorities => certificate.authority() == Authority::Yes,
            Scope::Partial | Scope::Unusable => false,
        }
    }

    fn is_signed_by(&self, issuer: &Certificate, algorithms: &Algorithms) -> bool {
        if self.signer.get() == Some(&issuer.key.der) {
            return true;
        }
        let signed = self.consistent && issuer.key.verifies(algorithms, &self.algorithm, &self.tbs, &self.signature);
        if signed {
            // Another thread may have been first; the list is then simply hashed again for the other key.
            let _ = self.signer.set(issuer.key.der.clone());
        }
        signed
    }
}

impl Scope {
    /// Reads an issuing distribution point.
    fn parse(value: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::only(value, SEQUENCE)?.inside();
        let mut scope = Self::All;
        while !reader.is_empty() {
            let element = reader.any()?;
            let set = element.content != [0];
            scope = match (element.tag, scope) {
                (0xa0, Self::All) => Self::Partial,
                (0x81, Self::All) if set => Self::Users,
                (0x82, Self::All) if set => Self::Authorities,
                (0x81 | 0x82 | 0x84 | 0x85, scope) if !set => scope,
                (0x81 | 0x82, Self::Partial) => Self::Partial,
                _ => Self::Unusable,
            };
        }
        Ok(scope)
    }
}

/// Calls `read` with the identifier, whether it is critical, and the value of each extension.
fn each_extension(
    mut extensions: Reader<'_>,
    mut read: impl FnMut(&[u8], bool, &[u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    while !extensions.is_empty() {
        let mut extension = extensions.read(SEQUENCE)?.inside();
        let identifier = extension.read(OBJECT_IDENTIFIER)?.content;
        let critical = extension.optional(BOOLEAN)?.is_some_and(|critical| critical.boolean() != Ok(false));
        read(identifier, critical, extension.read(OCTET_STRING)?.content)?;
        extension.finish()?;
    }
    Ok(())
}
