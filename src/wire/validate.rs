//! Whether bytes are a BSON document, in mongod's order of checks and with mongod's words for what is wrong.
//!
//! It walks the document once, without recursion, as deep as mongod does and no deeper. It does not judge UTF-8, nor what is inside
//! binary data: mongod does not at this place either. Source: fact sheet "The MongoDB wire protocol and driver behaviour",
//! section 1.4, and the answers of a mongod 6.0.5 to damaged documents (its texts tell how it walks).

use bson::raw::RawDocument;

use super::MAX_DOCUMENT_SIZE;
use super::bytes::{i32_at, length, size};
use super::element::{Element, Elements, kind};
use super::text;
use crate::error::{CommandError, ErrorCode};

/// The smallest document in bytes: its length and its end.
const MIN_DOCUMENT_SIZE: usize = 5;

/// How many documents may be inside each other, below the outermost.
const MAX_DEPTH: usize = 200;

const TOO_SHORT: &str = "BSON data has to be at least 5 bytes";
const NESTED_TOO_SHORT: &str = "Nested BSON object has to be at least 5 bytes";
const WRONG_LENGTH: &str = "Incorrect BSON length";
const WRONG_END: &str = "incorrect BSON length";
const NOT_TERMINATED: &str = "BSON object not terminated with EOO";
const BEYOND_BUFFER: &str = "BSON size is larger than buffer size";
const STRING_NOT_TERMINATED: &str = "Not null terminated string";
const BAD_BOOL: &str = "BSON bool is neither false nor true";
const TOO_DEEP: &str = "BSONObj exceeds maximum nested object depth";

/// Splits the document off the front of `bytes`.
///
/// # Errors
/// `InvalidBSON` or `Overflow` with mongod's text when it is none, `BSONObjectTooLarge` when it is too large.
pub(super) fn document(bytes: &[u8]) -> Result<(&RawDocument, &[u8]), CommandError> {
    let mut walk = Walk::new(bytes);
    let length = walk.run().map_err(|problem| walk.explain(&problem))?;
    let split = bytes.split_at_checked(length).and_then(|(front, rest)| Some((RawDocument::from_bytes(front).ok()?, rest)));
    let (document, rest) = split.ok_or_else(|| CommandError::new(ErrorCode::InvalidBSON, WRONG_LENGTH))?;
    if length > size(MAX_DOCUMENT_SIZE) {
        return Err(too_large(document));
    }
    Ok((document, rest))
}

fn too_large(document: &RawDocument) -> CommandError {
    let bytes = document.as_bytes();
    let first = Elements::of(bytes).next().map_or_else(String::new, |element| text::element(&element));
    let errmsg = format!(
        "BSONObj size: {length} (0x{length:X}) is invalid. Size must be between 0 and {MAX_DOCUMENT_SIZE}(16MB) First element: {first}",
        length = bytes.len(),
    );
    CommandError::new(ErrorCode::BSONObjectTooLarge, errmsg)
}

/// What is wrong; where it is stands in the walk.
enum Problem {
    Text(&'static str),
    UnknownType(u8),
    TooDeep,
}

/// A document inside the outermost one, while the walk is in it.
#[derive(Clone, Copy, Default)]
struct Frame {
    /// Where the document has to end.
    end: usize,
    /// Where the element starts that holds it. Kept when the frame is left, for mongod names it until the frame is used again.
    element: Option<usize>,
    /// Whether this is code with scope: its scope fills the next frame and both end together.
    code_with_scope: bool,
}

struct Walk<'a> {
    bytes: &'a [u8],
    /// The end of the outermost document; no value may reach it.
    end: usize,
    position: usize,
    /// The frames of all depths used so far; the first `depth` of them are open.
    frames: Vec<Frame>,
    depth: usize,
    /// Where the element starts that is being looked at.
    element: Option<usize>,
    /// Where the last whole `_id` of the outermost document starts.
    id: Option<usize>,
}

