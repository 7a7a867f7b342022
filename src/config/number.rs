//! Numbers as mongod reads them from text: the whole text, in C's notations. Source: mongod 6.0.5, measured.

/// Why a text is no number, in mongod's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberError {
    NoDigits,
    NotWhole,
    Overflow,
    NoDouble,
    Empty,
}

impl NumberError {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::NoDigits => "No digits",
            Self::NotWhole => "Did not consume whole string.",
            Self::Overflow => "Overflow",
            Self::NoDouble => "Did not consume any digits",
            Self::Empty => "Empty string",
        }
    }
}

/// A signed number of 32 bits: decimal, `0x` hexadecimal or `0` octal, with an optional sign.
pub(crate) fn integer(text: &str) -> Result<i64, NumberError> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if unsigned.is_empty() {
        return Err(NumberError::NoDigits);
    }
    let (radix, digits) = if let Some(rest) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        (16, rest)
    } else if unsigned.len() > 1 && unsigned.starts_with('0') {
        (8, unsigned.trim_start_matches('0'))
    } else {
        (10, unsigned)
    };
    if digits.is_empty() {
        return if radix == 8 { Ok(0) } else { Err(NumberError::NotWhole) };
    }
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(NumberError::NotWhole);
    }
    let value = i64::from_str_radix(digits, radix).map_err(|_| NumberError::Overflow)?;
    let value = if negative { value.checked_neg().ok_or(NumberError::Overflow)? } else { value };
    i32::try_from(value).map(i64::from).map_err(|_| NumberError::Overflow)
}

/// A floating point number.
pub(crate) fn double(text: &str) -> Result<f64, NumberError> {
    if text.is_empty() {
        return Err(NumberError::Empty);
    }
    text.parse().map_err(|_| {
        if text.starts_with(|first: char| first.is_ascii_digit()) { NumberError::NotWhole } else { NumberError::NoDouble }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_mongod_reads_them() {
        let cases = [
            ("27999", Ok(27999)),
            ("0x6D61", Ok(28001)),
            ("0X1f", Ok(31)),
            ("010", Ok(8)),
            ("0", Ok(0)),
            ("00", Ok(0)),
            ("+5", Ok(5)),
            ("-5", Ok(-5)),
            ("-2147483648", Ok(-2_147_483_648)),
            ("", Err(NumberError::NoDigits)),
            ("-", Err(NumberError::NoDigits)),
            ("+", Err(NumberError::NoDigits)),
            ("0x", Err(NumberError::NotWhole)),
            ("0x-5", Err(NumberError::NotWhole)),
            ("--5", Err(NumberError::NotWhole)),
            ("08", Err(NumberError::NotWhole)),
            ("0b1", Err(NumberError::NotWhole)),
            ("1e4", Err(NumberError::NotWhole)),
            ("5.0", Err(NumberError::NotWhole)),
            (" 5", Err(NumberError::NotWhole)),
            ("5 ", Err(NumberError::NotWhole)),
            ("5\n", Err(NumberError::NotWhole)),
            ("2147483648", Err(NumberError::Overflow)),
            ("-2147483649", Err(NumberError::Overflow)),
            ("99999999999999999999999", Err(NumberError::Overflow)),
        ];
        for (text, expected) in cases {
            assert_eq!(integer(text), expected, "{text:?}");
        }
    }

    #[test]
    fn doubles_are_read_as_mongod_reads_them() {
        assert_eq!(double("1e3"), Ok(1000.0));
        assert_eq!(double(""), Err(NumberError::Empty));
        assert_eq!(double("x"), Err(NumberError::NoDouble));
    }
}
