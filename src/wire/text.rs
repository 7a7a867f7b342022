//! BSON as mongod prints it inside its error texts. For reading by people, not for parsing: strings are not escaped and long ones cut.
//!
//! Bytes that are no UTF-8 are replaced, because a text of ours has to be one; mongod copies them.
//! Source: the texts of a mongod 6.0.5.

use std::fmt::{self, Write};

use super::MAX_DOCUMENT_SIZE;
use super::bytes::{i32_at, take, take_cstring};
use super::element::{Element, Elements, kind, text};

/// A string longer than this, NUL included, is cut to [`STRING_SHOWN`] bytes.
const STRING_LIMIT: usize = 160;
const STRING_SHOWN: usize = 150;
/// Binary data and code longer than this are cut to [`BYTES_SHOWN`] bytes.
const BYTES_LIMIT: usize = 80;
const BYTES_SHOWN: usize = 70;

const OLD_BINARY_SUBTYPE: u8 = 2;
const UUID_SUBTYPE: u8 = 4;
const UUID_LEN: usize = 16;

/// Documents further inside than this are not printed: `...` stands for each of their elements.
const MOST_DEPTH: usize = 100;

/// How many bytes of a text are kept. A document can become a text of more than five times its size; whoever needs a longer text than
/// this gets an error in its place, see [`crate::authz::text`].
#[expect(clippy::as_conversions, reason = "in a constant; a usize holds every u32 here")]
const KEPT: usize = MAX_DOCUMENT_SIZE as usize;

/// A text that is being made: of one that becomes too long only the length is known in the end.
#[derive(Default)]
pub(crate) struct Out {
    text: String,
    length: usize,
    depth: usize,
}

impl Out {
    /// The text, as far as it was kept, and the length of the whole in bytes.
    pub(crate) fn finish(self) -> (String, usize) {
        (self.text, self.length)
    }

    pub(crate) fn push_str(&mut self, more: &str) {
        self.length = self.length.saturating_add(more.len());
        if self.length <= KEPT {
            self.text.push_str(more);
        }
    }

    fn push(&mut self, character: char) {
        self.push_str(character.encode_utf8(&mut [0; 4]));
    }

    fn print(&mut self, what: fmt::Arguments<'_>) {
        let _ = self.write_fmt(what);
    }
}

impl Write for Out {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        self.push_str(more);
        Ok(())
    }
}

/// `name: value`.
pub(super) fn element(element: &Element<'_>) -> String {
    let mut out = Out::default();
    named(&mut out, element);
    out.text
}

/// `{ name: value, name: value }`.
pub(super) fn document(bytes: &[u8]) -> String {
    let mut out = Out::default();
    object(&mut out, Elements::of(bytes), |_| false);
    out.text
}

/// As [`document`], with `xxx` in the place of those values that `is_secret` names.
pub(crate) fn document_without(out: &mut Out, bytes: &[u8], is_secret: impl Fn(&[u8]) -> bool) {
    object(out, Elements::of(bytes), is_secret);
}

/// Escapes quotes, backslashes and control characters as in a JSON string.
pub(super) fn escape(bytes: &[u8]) -> String {
    let mut out = String::new();
    for character in String::from_utf8_lossy(bytes).chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out
}

fn lossy(out: &mut Out, bytes: &[u8]) {
    out.push_str(&String::from_utf8_lossy(bytes));
}

fn named(out: &mut Out, element: &Element<'_>) {
    lossy(out, element.name);
    out.push_str(": ");
    value(out, element.kind, element.value);
}

fn object(out: &mut Out, elements: Elements<'_>, is_secret: impl Fn(&[u8]) -> bool) {
    let mut separator = "{ ";
    for element in elements {
        out.push_str(separator);
        match out.depth {
            _ if is_secret(element.name) => {
                lossy(out, element.name);
                out.push_str(": \"xxx\"");
            }
            0..=MOST_DEPTH => named(out, &element),
            _ => out.push_str("..."),
        }
        separator = ", ";
    }
    out.push_str(if separator == "{ " { "{}" } else { " }" });
}

fn array(out: &mut Out, elements: Elements<'_>) {
    let mut separator = "[ ";
    for element in elements {
        out.push_str(separator);
        match out.depth {
            0..=MOST_DEPTH => value(out, element.kind, element.value),
            _ => out.push_str("..."),
        }
        separator = ", ";
    }
    out.push_str(if separator == "[ " { "[]" } else { " ]" });
}

/// What is inside a value.
fn inside(out: &mut Out, print: impl FnOnce(&mut Out)) {
    out.depth = out.depth.saturating_add(1);
    print(out);
    out.depth = out.depth.saturating_sub(1);
}

