//! A small reader of DER, for what OpenSSL looks at in certificates, names, extensions and revocation lists.
//!
//! Lengths may be longer than needed, as OpenSSL allows; indefinite lengths and tags above 30 are refused. It must never panic:
//! everything here comes from the network or from a file.
//! Source: X.690, RFC 5280 section 4.1.

/// The bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed DER")]
pub(crate) struct Malformed;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// One tag with its content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    /// The identifier byte.
    pub(crate) tag: u8,
    /// What is inside.
    pub(crate) content: &'a [u8],
    /// Tag, length and content.
    pub(crate) whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// A reader of what is inside.
    pub(crate) fn inside(&self) -> Reader<'a> {
        Reader(self.content)
    }

    /// The bits of a `BIT STRING` that has a whole number of bytes: keys and signatures.
    pub(crate) fn whole_bits(&self) -> Result<&'a [u8], Malformed> {
        match self.content.split_first() {
            Some((0, bits)) if self.tag == BIT_STRING => Ok(bits),
            _ => Err(Malformed),
        }
    }

    /// A `BOOLEAN`.
    pub(crate) fn boolean(&self) -> Result<bool, Malformed> {
        match self.content {
            [value] if self.tag == BOOLEAN => Ok(*value != 0),
            _ => Err(Malformed),
        }
    }

    /// An `INTEGER` that is not negative, at most `u32::MAX` (greater ones are capped).
    pub(crate) fn small_integer(&self) -> Result<u32, Malformed> {
        match self.content.first() {
            Some(first) if *first < 0x80 => {}
            _ => return Err(Malformed),
        }
        let value = self.content.iter().try_fold(0_u32, |value, byte| value.checked_mul(256)?.checked_add(u32::from(*byte)));
        Ok(value.unwrap_or(u32::MAX))
    }

    /// A `UTCTime` or `GeneralizedTime`, in seconds since 1970.
    pub(crate) fn time(&self) -> Result<i64, Malformed> {
        let text = std::str::from_utf8(self.content).map_err(|_| Malformed)?;
        let text = text.strip_suffix('Z').filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).ok_or(Malformed)?;
        let number = |range: std::ops::Range<usize>| -> Result<i64, Malformed> {
            text.get(range).and_then(|digits| digits.parse().ok()).ok_or(Malformed)
        };
        let (year, at) = match (self.tag, text.len()) {
            (UTC_TIME, 12) => match number(0..2)? {
                year @ 0..=49 => (year + 2000, 2),
                year => (year + 1900, 2),
            },
            (GENERALIZED_TIME, 14) => (number(0..4)?, 4),
            _ => return Err(Malformed),
        };
        let (month, day) = (number(at..at + 2)?, number(at + 2..at + 4)?);
        let (hour, minute, second) = (number(at + 4..at + 6)?, number(at + 6..at + 8)?, number(at + 8..at + 10)?);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
            return Err(Malformed);
        }
        Ok(days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; years 0 to 9999.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

/// Elements one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    /// The only element of `bytes`, which must have this tag and nothing behind it.
    pub(crate) fn only(bytes: &'a [u8], tag: u8) -> Result<Element<'a>, Malformed> {
        let mut reader = Self(bytes);
        let element = reader.read(tag)?;
        reader.finish()?;
        Ok(element)
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element, whatever it is.
    pub(crate) fn any(&mut self) -> Result<Element<'a>, Malformed> {
        let (&[tag, first], rest) = self.0.split_first_chunk::<2>().ok_or(Malformed)?;
        if tag & 0x1f == 0x1f {
            return Err(Malformed);
        }
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f)).ok_or(Malformed)?;
                (bytes.iter().fold(0_usize, |length, byte| (length << 8) | usize::from(*byte)), rest)
            }
            _ => return Err(Malformed),
        };
        let (content, after) = rest.split_at_checked(length).ok_or(Malformed)?;
        let whole = self.0.get(..self.0.len().saturating_sub(after.len())).ok_or(Malformed)?;
        self.0 = after;
        Ok(Element { tag, content, whole })
    }

    /// The next element, which must have this tag.
    pub(crate) fn read(&mut self, tag: u8) -> Result<Element<'a>, Malformed> {
        let element = self.any()?;
        if element.tag == tag { Ok(element) } else { Err(Malformed) }
    }

    /// The next element if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Malformed> {
        if self.0.first() == Some(&tag) { self.any().map(Some) } else { Ok(None) }
    }

    /// Refuses anything that is left.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_seconds_since_1970() {
        for (tag, text, seconds) in [
            (UTC_TIME, "700101000000Z", 0),
            (UTC_TIME, "491231235959Z", 2_524_607_999),
            (UTC_TIME, "500101000000Z", -631_152_000),
            (GENERALIZED_TIME, "20240229120000Z", 1_709_208_000),
            (GENERALIZED_TIME, "99991231235959Z", 253_402_300_799),
        ] {
            let element = Element { tag, content: text.as_bytes(), whole: &[] };
            assert_eq!(element.time(), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn times_without_seconds_or_zone_are_refused() {
        for text in ["7001010000Z", "700101000000", "700101000000+0100", "701301000000Z", "70010a000000Z", "7001010000\u{fc}Z"] {
            assert_eq!(Element { tag: UTC_TIME, content: text.as_bytes(), whole: &[] }.time(), Err(Malformed), "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = Reader(&bytes);
            while let Ok(element) = reader.any() {
                let _ = (element.time(), element.small_integer(), element.whole_bits(), element.boolean());
                prop_assert!(element.content.len() < element.whole.len());
            }
        }
    }
}
