//! The dates of a certificate, in the one form in which OpenSSL compares them: `YYMMDDHHMMSSZ` and `YYYYMMDDHHMMSSZ`.
//!
//! Source: RFC 5280, section 4.1.2.5.

use super::der::{DerError, Element, GENERALIZED_TIME, UTC_TIME};

/// Seconds since 1970 began, negative before.
pub(super) fn unix_seconds(element: &Element<'_>) -> Result<i64, DerError> {
    let text = element.primitive()?.strip_suffix(b"Z").ok_or(DerError::Content)?;
    let (year, rest) = match element.universal_tag() {
        Some(UTC_TIME) => {
            let (year, rest) = digits(text, 2)?;
            // RFC 5280: 50 to 99 are of the twentieth century.
            (year.saturating_add(if year < 50 { 2000 } else { 1900 }), rest)
        }
        Some(GENERALIZED_TIME) => digits(text, 4)?,
        _ => return Err(DerError::UnexpectedTag),
    };
    let (month, rest) = digits(rest, 2)?;
    let (day, rest) = digits(rest, 2)?;
    let (hour, rest) = digits(rest, 2)?;
    let (minute, rest) = digits(rest, 2)?;
    let (second, rest) = digits(rest, 2)?;
    let in_range = (1..=days_of_month(year, month)).contains(&day) && hour < 24 && minute < 60 && second < 60;
    if !in_range || !rest.is_empty() {
        return Err(DerError::Content);
    }
    let days = days_since_1970(year, month, day);
    Ok([(days, 24), (hour, 60), (minute, 60), (second, 1)]
        .iter()
        .fold(0, |sum: i64, (value, factor)| sum.saturating_add(*value).saturating_mul(*factor)))
}

fn digits(text: &[u8], count: usize) -> Result<(i64, &[u8]), DerError> {
    let (number, rest) = text.split_at_checked(count).ok_or(DerError::Content)?;
    if !number.iter().all(u8::is_ascii_digit) {
        return Err(DerError::Content);
    }
    let value = number.iter().fold(0_i64, |value, digit| value.saturating_mul(10).saturating_add(i64::from(digit & 0x0f)));
    Ok((value, rest))
}

fn is_leap(year: i64) -> bool {
    let divides = |divisor| year.checked_rem(divisor) == Some(0);
    divides(4) && (!divides(100) || divides(400))
}

/// 0 for what is no month, so that no day is in it.
fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => 0,
    }
}

/// Years 0 to 9999 of the Gregorian calendar.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "four-digit years and valid months: far from overflow, and no variable divisor"
)]
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Leap years before this one, year 0 included.
    let before = year - 1;
    let leap_years = if year > 0 { before / 4 - before / 100 + before / 400 + 1 } else { 0 };
    let months: i64 = (1..month).map(|earlier| days_of_month(year, earlier)).sum();
    // 1970-01-01 is day 719528 of this count.
    year * 365 + leap_years + months + day - 1 - 719_528
}

#[cfg(test)]
mod tests {
    use super::super::der::Reader;
    use super::*;

    fn seconds(tag: u8, text: &str) -> Result<i64, DerError> {
        let input = [&[tag, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        unix_seconds(&Reader::new(&input).next().unwrap().unwrap())
    }

    #[test]
    fn dates_become_seconds() {
        let cases = [
            (23, "700101000000Z", 0),
            (23, "691231235959Z", -1),
            (23, "500101000000Z", -631_152_000),
            (23, "491231235959Z", 2_524_607_999),
            (23, "240229120000Z", 1_709_208_000),
            (24, "20500101000000Z", 2_524_608_000),
            (24, "99991231235959Z", 253_402_300_799),
            (24, "00000101000000Z", -62_167_219_200),
            (24, "20000301000000Z", 951_868_800),
        ];
        for (tag, text, expected) in cases {
            assert_eq!(seconds(tag, text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_in_the_canonical_form_is_refused() {
        for text in
            ["", "Z", "7001010000Z", "700101000000", "700101000000+0000", "701301000000Z", "700001000000Z", "700230000000Z"]
        {
            assert_eq!(seconds(23, text), Err(DerError::Content), "{text}");
        }
        for text in
            ["19000229000000Z", "20240101240000Z", "20240101006000Z", "20240101000060Z", "2024010100000aZ", "20240101000000.5Z"]
        {
            assert_eq!(seconds(24, text), Err(DerError::Content), "{text}");
        }
        assert_eq!(seconds(12, "700101000000Z"), Err(DerError::UnexpectedTag));
    }
}
