//! Replies that are built, and replies that are read.

use bson::raw::RawDocument;

use super::bytes::{body, document, int, op_msg as request, op_query, ping, string, summed};
use crate::wire::compressed::{Compressor, Unwrapped, compress, unwrap, unwrap_reply};
use crate::wire::header::{Header, opcode};
use crate::wire::message::{ReplyError, ReplyHead, op_msg, parse_reply};
use crate::wire::request::{Refusal, parse};
use crate::wire::{CloseReason, MAX_MESSAGE_SIZE, message};

fn header(message: &[u8]) -> Header {
    Header::peek(message, MAX_MESSAGE_SIZE).unwrap().unwrap()
}

fn ok() -> bson::RawDocumentBuf {
    bson::rawdoc! { "ok": 1.0 }
}

#[test]
fn a_reply_has_the_opcode_of_its_request() {
    let message = request(0, &[&body(&ping())]);
    let reply = parse(&message).unwrap().envelope.reply(5, &ok(), true);
    assert_eq!(header(&reply), Header { message_length: 38, request_id: 5, response_to: 7, opcode: opcode::MSG });
    let hello = op_query(0, "admin.$cmd", 1, &[&document(&[&int("hello", 1)])]);
    let reply = parse(&hello).unwrap().envelope.reply(5, &ok(), true);
    assert_eq!(header(&reply), Header { message_length: 53, request_id: 5, response_to: 7, opcode: opcode::REPLY });
    let read = parse_reply(&reply).unwrap();
    assert_eq!((read.flags, read.response_to, read.request_id), (8, 7, 5));
    assert_eq!(read.body, &*ok());
}

#[test]
fn a_checksum_is_answered_with_one_but_not_over_tls() {
    let message = summed(0, &[&body(&ping())]);
    let envelope = parse(&message).unwrap().envelope;
    let mut plaintext = envelope.reply(5, &ok(), true);
    assert_eq!(parse_reply(&plaintext).unwrap().flags, 1);
    assert_eq!(parse_reply(&envelope.reply(5, &ok(), false)).unwrap().flags, 0);
    plaintext[25] ^= 1;
    assert_eq!(parse_reply(&plaintext), Err(ReplyError::Checksum));
}

#[test]
fn an_exhaust_reply_names_the_reply_before_and_says_that_more_follows() {
    let message = request(1 << 16, &[&body(&ping())]);
    let envelope = parse(&message).unwrap().envelope;
    for more_to_come in [true, false] {
        let reply = envelope.exhaust_reply(9, 8, &ok(), more_to_come, true);
        let head = ReplyHead::peek(&reply[..ReplyHead::LEN], MAX_MESSAGE_SIZE).unwrap().unwrap();
        assert_eq!(head.more_to_come(), more_to_come);
        assert_eq!((head.header.request_id, head.header.response_to), (9, 8));
        assert_eq!(parse_reply(&reply).unwrap().response_to, 8);
    }
}

#[test]
fn a_compressed_request_is_answered_compressed() {
    let plain = request(0, &[&body(&ping())]);
    for compressor in [Compressor::Snappy, Compressor::Zlib, Compressor::Zstd] {
        let wrapped = compress(compressor, &plain).unwrap();
        let Unwrapped::Message { message, compressor: found } = unwrap(&wrapped, MAX_MESSAGE_SIZE).unwrap() else {
            panic!("nested");
        };
        let mut envelope = parse(&message).unwrap().envelope;
        envelope.compressor = Some(found);
        let reply = envelope.reply(5, &ok(), true);
        assert_eq!((header(&reply).opcode, header(&reply).response_to, found), (opcode::COMPRESSED, 7, compressor));
        let inside = unwrap_reply(&reply, MAX_MESSAGE_SIZE).unwrap();
        assert_eq!(header(&inside), Header { message_length: 38, request_id: 5, response_to: 7, opcode: opcode::MSG });
        assert_eq!(parse_reply(&inside).unwrap().body, &*ok());
    }
}

#[test]
fn a_removed_opcode_is_answered_in_the_old_shape() {
    let find = op_query(0, "app.things", 1, &[&document(&[])]);
    let request = parse(&find).unwrap();
    let reply = request.envelope.refuse(5, &Refusal::LegacyOpcode { name: "OP_QUERY" }, true);
    let read = parse_reply(&reply).unwrap();
    assert_eq!(read.flags, 2);
    let keys: Vec<_> = read.body.iter().map(|element| element.unwrap().0.to_string()).collect();
    assert_eq!(keys, ["$err", "code", "ok"]);
}

#[test]
fn requests_of_ours_are_understood() {
    let command = document(&[&int("hello", 1), &string("$db", "admin")]);
    let command = RawDocument::from_bytes(&command).unwrap();
    for flags in [0, 1, 1 << 16] {
        let message = op_msg(3, flags, command);
        let request = parse(&message).unwrap();
        assert_eq!(request.envelope.request_id, 3);
        assert_eq!(request.command.unwrap().name, "hello");
    }
    let hello = document(&[&int("hello", 1)]);
    let message = message::op_query(4, "admin.$cmd", RawDocument::from_bytes(&hello).unwrap());
    assert_eq!(parse(&message).unwrap().command.unwrap().database, "admin");
}

#[test]
fn a_reply_that_is_not_one_document_is_refused() {
    let good = op_msg(3, 0, &ok());
    assert!(parse_reply(&good).is_ok());
    for end in 0..good.len() {
        assert!(parse_reply(&good[..end]).is_err(), "{end} bytes");
    }
    assert_eq!(parse_reply(&request(0, &[&body(&ping()), &body(&ping())])), Err(ReplyError::Document));
    assert_eq!(parse_reply(&op_query(0, "a.b", 1, &[])), Err(ReplyError::Opcode(opcode::QUERY)));
    assert_eq!(ReplyHead::peek(&good[..19], MAX_MESSAGE_SIZE), Ok(None));
    let short = super::bytes::message(opcode::MSG, &[0]);
    assert_eq!(ReplyHead::peek(&short, MAX_MESSAGE_SIZE), Err(CloseReason::NotEnoughData));
}
