//! The string preparation that mongod applies to subject values: RFC 4518's steps Map, Normalize and Prohibit over Unicode 3.2,
//! without case folding, bidirectional checks or squeezing of spaces.
//!
//! Source: fact sheet section 3.3, step 4. Normalization forms are stable, so today's NFKC equals that of Unicode 3.2 on the
//! characters that 3.2 knows, but for the five in [`OLD_DECOMPOSITIONS`]; a test holds this for every code point.

use std::cmp::Ordering;

use unicode_normalization::UnicodeNormalization;

use super::tables::unicode_3_2::{OLD_DECOMPOSITIONS, PROHIBITED, Range, TO_NOTHING, TO_SPACE, UNASSIGNED};
use crate::error::ErrorCode;

/// Why a subject value is refused. The text is mongod's, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PreparationError {
    /// The bytes are not UTF-8, whatever the string type promised.
    #[error("Non UTF-8 data encountered")]
    NotUtf8,
    /// A code point that Unicode 3.2 does not know, an emoji for example.
    #[error("Error preflighting normalization: U_STRINGPREP_UNASSIGNED_ERROR")]
    Unassigned,
    /// A private or non-character code point.
    #[error("Error preflighting normalization: U_STRINGPREP_PROHIBITED_ERROR")]
    Prohibited,
    /// Nothing is left of the value.
    #[error("Error preflighting normalization: U_STRING_NOT_TERMINATED_WARNING")]
    NothingLeft,
}

impl PreparationError {
    /// mongod's code for it.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::NotUtf8 => ErrorCode::BadValue,
            Self::Unassigned | Self::Prohibited | Self::NothingLeft => ErrorCode::Location(50692),
        }
    }
}

/// The prepared form of a value that is not empty.
pub(super) fn prepare(value: &[u8]) -> Result<String, PreparationError> {
    let text = str::from_utf8(value).map_err(|_| PreparationError::NotUtf8)?;
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !text.is_empty() {
        return Ok(text.to_owned());
    }
    let mut mapped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_in(UNASSIGNED, character) {
            return Err(PreparationError::Unassigned);
        }
        mapped.extend(map(character));
    }
    let normal: String = mapped.nfkc().collect();
    if normal.chars().any(|character| is_in(PROHIBITED, character)) {
        return Err(PreparationError::Prohibited);
    }
    if normal.is_empty() {
        return Err(PreparationError::NothingLeft);
    }
    Ok(normal)
}

fn map(character: char) -> Option<char> {
    if is_in(TO_SPACE, character) {
        return Some(' ');
    }
    if is_in(TO_NOTHING, character) {
        return None;
    }
    let corrected = OLD_DECOMPOSITIONS.iter().find(|(from, _)| *from == character);
    Some(corrected.map_or(character, |(_, to)| *to))
}

fn is_in(table: &[Range], character: char) -> bool {
    let code_point = u32::from(character);
    table
        .binary_search_by(|(first, last)| match () {
            () if *last < code_point => Ordering::Less,
            () if *first > code_point => Ordering::Greater,
            () => Ordering::Equal,
        })
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the fact sheet says of every code point, placed between two letters.
    fn expected(sheet: &serde_json::Value) -> Vec<Option<Result<String, PreparationError>>> {
        let mut table: Vec<_> =
            (0..0x11_0000).map(|code| char::from_u32(code).map(|character| Ok(character.to_string()))).collect();
        let mut set = |key: &str, result: &Result<String, PreparationError>| {
            for range in sheet[key].as_array().unwrap() {
                let range = range.as_str().unwrap();
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                let codes = usize::from_str_radix(first, 16).unwrap()..=usize::from_str_radix(last, 16).unwrap();
                for cell in &mut table[codes] {
                    *cell = cell.as_ref().map(|_| result.clone());
                }
            }
        };
        set("to_nothing", &Ok(String::new()));
        set("to_space", &Ok(" ".to_owned()));
        set("prohibited", &Err(PreparationError::Prohibited));
        set("unassigned", &Err(PreparationError::Unassigned));
        for (code, text) in sheet["nfkc_maps"].as_object().unwrap() {
            let text =
                text.as_str().unwrap().split(' ').map(|code| char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
            table[usize::from_str_radix(code, 16).unwrap()] = Some(Ok(text.collect()));
        }
        table
    }

    #[test]
    fn every_code_point_is_prepared_as_the_fact_sheet_says() {
        let sheet: serde_json::Value = serde_json::from_str(include_str!("../../tests/data/rfc4518-ldap-prep.json")).unwrap();
        let combining: Vec<_> =
            sheet["combining_with_previous"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
        for (code, expected) in expected(&sheet).into_iter().enumerate() {
            let Some(expected) = expected else { continue };
            if combining.contains(&format!("{code:04X}").as_str()) {
                continue;
            }
            let character = char::from_u32(u32::try_from(code).unwrap()).unwrap();
            assert_eq!(prepare(format!("x{character}x").as_bytes()), expected.map(|text| format!("x{text}x")), "U+{code:04X}");
        }
    }

    #[test]
    fn marks_combine_with_the_letter_before() {
        assert_eq!(prepare("e\u{301}".as_bytes()).unwrap(), "é");
        assert_eq!(prepare("a\u{341}\u{ad}".as_bytes()).unwrap(), "á");
    }

    #[test]
    fn a_value_of_which_nothing_is_left_is_refused() {
        assert_eq!(prepare(b"\0"), Err(PreparationError::NothingLeft));
        assert_eq!(prepare("\u{200b}".as_bytes()), Err(PreparationError::NothingLeft));
    }

    #[test]
    fn an_unassigned_code_point_is_found_before_a_prohibited_one() {
        assert_eq!(prepare("\u{e000}\u{1f600}".as_bytes()), Err(PreparationError::Unassigned));
        assert_eq!(prepare("\u{e000}".as_bytes()), Err(PreparationError::Prohibited));
        assert_eq!(prepare(b"\xe9"), Err(PreparationError::NotUtf8));
    }
}
