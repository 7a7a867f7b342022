//! The chains that were found good before, so that whoever comes back costs no signature of an authority again.
//!
//! Part of what a reload replaces: it does not outlive the authorities, lists and options that it was filled under. Good chains only: a
//! refused one has to cost its sender a handshake each time, and nobody without a certificate of an authority fills the memory. A
//! certificate has one place, by its signed part, so that one client with ever other bytes around it displaces only itself.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

use super::der::{Reader, SEQUENCE};
use crate::x509::peer::PeerIdentity;

/// Parts with a lock of their own each. A lock is held for a look or an entry, less than a thousandth of a login.
const PARTS: usize = 16;
/// The most certificates in a part: 16,384 in all, some 12 MB if ever so many come.
const MOST_IN_A_PART: usize = 1024;
/// The most bytes of a certificate: a larger one is judged anew each time.
const LARGEST: usize = 8 * 1024;

/// A SHA-256.
type Digest = [u8; 32];

/// Good chains, by the signed part of their first certificate.
#[derive(Debug, Default)]
pub(super) struct KnownChains([Mutex<BTreeMap<Digest, Known>>; PARTS]);

#[derive(Debug)]
struct Known {
    /// All that was sent, byte for byte.
    chain: Digest,
    /// While nothing begins or ends that was looked at.
    holds: Range<i64>,
    identity: Arc<PeerIdentity>,
}

impl KnownChains {
    /// Whom this very chain stands for, if that is known to be so at the time `now`.
    pub(super) fn get(&self, sent: &[CertificateDer<'_>], now: i64) -> Option<Arc<PeerIdentity>> {
        let place = place(sent)?;
        let chain = digest(sent);
        let part = self.part(&place);
        let known = part.get(&place).filter(|known| known.chain == chain && known.holds.contains(&now))?;
        Some(Arc::clone(&known.identity))
    }

    /// Keeps a good chain in mind, in the place of another if there are too many.
    pub(super) fn insert(&self, sent: &[CertificateDer<'_>], holds: Range<i64>, identity: &Arc<PeerIdentity>) {
        let Some(place) = place(sent) else { return };
        let known = Known { chain: digest(sent), holds, identity: Arc::clone(identity) };
        let mut part = self.part(&place);
        if part.len() >= MOST_IN_A_PART && !part.contains_key(&place) {
            // The next digest is anybody's: with more clients than places, some always find theirs.
            let after = part.range((Bound::Excluded(place), Bound::Unbounded)).next().or_else(|| part.first_key_value());
            if let Some(displaced) = after.map(|(place, _)| *place) {
                part.remove(&displaced);
            }
        }
        part.insert(place, known);
    }

    fn part(&self, place: &Digest) -> MutexGuard<'_, BTreeMap<Digest, Known>> {
        let [first, ..] = &self.0;
        let part = self.0.get(usize::from(place[0]) % PARTS).unwrap_or(first);
        part.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|part| part.lock().unwrap().len()).sum()
    }
}

/// Where a chain belongs: the digest of what is signed of its first certificate.
fn place(sent: &[CertificateDer<'_>]) -> Option<Digest> {
    let certificate = sent.first().filter(|certificate| certificate.len() <= LARGEST)?;
    let signed = Reader::only(certificate, SEQUENCE).ok()?.inside().read(SEQUENCE).ok()?.whole;
    Some(Sha256::digest(signed).into())
}

/// The digest of a whole chain; lengths are in it, so that no two chains look the same.
fn digest(sent: &[CertificateDer<'_>]) -> Digest {
    let mut digest = Sha256::new();
    for certificate in sent {
        digest.update(certificate.len().to_be_bytes());
        digest.update(certificate);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests;
