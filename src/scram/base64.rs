//! Base64 as mongod reads it: whole groups of four, padding at the end only, unused bits ignored.
//!
//! Source: measured on mongod 6.0.5 with proofs (`YR==` decodes like `YQ==`; `AA=A`, `A===` and blanks are refused).

use ::base64::Engine;
use ::base64::alphabet::STANDARD;
use ::base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const MONGOD: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Why a text is not base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DecodeError {
    /// The length is not a multiple of four.
    Length,
    /// A byte outside the alphabet, or padding in the wrong place.
    Character,
}

/// The bytes that `text` stands for.
pub(super) fn decode(text: &[u8]) -> Result<Vec<u8>, DecodeError> {
    if !text.len().is_multiple_of(4) {
        return Err(DecodeError::Length);
    }
    MONGOD.decode(text).map_err(|_| DecodeError::Character)
}

/// The canonical text for `bytes`.
pub(super) fn encode(bytes: &[u8]) -> String {
    MONGOD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_judged_as_mongod_judges_it() {
        let cases: [(&str, Result<&[u8], DecodeError>); 14] = [
            ("YQ==", Ok(b"a")),
            ("YR==", Ok(b"a")),
            ("AAA=", Ok(b"\0\0")),
            ("YWJj", Ok(b"abc")),
            ("A===", Err(DecodeError::Character)),
            ("====", Err(DecodeError::Character)),
            ("=AAA", Err(DecodeError::Character)),
            ("AA=A", Err(DecodeError::Character)),
            ("AA==AAAA", Err(DecodeError::Character)),
            ("AA AA===", Err(DecodeError::Character)),
            ("-_-_", Err(DecodeError::Character)),
            ("!!==", Err(DecodeError::Character)),
            ("AAAAA", Err(DecodeError::Length)),
            ("!!!!!", Err(DecodeError::Length)),
        ];
        for (text, expected) in cases {
            assert_eq!(decode(text.as_bytes()), expected.map(<[u8]>::to_vec), "{text}");
        }
    }
}
