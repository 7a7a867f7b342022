//! Building documents that differ from the client's in a field: everything else keeps its bytes and its order.

use bson::raw::RawDocumentBuf;

use super::Refused;
use crate::wire::element::{Element, Elements, kind};

/// A document that is put together from undecoded elements.
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty document, with room for one like the given.
    pub(super) fn with_room_for(document: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(document.len().saturating_add(256));
        bytes.extend_from_slice(&[0; 4]);
        Self { bytes }
    }

    /// Appends an element.
    pub(super) fn push(&mut self, kind: u8, name: &[u8], value: &[u8]) {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(name);
        self.bytes.push(0);
        self.bytes.extend_from_slice(value);
    }

    /// Appends an element as it is.
    pub(super) fn copy(&mut self, element: &Element<'_>) {
        self.push(element.kind, element.name, element.value);
    }

    /// The document.
    ///
    /// # Errors
    /// `NotAuthorized` when it is none.
    pub(super) fn finish(mut self) -> Result<RawDocumentBuf, Refused> {
        self.bytes.push(kind::END);
        let length = i32::try_from(self.bytes.len()).map_err(|_| Refused::NotAuthorized)?;
        if let Some(start) = self.bytes.first_chunk_mut() {
            *start = length.to_le_bytes();
        }
        RawDocumentBuf::from_bytes(self.bytes).map_err(|_| Refused::NotAuthorized)
    }
}

/// The body with this value for the field, in its place; at the end when it has none.
///
/// # Errors
/// `NotAuthorized` when that makes no document.
pub(super) fn with_field(body: &[u8], name: &[u8], kind: u8, value: &[u8]) -> Result<RawDocumentBuf, Refused> {
    let mut writer = Writer::with_room_for(body);
    let mut found = false;
    for element in Elements::of(body) {
        if element.name == name {
            found = true;
            writer.push(kind, name, value);
        } else {
            writer.copy(&element);
        }
    }
    if !found {
        writer.push(kind, name, value);
    }
    writer.finish()
}

/// The body with another command in the place of its first field.
///
/// # Errors
/// `NotAuthorized` when that makes no document.
pub(super) fn with_command(body: &[u8], name: &[u8], kind: u8, value: &[u8]) -> Result<RawDocumentBuf, Refused> {
    let mut writer = Writer::with_room_for(body);
    writer.push(kind, name, value);
    Elements::of(body).skip(1).for_each(|element| writer.copy(&element));
    writer.finish()
}

/// The document with this value for its first field, whatever that had.
///
/// # Errors
/// `NotAuthorized` when that makes no document.
pub(super) fn with_first_value(document: &[u8], kind: u8, value: &[u8]) -> Result<RawDocumentBuf, Refused> {
    let first = Elements::of(document).next().ok_or(Refused::NotAuthorized)?;
    with_command(document, first.name, kind, value)
}

/// The body without the fields that `is_left_out` picks by their names.
///
/// # Errors
/// `NotAuthorized` when that makes no document.
pub(super) fn without(body: &[u8], is_left_out: impl Fn(&[u8]) -> bool) -> Result<RawDocumentBuf, Refused> {
    let mut writer = Writer::with_room_for(body);
    let mut elements = Elements::of(body);
    elements.by_ref().filter(|element| !is_left_out(element.name)).for_each(|element| writer.copy(&element));
    if elements.is_at_end() { writer.finish() } else { Err(Refused::NotAuthorized) }
}

/// The array with its first element replaced by these documents.
///
/// # Errors
/// `NotAuthorized` when that makes no array.
pub(super) fn with_first(array: &[u8], documents: &[&[u8]]) -> Result<RawDocumentBuf, Refused> {
    let mut writer = Writer::with_room_for(array);
    let mut index = 0_usize;
    let new = documents.iter().map(|document| (kind::OBJECT, *document));
    for (kind, value) in new.chain(Elements::of(array).skip(1).map(|element| (element.kind, element.value))) {
        writer.push(kind, index.to_string().as_bytes(), value);
        index = index.saturating_add(1);
    }
    writer.finish()
}
