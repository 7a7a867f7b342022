//! The scalars of a keyfile's first YAML document, as mongod's YAML parser sees them.
//!
//! Every scalar is text, whatever it looks like. Source: files tried on mongod 6.0.5 (`tests/data/keyfile-yaml-cases.jsonl`).

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

use super::KeyFileError;

/// The scalars in their order, nested sequences flattened; `None` for what is not one: a null, a mapping, an empty document.
///
/// Later documents are not looked at, not even for their syntax.
pub(super) fn scalars(contents: &[u8], path: &str) -> Result<Vec<Option<String>>, KeyFileError> {
    let text = decode(contents);
    // mongod's parser takes a NUL for an escape character; none of its escapes is of use in a keyfile.
    if let Some(nul) = text.find('\0') {
        return Err(nul_error(&text, nul, path));
    }
    let mut collector = Collector::default();
    for event in Parser::new_from_str(&text) {
        let (event, _) = event.map_err(|error| syntax_error(&error, path))?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        collector.take(event);
    }
    if collector.is_empty_document { Ok(vec![None]) } else { Ok(collector.scalars) }
}

struct Collector {
    scalars: Vec<Option<String>>,
    /// Mappings that are open; what is in them does not count.
    open_mappings: usize,
    /// Scalars by anchor, for aliases. An alias of anything else is refused.
    anchors: HashMap<usize, Option<String>>,
    is_empty_document: bool,
}

impl Default for Collector {
    fn default() -> Self {
        Self { scalars: Vec::new(), open_mappings: 0, anchors: HashMap::new(), is_empty_document: true }
    }
}

impl Collector {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let has_own_tag = tag.is_some_and(|tag| !tag.is_yaml_core_schema());
                let is_null =
                    style == ScalarStyle::Plain && !has_own_tag && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let scalar = (!is_null).then(|| text.into_owned());
                if anchor != 0 {
                    self.anchors.insert(anchor, scalar.clone());
                }
                self.push(scalar);
            }
            Event::Alias(anchor) => {
                let scalar = self.anchors.get(&anchor).cloned().flatten();
                self.push(scalar);
            }
            Event::MappingStart(..) => {
                self.push(None);
                self.open_mappings = self.open_mappings.saturating_add(1);
            }
            Event::MappingEnd => self.open_mappings = self.open_mappings.saturating_sub(1),
            Event::SequenceStart(..) => self.is_empty_document = false,
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd => {}
        }
    }

    fn push(&mut self, scalar: Option<String>) {
        self.is_empty_document = false;
        if self.open_mappings == 0 {
            self.scalars.push(scalar);
        }
    }
}

/// The text of a file: UTF-8, or UTF-16 as some editors and shells write it, with or without a byte order mark.
fn decode(contents: &[u8]) -> Cow<'_, str> {
    match contents {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest),
        [0xff, 0xfe, rest @ ..] => Cow::Owned(decode_utf16(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(decode_utf16(rest, u16::from_be_bytes)),
        [first, 0, ..] if *first != 0 => Cow::Owned(decode_utf16(contents, u16::from_le_bytes)),
        [0, second, ..] if *second != 0 => Cow::Owned(decode_utf16(contents, u16::from_be_bytes)),
        _ => String::from_utf8_lossy(contents),
    }
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.as_chunks().0.iter().copied().map(unit);
    char::decode_utf16(units).map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

fn syntax_error(error: &ScanError, path: &str) -> KeyFileError {
    let place = error.marker();
    KeyFileError::Syntax {
        path: path.to_owned(),
        line: place.line(),
        column: place.col().saturating_add(1),
        problem: error.info().to_owned(),
    }
}

/// mongod's complaint about a NUL: it names the character after it, and the place after that.
fn nul_error(text: &str, nul: usize, path: &str) -> KeyFileError {
    let (before, rest) = text.split_at_checked(nul).unwrap_or((text, ""));
    // At the end of the file its parser sees an end-of-transmission character.
    let escaped = rest.chars().nth(1).unwrap_or('\u{4}');
    let line_start = before.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
    let before_in_line = before.get(line_start..).unwrap_or_default().chars().count();
    KeyFileError::Syntax {
        path: path.to_owned(),
        line: before.matches('\n').count().saturating_add(1),
        column: before_in_line.saturating_add(3),
        problem: format!("unknown escape character: {escaped}"),
    }
}
