//! Which library routine verifies a signature, and which keys and digests are strong enough.
//!
//! Signatures are checked by the provider alone; this module only chooses the routine by the algorithm identifiers, as a chain
//! verifier must. Strength follows OpenSSL's security level 2, with which mongod's packages are built: RSA from 2048 bits, no SHA-1.
//! Source: RFC 5280 section 4.1.1.2, OpenSSL's `SSL_CTX_set_security_level` manual page.

use rustls::pki_types::SignatureVerificationAlgorithm;

use super::der::{BIT_STRING, INTEGER, Malformed, OBJECT_IDENTIFIER, Reader, SEQUENCE};

/// The routines that a provider offers.
pub(crate) type Algorithms = [&'static dyn SignatureVerificationAlgorithm];

/// What kind of key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Rsa,
    RsaPss,
    Ec,
    Ed25519,
}

const RSA: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ECDSA: [u8; 6] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// The least size of an RSA key, in bits.
const LEAST_RSA_BITS: usize = 2048;

/// A `SubjectPublicKeyInfo`.
#[derive(Clone, Debug)]
pub(crate) struct PublicKey {
    /// The DER of the whole structure.
    pub(crate) der: Vec<u8>,
    /// Content of the algorithm identifier.
    algorithm: Vec<u8>,
    bits: Vec<u8>,
}

impl PublicKey {
    pub(crate) fn parse(der: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::only(der, SEQUENCE)?.inside();
        let algorithm = reader.read(SEQUENCE)?.content.to_vec();
        let bits = reader.read(BIT_STRING)?.whole_bits()?.to_vec();
        reader.finish()?;
        Ok(Self { der: der.to_vec(), algorithm, bits })
    }

    /// The kind of the key; `None` for one that nothing here can use.
    pub(crate) fn family(&self) -> Option<Family> {
        match identifier(&self.algorithm)? {
            EC_PUBLIC_KEY => Some(Family::Ec),
            ED25519 => Some(Family::Ed25519),
            other => match other.strip_prefix(&RSA)? {
                [1] => Some(Family::Rsa),
                [10] => Some(Family::RsaPss),
                _ => None,
            },
        }
    }

    /// Whether security level 2 takes this key. Curves that the provider does not know fail later, at the signature.
    pub(crate) fn is_strong(&self) -> bool {
        match self.family() {
            Some(Family::Rsa | Family::RsaPss) => self.rsa_bits().is_ok_and(|bits| bits >= LEAST_RSA_BITS),
            Some(Family::Ec | Family::Ed25519) => true,
            None => false,
        }
    }

    /// Whether this is a curve written out parameter by parameter.
    pub(crate) fn has_explicit_parameters(&self) -> bool {
        let mut algorithm = Reader(&self.algorithm);
        self.family() == Some(Family::Ec)
            && algorithm.any().is_ok()
            && algorithm.any().is_ok_and(|parameters| parameters.tag != OBJECT_IDENTIFIER)
    }

    fn rsa_bits(&self) -> Result<usize, Malformed> {
        let modulus = Reader::only(&self.bits, SEQUENCE)?.inside().read(INTEGER)?.content;
        let leading = modulus.iter().take_while(|byte| **byte == 0).count();
        let first = modulus.get(leading).ok_or(Malformed)?;
        let bytes = modulus.len().saturating_sub(leading);
        Ok(bytes.saturating_mul(8).saturating_sub(usize::try_from(first.leading_zeros()).unwrap_or(0)))
    }

    /// Verifies `signature` over `message`, with the routine that `algorithm` (content of the algorithm identifier of the
    /// signature) and this key name together. False if there is none.
    pub(crate) fn verifies(&self, algorithms: &Algorithms, algorithm: &[u8], message: &[u8], signature: &[u8]) -> bool {
        algorithms
            .iter()
            .filter(|routine| {
                routine.signature_alg_id().as_ref() == algorithm && routine.public_key_alg_id().as_ref() == self.algorithm
            })
            .any(|routine| routine.verify_signature(&self.bits, message, signature).is_ok())
    }
}

/// The kind of key that makes signatures with this algorithm identifier (its content), and whether the digest is strong enough.
pub(crate) fn signature_family(algorithm: &[u8]) -> Option<(Family, bool)> {
    let identifier = identifier(algorithm)?;
    if identifier == ED25519 {
        return Some((Family::Ed25519, true));
    }
    if let Some(rest) = identifier.strip_prefix(&RSA) {
        return match rest {
            // MD2, MD5, SHA-1.
            [2 | 4 | 5] => Some((Family::Rsa, false)),
            // SHA-256, SHA-384, SHA-512, SHA-224.
            [11..=14] => Some((Family::Rsa, true)),
            [10] => Some((Family::RsaPss, true)),
            _ => None,
        };
    }
    match identifier.strip_prefix(&ECDSA)? {
        [1] => Some((Family::Ec, false)),
        [3, 1..=4] => Some((Family::Ec, true)),
        _ => None,
    }
}

/// Content of the object identifier at the start of an algorithm identifier.
fn identifier(algorithm: &[u8]) -> Option<&[u8]> {
    Some(Reader(algorithm).read(OBJECT_IDENTIFIER).ok()?.content)
}

/// Whether a key of the kind `key` can have made a signature of the kind `signature`.
pub(crate) fn fits(key: Family, signature: Family) -> bool {
    key == signature || (key == Family::Rsa && signature == Family::RsaPss)
}
