//! Building messages byte by byte, whole and damaged.

use crate::wire::checksum::Checksum;
use crate::wire::header::{Header, opcode};

/// A document of these elements, one after the other.
pub(super) fn document(elements: &[&[u8]]) -> Vec<u8> {
    let elements = elements.concat();
    [&(elements.len() as i32 + 5).to_le_bytes(), &*elements, &[0]].concat()
}

pub(super) fn int(name: &str, value: i32) -> Vec<u8> {
    raw(16, name, &value.to_le_bytes())
}

pub(super) fn string(name: &str, value: &str) -> Vec<u8> {
    raw(2, name, &[&(value.len() as i32 + 1).to_le_bytes(), value.as_bytes(), &[0]].concat())
}

/// An element of any type with any value.
pub(super) fn raw(kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
    [&[kind], name.as_bytes(), &[0], value].concat()
}

/// `{ping: 1, <elements>, $db: "admin"}`.
pub(super) fn ping_with(elements: &[u8]) -> Vec<u8> {
    document(&[&int("ping", 1), elements, &string("$db", "admin")])
}

pub(super) fn ping() -> Vec<u8> {
    ping_with(&[])
}

/// A section of kind 0.
pub(super) fn body(document: &[u8]) -> Vec<u8> {
    [&[0], document].concat()
}

/// A section of kind 1.
pub(super) fn sequence(name: &str, documents: &[u8]) -> Vec<u8> {
    let size = 4 + name.len() + 1 + documents.len();
    [&[1], &(size as i32).to_le_bytes()[..], name.as_bytes(), &[0], documents].concat()
}

/// A message with request id 7.
pub(super) fn message(opcode: i32, content: &[u8]) -> Vec<u8> {
    let header = Header { message_length: content.len() as u32 + 16, request_id: 7, response_to: 0, opcode };
    [&header.to_bytes(), content].concat()
}

pub(super) fn op_msg(flags: u32, sections: &[&[u8]]) -> Vec<u8> {
    message(opcode::MSG, &[&flags.to_le_bytes(), &*sections.concat()].concat())
}

/// An `OP_MSG` with a checksum that fits.
pub(super) fn summed(flags: u32, sections: &[&[u8]]) -> Vec<u8> {
    let mut message = op_msg(flags | 1, &[sections.concat().as_slice(), &[0; 4]]);
    let end = message.len() - 4;
    let sum = Checksum::of(&message[..end]);
    message[end..].copy_from_slice(&sum.to_le_bytes());
    message
}

pub(super) fn op_query(flags: i32, namespace: &str, number_to_return: i32, documents: &[&[u8]]) -> Vec<u8> {
    let numbers = [0_i32.to_le_bytes(), number_to_return.to_le_bytes()].concat();
    let content = [&flags.to_le_bytes(), namespace.as_bytes(), &[0], &*numbers, &*documents.concat()].concat();
    message(opcode::QUERY, &content)
}
