//! The types of subject attributes (and OIDs as such): from DER to the text that mongod prints, and from text to DER.
//!
//! Source: fact sheet sections 3.3, step 2, and 4.2; the reading of odd dotted texts was tried on a mongod 6.0.5.

use std::borrow::Cow;

use super::tables::attribute_types::{NAMED_TYPES, NAMES_WITHOUT_OID};

/// Dotted text is cut to this many characters.
const LONGEST_TEXT: usize = 127;
/// OpenSSL prints no OID of more content octets; the limit also bounds the work on large arcs.
const LONGEST_OID: usize = 586;
/// An arc is kept as digits to this base, the lowest first.
const BASE: u64 = 1_000_000_000;

/// Whether these content octets are an OID: arcs are complete and without leading zeros.
pub(super) fn is_valid(oid: &[u8]) -> bool {
    if oid.len() > LONGEST_OID || oid.last().is_none_or(|last| last & 0x80 != 0) {
        return false;
    }
    let mut starts_arc = true;
    for &byte in oid {
        if starts_arc && byte == 0x80 {
            return false;
        }
        starts_arc = byte & 0x80 == 0;
    }
    true
}

/// The short name, else dotted decimal. `oid` must be valid.
pub(super) fn print(oid: &[u8]) -> Cow<'static, str> {
    match NAMED_TYPES.binary_search_by(|(named, ..)| (*named).cmp(oid)) {
        Ok(index) => Cow::Borrowed(NAMED_TYPES.get(index).map_or("", |(_, short, _)| short)),
        Err(_) => Cow::Owned(dotted(oid)),
    }
}

fn dotted(oid: &[u8]) -> String {
    let mut text = String::new();
    let mut arc: Vec<u64> = vec![0];
    for &byte in oid {
        multiply_and_add(&mut arc, 128, u64::from(byte & 0x7f));
        if byte & 0x80 == 0 {
            if text.is_empty() {
                text.push_str(take_first_arc(&mut arc));
            }
            text.push('.');
            text.push_str(&decimal(&arc));
            arc = vec![0];
        }
    }
    // Only digits and dots: every position is a character boundary.
    text.truncate(LONGEST_TEXT);
    text
}

/// The first two arcs share a number: 40 times the first, which is at most 2, plus the second.
fn take_first_arc(number: &mut [u64]) -> &'static str {
    let small = if number.len() == 1 { number.first().copied().unwrap_or(0) } else { u64::MAX };
    let (first, offset) = match small {
        0..40 => ("0", 0),
        40..80 => ("1", 40),
        _ => ("2", 80),
    };
    let mut borrow = offset;
    for digit in number {
        let (rest, under) = if *digit < borrow { (digit.saturating_add(BASE), 1) } else { (*digit, 0) };
        *digit = rest.saturating_sub(borrow);
        borrow = under;
    }
    first
}

fn multiply_and_add(digits: &mut Vec<u64>, factor: u64, summand: u64) {
    let mut carry = summand;
    for digit in digits.iter_mut() {
        // Below 10^9 * 128 + 10^9: far from overflow.
        let value = digit.saturating_mul(factor).saturating_add(carry);
        *digit = value.checked_rem(BASE).unwrap_or(0);
        carry = value.checked_div(BASE).unwrap_or(0);
    }
    if carry > 0 {
        digits.push(carry);
    }
}

fn decimal(digits: &[u64]) -> String {
    let mut significant = digits.iter().rev().skip_while(|digit| **digit == 0);
    let mut text = significant.next().map_or_else(|| "0".to_owned(), u64::to_string);
    for digit in significant {
        text.push_str(&format!("{digit:09}"));
    }
    text
}