fn value(out: &mut Out, kind: u8, bytes: &[u8]) {
    match kind {
        kind::DOUBLE => out.push_str(&double(f64::from_le_bytes(chunk(bytes)))),
        kind::STRING | kind::SYMBOL => quoted(out, text(bytes).unwrap_or_default()),
        kind::OBJECT => inside(out, |out| object(out, Elements::of(bytes), |_| false)),
        kind::ARRAY => inside(out, |out| array(out, Elements::of(bytes))),
        kind::BINARY => binary(out, bytes),
        kind::UNDEFINED => out.push_str("undefined"),
        kind::OBJECT_ID => {
            out.push_str("ObjectId('");
            hex(out, bytes);
            out.push_str("')");
        }
        kind::BOOL => out.push_str(if bytes == [0] { "false" } else { "true" }),
        kind::DATE => out.print(format_args!("new Date({})", i64::from_le_bytes(chunk(bytes)))),
        kind::NULL => out.push_str("null"),
        kind::REGEX => regex(out, bytes),
        kind::DB_POINTER => db_pointer(out, bytes),
        kind::JAVASCRIPT => code(out, text(bytes).unwrap_or_default()),
        kind::JAVASCRIPT_WITH_SCOPE => code_with_scope(out, bytes),
        kind::INT => out.print(format_args!("{}", i32::from_le_bytes(chunk(bytes)))),
        kind::TIMESTAMP => {
            let (increment, seconds) = (i32_at(bytes, 0).unwrap_or_default(), i32_at(bytes, 4).unwrap_or_default());
            out.print(format_args!("Timestamp({}, {})", seconds.cast_unsigned(), increment.cast_unsigned()));
        }
        kind::LONG => out.print(format_args!("{}", i64::from_le_bytes(chunk(bytes)))),
        kind::DECIMAL => out.print(format_args!("{}", bson::Decimal128::from_bytes(chunk(bytes)))),
        kind::MIN_KEY => out.push_str("MinKey"),
        kind::MAX_KEY => out.push_str("MaxKey"),
        _ => out.push('?'),
    }
}

/// The bytes of a value of fixed size; zeros should they not be there.
fn chunk<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

fn hex(out: &mut Out, bytes: &[u8]) {
    for byte in bytes {
        out.print(format_args!("{byte:02x}"));
    }
}

fn quoted(out: &mut Out, text: &[u8]) {
    out.push('"');
    match text.get(..STRING_SHOWN) {
        Some(shown) if text.len() >= STRING_LIMIT => {
            lossy(out, shown);
            out.push_str("...");
        }
        _ => lossy(out, text),
    }
    out.push('"');
}

fn code(out: &mut Out, text: &[u8]) {
    match text.get(..BYTES_SHOWN) {
        Some(shown) if text.len() >= BYTES_LIMIT => {
            lossy(out, shown);
            out.push_str("...");
        }
        _ => lossy(out, text),
    }
}

/// The text up to its first NUL, where mongod stops with the code of a code with scope and with a namespace, but nowhere else.
fn up_to_nul(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == 0).next().unwrap_or_default()
}

fn code_with_scope(out: &mut Out, bytes: &[u8]) {
    let code = bytes.get(4..).unwrap_or_default();
    let length = i32_at(code, 0).and_then(super::bytes::length).and_then(|length| length.checked_add(4)).unwrap_or_default();
    let (code, scope) = code.split_at_checked(length).unwrap_or_default();
    out.push_str("CodeWScope( ");
    lossy(out, up_to_nul(text(code).unwrap_or_default()));
    out.push_str(", ");
    inside(out, |out| object(out, Elements::of(scope), |_| false));
    out.push(')');
}

fn binary(out: &mut Out, bytes: &[u8]) {
    let (subtype, data) = bytes.get(4..).and_then(<[u8]>::split_first).unwrap_or((&0, &[]));
    if (*subtype, data.len()) == (UUID_SUBTYPE, UUID_LEN) {
        return uuid(out, data);
    }
    out.print(format_args!("BinData({subtype}, "));
    // Subtype 2 has its length once more in front.
    let data = if *subtype == OLD_BINARY_SUBTYPE { data.get(4..).unwrap_or_default() } else { data };
    let (shown, more) = match data.get(..BYTES_SHOWN) {
        Some(shown) if data.len() > BYTES_LIMIT => (shown, "..."),
        _ => (data, ""),
    };
    for byte in shown {
        out.print(format_args!("{byte:02X}"));
    }
    out.push_str(more);
    out.push(')');
}

fn uuid(out: &mut Out, data: &[u8]) {
    out.push_str("UUID(\"");
    let mut rest = data;
    for (separator, count) in [("", 4), ("-", 2), ("-", 2), ("-", 2), ("-", 6)] {
        out.push_str(separator);
        hex(out, take(&mut rest, count).unwrap_or_default());
    }
    out.push_str("\")");
}

fn regex(out: &mut Out, bytes: &[u8]) {
    let mut rest = bytes;
    let pattern = take_cstring(&mut rest).unwrap_or_default();
    let flags = take_cstring(&mut rest).unwrap_or_default();
    out.push('/');
    lossy(out, pattern);
    out.push('/');
    lossy(out, flags);
}

fn db_pointer(out: &mut Out, bytes: &[u8]) {
    let (namespace, id) = bytes.len().checked_sub(12).and_then(|at| bytes.split_at_checked(at)).unwrap_or_default();
    out.push_str("DBRef('");
    lossy(out, up_to_nul(text(namespace).unwrap_or_default()));
    out.push_str("',");
    hex(out, id);
    out.push(')');
}

/// A double with up to 16 significant digits, as C's `%.16g`, and `.0` behind whatever has no point.
fn double(number: f64) -> String {
    let text = if number.is_nan() {
        if number.is_sign_negative() { "-nan".to_owned() } else { "nan".to_owned() }
    } else if number.is_infinite() {
        if number < 0.0 { "-inf".to_owned() } else { "inf".to_owned() }
    } else {
        general(number)
    };
    if text.contains('.') { text } else { text + ".0" }
}

fn general(number: f64) -> String {
    let scientific = format!("{number:.15e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        let decimals = usize::try_from(15_i32.saturating_sub(exponent)).unwrap_or_default();
        return without_zeros(&format!("{number:.decimals$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", without_zeros(mantissa), exponent.unsigned_abs())
}

fn without_zeros(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}
