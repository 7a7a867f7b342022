//! What holds for any bytes.

use bson::raw::RawDocument;
use proptest::prelude::*;

use super::bytes::*;
use crate::wire::compressed::{Compressor, Unwrapped, compress, unwrap};
use crate::wire::head::{HeadState, peek};
use crate::wire::header::{Header, opcode};
use crate::wire::message::{ReplyHead, parse_reply};
use crate::wire::request::{Request, parse};
use crate::wire::{CloseReason, MAX_MESSAGE_SIZE};

/// An element: any type, a name that has a meaning somewhere, a value that fits the type or not.
fn element() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![Just("ping"), Just("$db"), Just("_id"), Just("a"), Just("")];
    let nested = prop_oneof![Just(document(&[])), Just(document(&[&int("b", 1)]))];
    prop_oneof![
        name.clone().prop_map(|name| int(name, 1)),
        (name.clone(), ".{0,9}").prop_map(|(name, value)| string(name, &value)),
        (name.clone(), nested).prop_map(|(name, value)| raw(3, name, &value)),
        (any::<u8>(), name, prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(kind, name, value)| raw(kind, name, &value)),
    ]
}

fn any_document() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(ping()),
        prop::collection::vec(element(), 0..5).prop_map(|elements| document(&[&elements.concat()])),
        prop::collection::vec(element(), 0..3).prop_map(|elements| ping_with(&elements.concat())),
    ]
}

fn sections() -> impl Strategy<Value = Vec<u8>> {
    let section = prop_oneof![
        4 => any_document().prop_map(|document| body(&document)),
        2 => (prop_oneof![Just("a"), Just("b"), Just("ping")], any_document()).prop_map(|(name, document)| sequence(name, &document)),
        1 => prop::collection::vec(any::<u8>(), 0..10),
    ];
    prop::collection::vec(section, 0..4).prop_map(|sections| sections.concat())
}

/// Messages, most of them nearly right.
fn any_message() -> impl Strategy<Value = Vec<u8>> {
    let flags = prop_oneof![Just(0_u32), Just(1), Just(2), Just(1 << 16), any::<u32>()];
    let namespace = prop_oneof![Just("admin.$cmd"), Just("a.b"), Just("")];
    let whole = prop_oneof![
        (flags, sections()).prop_map(|(flags, sections)| op_msg(flags, &[&sections])),
        sections().prop_map(|sections| summed(0, &[&sections])),
        (any::<i32>(), namespace, -2..2, any_document()).prop_map(|(flags, namespace, number, document)| op_query(
            flags,
            namespace,
            number,
            &[&document]
        )),
        (any::<i32>(), prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(opcode, content)| message(opcode, &content)),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|content| message(opcode::COMPRESSED, &content)),
    ];
    let damage = prop::option::weighted(0.5, (any::<prop::sample::Index>(), any::<u8>()));
    (whole, damage).prop_map(|(mut message, damage)| {
        if let Some((index, byte)) = damage {
            let index = index.index(message.len());
            message[index] = byte;
        }
        let length = message.len() as u32;
        message[..4].copy_from_slice(&length.to_le_bytes());
        message
    })
}