/// The OID of a type as written in a DN text: a short name, a long name or dotted decimal; case matters.
/// Empty for the names that have none.
pub(super) fn parse(text: &str) -> Option<Cow<'static, [u8]>> {
    let by_name = |name: fn(&(&'static [u8], &'static str, &'static str)) -> &'static str| {
        NAMED_TYPES.iter().find(|named| name(named) == text).map(|(oid, ..)| Cow::Borrowed(*oid))
    };
    if text.is_empty() {
        return None;
    }
    if NAMES_WITHOUT_OID.contains(&text) {
        return Some(Cow::Borrowed(&[]));
    }
    by_name(|(_, short, _)| short).or_else(|| by_name(|(_, _, long)| long)).or_else(|| parse_dotted(text).map(Cow::Owned))
}

/// As lenient as OpenSSL: an arc without digits is 0, leading zeros and one dot at the end are skipped.
fn parse_dotted(text: &str) -> Option<Vec<u8>> {
    let (first, rest) = text.split_once('.')?;
    let first = match first {
        "0" => 0,
        "1" => 1,
        "2" => 2,
        _ => return None,
    };
    if rest.is_empty() {
        return None;
    }
    let mut oid = Vec::new();
    for (index, arc) in rest.strip_suffix('.').unwrap_or(rest).split('.').enumerate() {
        let mut number = arc_septets(arc)?;
        if index == 0 {
            if first < 2 && (number.len() > 1 || number.iter().any(|septet| *septet >= 40)) {
                return None;
            }
            add_to_septets(&mut number, 40_u8.saturating_mul(first));
        }
        let last = number.len().saturating_sub(1);
        oid.extend(
            number.iter().rev().enumerate().map(|(position, septet)| if position == last { *septet } else { septet | 0x80 }),
        );
    }
    (oid.len() <= LONGEST_OID).then_some(oid)
}

/// The groups of seven bits of a decimal number, the lowest first.
fn arc_septets(digits: &str) -> Option<Vec<u8>> {
    // A longer number could only make an OID that is too long; refusing it early bounds the work.
    if digits.len() > LONGEST_OID.saturating_mul(3) {
        return None;
    }
    let mut septets = vec![0];
    for digit in digits.bytes() {
        if !digit.is_ascii_digit() {
            return None;
        }
        let mut carry = u16::from(digit & 0x0f);
        for septet in &mut septets {
            let value = u16::from(*septet).saturating_mul(10).saturating_add(carry);
            *septet = u8::try_from(value & 0x7f).unwrap_or(0);
            carry = value >> 7;
        }
        if carry > 0 {
            septets.push(u8::try_from(carry).unwrap_or(0));
        }
    }
    Some(septets)
}

fn add_to_septets(septets: &mut Vec<u8>, summand: u8) {
    let mut carry = u16::from(summand);
    for septet in septets.iter_mut() {
        let value = u16::from(*septet).saturating_add(carry);
        *septet = u8::try_from(value & 0x7f).unwrap_or(0);
        carry = value >> 7;
    }
    if carry > 0 {
        septets.push(u8::try_from(carry).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_entry_is_as_the_fact_sheet_has_it() {
        assert!(NAMED_TYPES.is_sorted_by(|(left, ..), (right, ..)| left < right));
        let sheet: serde_json::Value = serde_json::from_str(include_str!("../../tests/data/oid-shortnames.json")).unwrap();
        let names = sheet["oids"].as_object().unwrap();
        assert_eq!(names.len(), NAMED_TYPES.len());
        for (text, name) in names {
            let oid = parse_dotted(text).unwrap();
            assert!(is_valid(&oid), "{text}");
            assert_eq!(print(&oid), name.as_str().unwrap());
            assert_eq!(&dotted(&oid), text);
        }
    }

    #[test]
    fn an_oid_without_a_name_is_printed_dotted_with_arcs_of_any_size() {
        for text in [
            "1.2.3.4",
            "0.0",
            "1.39.1",
            "2.40",
            "2.999.1",
            "2.340282366920938463463374607431768211456.18446744073709551615",
            "2.0.1",
        ] {
            assert_eq!(print(&parse_dotted(text).unwrap()), text);
        }
        let long = format!("1.2{}", ".100000000".repeat(40));
        assert_eq!(print(&parse_dotted(&long).unwrap()), &long[..127]);
    }

    #[test]
    fn broken_oids_are_found() {
        for broken in [&b""[..], b"\x80\x01", b"\x55\x80\x01", b"\x55\x84", &[1; 587]] {
            assert!(!is_valid(broken), "{broken:02x?}");
        }
        assert!(is_valid(b"\x55\x84\x80\x01"));
    }

    #[test]
    fn a_type_is_found_by_short_name_long_name_and_dotted_text() {
        for text in ["O", "organizationName", "2.5.4.10", "2.5.4.010", "2.5.4.10."] {
            assert_eq!(parse(text).unwrap().as_ref(), b"\x55\x04\x0a", "{text}");
        }
        assert_eq!(parse("2.5.4..10"), parse("2.5.4.0.10"));
        assert_eq!(parse("2..").unwrap().as_ref(), b"\x50");
        assert_eq!(parse("DES-EDE3").unwrap().as_ref(), b"");
        for text in ["", "o", "FOO", "UNDEF", "2", "2.", "3.1", "0.40", "1.40", "00.1", "2.5.x", "9"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