impl<'a> Walk<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, end: 0, position: 0, frames: Vec::new(), depth: 0, element: None, id: None }
    }

    /// Walks the whole document and gives its length.
    fn run(&mut self) -> Result<usize, Problem> {
        if self.bytes.len() < MIN_DOCUMENT_SIZE {
            return Err(Problem::Text(TOO_SHORT));
        }
        let declared = i32_at(self.bytes, 0).and_then(length).filter(|&length| length >= MIN_DOCUMENT_SIZE);
        let Some(declared) = declared else { return Err(Problem::Text(TOO_SHORT)) };
        let Some(document) = self.bytes.get(..declared) else { return Err(Problem::Text(WRONG_LENGTH)) };
        if document.last() != Some(&0) {
            return Err(Problem::Text(NOT_TERMINATED));
        }
        self.bytes = document;
        self.end = declared;
        self.position = 4;
        loop {
            self.elements()?;
            if self.leave()? {
                return Ok(declared);
            }
        }
    }

    /// Walks elements, into documents too, up to and including the next end of a document.
    fn elements(&mut self) -> Result<(), Problem> {
        loop {
            let Some(&kind) = self.bytes.get(self.position) else { return Err(Problem::Text(BEYOND_BUFFER)) };
            if kind == kind::END {
                self.position = self.position.saturating_add(1);
                return Ok(());
            }
            let start = self.position;
            self.element = Some(start);
            // A name that fills the rest is found by what reads the value: an unknown type is told first.
            self.position = start.saturating_add(name_at(self.bytes, start).len()).saturating_add(2);
            self.value(kind)?;
            if self.depth == 0 && name_at(self.bytes, start) == b"_id" {
                self.id = Some(start);
            }
        }
    }

    fn value(&mut self, kind: u8) -> Result<(), Problem> {
        match kind {
            kind::UNDEFINED | kind::NULL | kind::MIN_KEY | kind::MAX_KEY => self.skip(0),
            kind::INT => self.skip(4),
            kind::DOUBLE | kind::DATE | kind::TIMESTAMP | kind::LONG => self.skip(8),
            kind::OBJECT_ID => self.skip(12),
            kind::DECIMAL => self.skip(16),
            kind::STRING | kind::JAVASCRIPT | kind::SYMBOL => self.skip_string(),
            kind::OBJECT | kind::ARRAY => self.enter(false),
            kind::BINARY => {
                let length = self.read_length()?;
                self.skip(1)?;
                self.skip(length)
            }
            kind::BOOL => {
                let value = self.bytes.get(self.position).copied();
                self.skip(1)?;
                if value.is_some_and(|value| value <= 1) { Ok(()) } else { Err(Problem::Text(BAD_BOOL)) }
            }
            kind::REGEX => {
                self.skip_cstring()?;
                self.skip_cstring()
            }
            kind::DB_POINTER => {
                self.skip_string()?;
                self.skip(12)
            }
            kind::JAVASCRIPT_WITH_SCOPE => {
                self.enter(true)?;
                self.skip_string()?;
                // mongod takes the NUL of the code for the element that holds the scope.
                self.element = self.position.checked_sub(1);
                self.enter(false)
            }
            other => Err(Problem::UnknownType(other)),
        }
    }

    /// Goes on by `count` bytes, which have to leave at least one byte of the outermost document.
    fn skip(&mut self, count: usize) -> Result<(), Problem> {
        match self.position.checked_add(count) {
            Some(next) if next < self.end => {
                self.position = next;
                Ok(())
            }
            _ => Err(Problem::Text(BEYOND_BUFFER)),
        }
    }

    /// Reads a length; a negative one is more than any buffer holds.
    fn read_length(&mut self) -> Result<usize, Problem> {
        let number = i32_at(self.bytes, self.position);
        self.skip(4)?;
        number.and_then(length).ok_or(Problem::Text(BEYOND_BUFFER))
    }

    fn skip_string(&mut self) -> Result<(), Problem> {
        let length = self.read_length()?;
        self.skip(length)?;
        let last = self.position.checked_sub(1).and_then(|last| self.bytes.get(last));
        if length > 0 && last == Some(&0) { Ok(()) } else { Err(Problem::Text(STRING_NOT_TERMINATED)) }
    }

    fn skip_cstring(&mut self) -> Result<(), Problem> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let length = rest.iter().position(|&byte| byte == 0);
        self.skip(length.map_or(usize::MAX, |length| length.saturating_add(1)))
    }

    /// Enters the document (or the code with scope) that starts here.
    fn enter(&mut self, code_with_scope: bool) -> Result<(), Problem> {
        if self.depth >= MAX_DEPTH {
            return Err(Problem::TooDeep);
        }
        let start = self.position;
        if self.frames.len() == self.depth {
            self.frames.push(Frame::default());
        }
        let level = self.depth;
        self.depth = self.depth.saturating_add(1);
        let number = i32_at(self.bytes, start);
        self.skip(4)?;
        let length = number.and_then(length).filter(|&length| length >= MIN_DOCUMENT_SIZE);
        let Some(length) = length else { return Err(Problem::Text(NESTED_TOO_SHORT)) };
        if let Some(frame) = self.frames.get_mut(level) {
            *frame = Frame { end: start.saturating_add(length), element: self.element, code_with_scope };
        }
        Ok(())
    }

    /// Leaves the document whose end was just read, and the code with scope that ends with it. Whether it was the outermost.
    fn leave(&mut self) -> Result<bool, Problem> {
        loop {
            let Some(level) = self.depth.checked_sub(1) else {
                return if self.position == self.end { Ok(true) } else { Err(Problem::Text(WRONG_END)) };
            };
            if self.frames.get(level).map(|frame| frame.end) != Some(self.position) {
                return Err(Problem::Text(WRONG_END));
            }
            self.depth = level;
            let around = level.checked_sub(1).and_then(|above| self.frames.get(above));
            if !around.is_some_and(|frame| frame.code_with_scope) {
                return Ok(false);
            }
        }
    }

    /// The error for a problem at the place where the walk stopped.
    fn explain(&self, problem: &Problem) -> CommandError {
        let (code, what) = match problem {
            Problem::Text(text) => (ErrorCode::InvalidBSON, (*text).to_owned()),
            Problem::UnknownType(kind) => (ErrorCode::InvalidBSON, format!("Unrecognized BSON type {kind}")),
            Problem::TooDeep => (ErrorCode::Overflow, TOO_DEEP.to_owned()),
        };
        CommandError::new(code, format!("{what} in element with field name '{}' in object with {}", self.path(), self.whose()))
    }

    fn path(&self) -> String {
        let Some(element) = self.element else { return "?".to_owned() };
        let mut path = Vec::new();
        for frame in self.frames.iter().take(self.depth) {
            // The element around a scope is a NUL, which has no name.
            if let Some(start) = frame.element.filter(|&start| self.bytes.get(start) != Some(&kind::END)) {
                path.extend_from_slice(name_at(self.bytes, start));
            }
            path.push(b'.');
        }
        path.extend_from_slice(name_at(self.bytes, element));
        text::escape(&path)
    }

    fn whose(&self) -> String {
        let id = self.id.and_then(|start| Elements::starting_at(self.bytes, start).next());
        id.map_or_else(|| "unknown _id".to_owned(), |id: Element<'_>| text::escape(text::element(&id).as_bytes()))
    }
}

/// The name of the element that starts at `start`.
fn name_at(bytes: &[u8], start: usize) -> &[u8] {
    let name = bytes.get(start.saturating_add(1)..).unwrap_or_default();
    name.split(|&byte| byte == 0).next().unwrap_or_default()
}