/// A head sees less than the whole message: it may miss damage, and nothing else.
fn agrees<'a>(whole: &Result<Request<'a>, CloseReason>, head: &Result<Request<'a>, CloseReason>) -> bool {
    match (whole, head) {
        (Err(CloseReason::ChecksumMismatch | CloseReason::TooManyDocumentSequences), Ok(head)) => head.command.is_ok(),
        (Ok(whole), Ok(head)) if whole.command.is_err() && head.command.is_ok() => whole.envelope == head.envelope,
        (whole, head) => whole == head,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_anything_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), max in 0..1000_u32) {
        let _ = parse(&bytes);
        let _ = unwrap(&bytes, max);
        let _ = parse_reply(&bytes);
        let _ = ReplyHead::peek(&bytes, max);
        if let Ok(Some(header)) = Header::peek(&bytes, MAX_MESSAGE_SIZE) {
            let _ = peek(&header, &bytes);
        }
    }

    #[test]
    fn no_message_makes_anything_panic_and_head_and_parse_agree(message in any_message()) {
        let _ = unwrap(&message, MAX_MESSAGE_SIZE);
        let _ = parse_reply(&message);
        let header = Header::peek(&message, MAX_MESSAGE_SIZE).unwrap().unwrap();
        let head = match peek(&header, &message) {
            Ok(HeadState::Ready { request, consumed }) => {
                prop_assert!(consumed <= message.len());
                Ok(request)
            }
            Ok(HeadState::NeedMore { total }) => return Err(TestCaseError::fail(format!("{total} wanted of a whole message"))),
            Err(reason) => Err(reason),
        };
        let whole = parse(&message);
        prop_assert!(agrees(&whole, &head), "{whole:?} {head:?}");
    }

    #[test]
    fn every_split_asks_for_more_or_gives_the_answer_of_the_whole(message in any_message()) {
        let header = Header::peek(&message, MAX_MESSAGE_SIZE).unwrap().unwrap();
        let whole = peek(&header, &message);
        for split in 16..message.len() {
            match peek(&header, &message[..split]) {
                Ok(HeadState::NeedMore { total }) => prop_assert!(total > split && total <= message.len(), "{total} at {split}"),
                early => prop_assert_eq!(&early, &whole, "at {}", split),
            }
        }
    }

    #[test]
    fn a_refusal_can_always_be_told(message in any_message(), plaintext in any::<bool>()) {
        if let Ok(Request { envelope, command: Err(refusal) }) = parse(&message) {
            let reply = envelope.refuse(1, &refusal, plaintext);
            prop_assert_eq!(parse_reply(&reply).unwrap().response_to, envelope.request_id);
        }
    }

    #[test]
    fn compression_gives_back_what_was_compressed(content in prop::collection::vec(any::<u8>(), 1..2000), zeros in 0..5000_usize) {
        let plain = message(opcode::MSG, &[content, vec![0; zeros]].concat());
        for compressor in [Compressor::Snappy, Compressor::Zlib, Compressor::Zstd] {
            let unwrapped = unwrap(&compress(compressor, &plain).unwrap(), MAX_MESSAGE_SIZE);
            prop_assert_eq!(unwrapped, Ok(Unwrapped::Message { message: plain.clone(), compressor }));
        }
    }

    #[test]
    fn damaged_compression_never_gives_another_length(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let plain = op_msg(0, &[&body(&ping())]);
        for compressor in [Compressor::Snappy, Compressor::Zlib, Compressor::Zstd] {
            let mut wrapped = compress(compressor, &plain).unwrap();
            let index = 16 + at.index(wrapped.len() - 16);
            wrapped[index] = byte;
            let declared = i32::from_le_bytes(wrapped[20..24].try_into().unwrap());
            if let Ok(Unwrapped::Message { message, .. }) = unwrap(&wrapped, 100_000) {
                prop_assert_eq!(message.len(), declared as usize + 16);
                prop_assert_eq!(Header::peek(&message, MAX_MESSAGE_SIZE).unwrap().unwrap().message_length as usize, message.len());
            }
        }
    }

    #[test]
    fn a_request_comes_back_from_its_bytes(id in any::<i32>(), checksum in any::<bool>(), database in "[a-zA-Z0-9_]{1,63}") {
        let command = document(&[&int("ping", 1), &string("$db", &database)]);
        let command = RawDocument::from_bytes(&command).unwrap();
        let message = crate::wire::message::op_msg(id, u32::from(checksum), command);
        let request = parse(&message).unwrap();
        let parsed = request.command.unwrap();
        prop_assert_eq!((request.envelope.request_id, request.envelope.checksum), (id, checksum));
        prop_assert_eq!((parsed.name, parsed.database, parsed.body), ("ping", database.as_str(), command));
    }
}
