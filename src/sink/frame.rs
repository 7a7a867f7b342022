//! Messages of the wire protocol as cheaply as a stub can read and write them.
//!
//! It must never be used toward anybody but a load test: it judges nothing but lengths. Source: fact sheet "wire protocol",
//! section 1.

use std::io::{self, Read, Write};

use bson::raw::{RawDocument, RawDocumentBuf};

use crate::wire::MAX_MESSAGE_SIZE;

const OP_REPLY: i32 = 1;
const OP_QUERY: i32 = 2004;
const OP_MSG: i32 = 2013;
const HEADER: usize = 16;
/// What is kept of a message. The rest, documents to insert, is read and thrown away.
const HEAD: usize = 64 * 1024;
/// The size of the reads that throw away.
const SCRATCH: usize = 256 * 1024;

const MORE_TO_COME: u32 = 1 << 1;
const EXHAUST_ALLOWED: u32 = 1 << 16;

/// One request: its head, read whole or as far as the body section goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) id: i32,
    legacy: bool,
    flags: u32,
    pub(super) body: &'a RawDocument,
}

impl Request<'_> {
    /// How its reply is framed.
    pub(super) const fn framing(&self) -> Framing {
        Framing { legacy: self.legacy, response_to: self.id, more_to_come: false }
    }

    /// Whether the client waits for no reply.
    pub(super) const fn unacknowledged(&self) -> bool {
        !self.legacy && self.flags & MORE_TO_COME != 0
    }

    /// Whether the client takes more than one reply.
    pub(super) const fn exhaust_allowed(&self) -> bool {
        !self.legacy && self.flags & EXHAUST_ALLOWED != 0
    }
}

/// How a reply is framed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Framing {
    legacy: bool,
    pub(super) response_to: i32,
    pub(super) more_to_come: bool,
}

/// Reads requests from `R` with one buffer of a fixed size.
pub(super) struct Reader<R> {
    stream: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    scratch: Vec<u8>,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { stream, buffer: vec![0; HEAD], start: 0, end: 0, scratch: Vec::new() }
    }

    /// The next request; `None` at a clean end.
    ///
    /// # Errors
    /// What the stream says, and `InvalidData` for what is no message.
    pub(super) fn next(&mut self) -> io::Result<Option<Request<'_>>> {
        let Some(length) = self.fill(HEADER)?.then(|| self.integer(0)).transpose()? else { return Ok(None) };
        let length = usize::try_from(length).ok().filter(|n| (HEADER..=MAX_MESSAGE_SIZE as usize).contains(n));
        let length = length.ok_or_else(|| invalid("the length of a message"))?;
        let kept = length.min(HEAD);
        if !self.fill(kept)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.discard(length.saturating_sub(kept))?;
        let message = self.buffer.get(self.start..self.start.saturating_add(kept)).unwrap_or_default();
        self.start = self.start.saturating_add(kept);
        parse(message).map(Some)
    }

    /// Makes `wanted` bytes stand at `start`; `false` when the stream ended before the first of them.
    fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start.saturating_add(wanted) > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end.saturating_sub(self.start));
        }
        while self.end.saturating_sub(self.start) < wanted {
            let count = self.stream.read(self.buffer.get_mut(self.end..).unwrap_or_default())?;
            if count == 0 {
                return if self.start == self.end { Ok(false) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            self.end = self.end.saturating_add(count);
        }
        Ok(true)
    }

    fn discard(&mut self, mut count: usize) -> io::Result<()> {
        if count > 0 {
            self.scratch.resize(SCRATCH, 0);
        }
        while count > 0 {
            let read = self.stream.read(self.scratch.get_mut(..count.min(SCRATCH)).unwrap_or_default())?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            count = count.saturating_sub(read);
        }
        Ok(())
    }

    fn integer(&self, offset: usize) -> io::Result<i32> {
        integer(self.buffer.get(self.start..).unwrap_or_default(), offset)
    }
}

/// One message: `message` holds its header and as much of it as was kept.
fn parse(message: &[u8]) -> io::Result<Request<'_>> {
    let id = integer(message, 4)?;
    match integer(message, 12)? {
        OP_MSG => Ok(Request { id, legacy: false, flags: integer(message, 16)?.cast_unsigned(), body: body_section(message)? }),
        OP_QUERY => {
            let namespace = message.get(HEADER + 4..).ok_or_else(|| invalid("OP_QUERY"))?;
            let end = namespace.iter().position(|byte| *byte == 0).ok_or_else(|| invalid("a namespace"))?;
            let body = document(namespace, end.saturating_add(1 + 8))?;
            Ok(Request { id, legacy: true, flags: 0, body })
        }
        _ => Err(invalid("an opcode that the sink knows")),
    }
}

/// The section of kind 0, behind any sections of kind 1.
fn body_section(message: &[u8]) -> io::Result<&RawDocument> {
    let mut offset = HEADER + 4;
    loop {
        match message.get(offset) {
            Some(0) => return document(message, offset.saturating_add(1)),
            Some(1) => {
                let size = usize::try_from(integer(message, offset.saturating_add(1))?).map_err(|_| invalid("a section"))?;
                offset = offset.saturating_add(1).saturating_add(size);
            }
            _ => return Err(invalid("a body section")),
        }
    }
}

