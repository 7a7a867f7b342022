//! Finds the way from a peer's certificate to an anchor, as OpenSSL does: anchors first, then what the peer sent.
//!
//! There is no going back: the first likely issuer that is current is taken, by name, key identifier and kind of key, and its
//! signature is looked at later. So the work is at most one pass over the candidates for each certificate of the chain.
//! Source: OpenSSL 3.0 as measured by `tests/certificates`.

use super::certificate::Certificate;
use super::verdict::{Anchors, InvalidCertificate, LONGEST_CHAIN};

/// A chain, whole or not.
#[derive(Debug)]
pub(crate) struct Path<'a> {
    /// The peer's certificate first.
    pub(crate) chain: Vec<&'a Certificate>,
    /// Why it does not end at a self-signed anchor.
    pub(crate) failure: Option<InvalidCertificate>,
}

/// Builds the chain of `leaf` at the time `now`. The chain is at most one longer than [`LONGEST_CHAIN`].
pub(crate) fn build<'a>(leaf: &'a Certificate, sent: &'a [Certificate], anchors: &'a Anchors, now: i64) -> Path<'a> {
    let mut chain = vec![leaf];
    let mut use_sent = true;
    let mut from_anchors = 0_usize;
    while chain.len() <= LONGEST_CHAIN {
        let Some(current) = chain.last().copied() else { break };
        if let Some(issuer) = best(anchors.0.iter().filter(|issuer| issuer.likely_issued(current)), now) {
            if !current.self_signed {
                chain.push(issuer);
                from_anchors = from_anchors.saturating_add(1);
                use_sent = false;
                if issuer.self_signed {
                    return Path { chain, failure: None };
                }
                continue;
            }
            if issuer.der == current.der {
                return Path { chain, failure: None };
            }
            // Self-signed and named like an anchor, but not the anchor: as if nothing had been found.
        }
        if !use_sent || current.self_signed {
            break;
        }
        let candidates = sent.iter().filter(|issuer| {
            let already_there = chain.iter().any(|there| there.der == issuer.der);
            issuer.likely_issued(current) && !already_there
        });
        let Some(issuer) = best(candidates, now) else { break };
        chain.push(issuer);
    }
    let failure = match chain.last() {
        _ if chain.len() > LONGEST_CHAIN => InvalidCertificate::ChainTooLong,
        Some(last) if last.self_signed && chain.len() == 1 => InvalidCertificate::SelfSigned,
        Some(last) if last.self_signed => InvalidCertificate::SelfSignedInChain,
        _ if from_anchors > 0 => InvalidCertificate::NoIssuer,
        _ => InvalidCertificate::NoLocalIssuer,
    };
    Path { chain, failure: Some(failure) }
}

/// The first that is current, else the one that ends last.
fn best<'a>(candidates: impl Iterator<Item = &'a Certificate>, now: i64) -> Option<&'a Certificate> {
    let mut best: Option<&Certificate> = None;
    for candidate in candidates {
        if candidate.is_current(now) {
            return Some(candidate);
        }
        if best.is_none_or(|best| candidate.not_after > best.not_after) {
            best = Some(candidate);
        }
    }
    best
}