fn document(bytes: &[u8], offset: usize) -> io::Result<&RawDocument> {
    let size = usize::try_from(integer(bytes, offset)?).map_err(|_| invalid("a document"))?;
    let bytes = bytes.get(offset..offset.saturating_add(size)).ok_or_else(|| invalid("a document"))?;
    RawDocument::from_bytes(bytes).map_err(|_| invalid("a document"))
}

fn integer(bytes: &[u8], offset: usize) -> io::Result<i32> {
    let bytes = bytes.get(offset..).and_then(<[u8]>::first_chunk).ok_or_else(|| invalid("a number"))?;
    Ok(i32::from_le_bytes(*bytes))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the client did not send {what}"))
}

/// Writes one reply through `buffer`, which is reused; returns the reply's own id.
///
/// # Errors
/// What the stream says.
pub(super) fn write(
    stream: &mut impl Write,
    buffer: &mut Vec<u8>,
    id: i32,
    framing: Framing,
    reply: &RawDocumentBuf,
) -> io::Result<()> {
    let document = reply.as_bytes();
    let prefix = if framing.legacy { 20 } else { 5 };
    let length = i32::try_from(HEADER + prefix + document.len()).map_err(io::Error::other)?;
    buffer.clear();
    for field in [length, id, framing.response_to, if framing.legacy { OP_REPLY } else { OP_MSG }] {
        buffer.extend_from_slice(&field.to_le_bytes());
    }
    if framing.legacy {
        buffer.extend_from_slice(&8_i32.to_le_bytes()); // AwaitCapable
        buffer.extend_from_slice(&[0; 12]); // no cursor, from the first
        buffer.extend_from_slice(&1_i32.to_le_bytes());
    } else {
        let flags = if framing.more_to_come { MORE_TO_COME } else { 0 };
        buffer.extend_from_slice(&flags.to_le_bytes());
        buffer.push(0);
    }
    if document.len() > HEAD {
        stream.write_all(buffer)?;
        return stream.write_all(document);
    }
    buffer.extend_from_slice(document);
    stream.write_all(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::rawdoc;

    fn message(id: i32, flags: u32, sections: &[&[u8]]) -> Vec<u8> {
        let sections = sections.concat();
        let mut bytes = Vec::new();
        for field in [20 + i32::try_from(sections.len()).unwrap(), id, 0, OP_MSG] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes.extend_from_slice(&flags.to_le_bytes());
        bytes.extend_from_slice(&sections);
        bytes
    }

    fn body(document: &RawDocumentBuf) -> Vec<u8> {
        [&[0], document.as_bytes()].concat()
    }

    fn sequence(size: usize) -> Vec<u8> {
        let documents = vec![7_u8; size];
        let length = i32::try_from(4 + 10 + size).unwrap().to_le_bytes();
        [&[1], length.as_slice(), b"documents\0", &documents].concat()
    }

    #[test]
    fn requests_are_read_one_after_the_other_and_large_sequences_are_thrown_away() {
        let insert = body(&rawdoc! { "insert": "c", "$db": "d" });
        let ping = body(&rawdoc! { "ping": 1, "$db": "d" });
        let stream =
            [message(1, 0, &[&insert, &sequence(300_000)]), message(2, 2, &[&ping]), message(3, 1 << 16, &[&sequence(9), &ping])];
        let stream = stream.concat();
        let mut reader = Reader::new(stream.as_slice());
        let first = reader.next().unwrap().unwrap();
        assert_eq!((first.id, first.body.get_str("insert").unwrap(), first.unacknowledged()), (1, "c", false));
        let second = reader.next().unwrap().unwrap();
        assert_eq!((second.id, second.unacknowledged(), second.exhaust_allowed()), (2, true, false));
        let third = reader.next().unwrap().unwrap();
        assert_eq!((third.id, third.body.get_i32("ping").unwrap(), third.exhaust_allowed()), (3, 1, true));
        assert!(reader.next().unwrap().is_none());
    }

    #[test]
    fn a_reply_is_framed_as_its_request_was() {
        let mut query = Vec::new();
        let document = rawdoc! { "isMaster": 1 };
        for field in [16 + 4 + 11 + 8 + i32::try_from(document.as_bytes().len()).unwrap(), 9, 0, OP_QUERY, 0] {
            query.extend_from_slice(&field.to_le_bytes());
        }
        query.extend_from_slice(b"admin.$cmd\0\0\0\0\0\xff\xff\xff\xff");
        query.extend_from_slice(document.as_bytes());
        let mut reader = Reader::new(query.as_slice());
        let framing = reader.next().unwrap().unwrap().framing();
        let (mut written, reply) = (Vec::new(), rawdoc! { "ok": 1.0 });
        write(&mut written, &mut Vec::new(), 5, framing, &reply).unwrap();
        assert_eq!(&written[4..16], [5, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(&written[36..], reply.as_bytes());
        assert_eq!(written[0] as usize, written.len());
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[20, 0, 0]] {
            assert!(Reader::new(bytes).next().is_err());
        }
    }
}
