//! The recorded answers of a mongod 6.0.5 to 544 well-formed and damaged messages, as far as framing decides them.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::wire::compressed::{Unwrapped, unwrap};
use crate::wire::head::{self, HeadState};
use crate::wire::header::{Header, opcode};
use crate::wire::request::{Refusal, Request, parse};
use crate::wire::{CloseReason, MAX_MESSAGE_SIZE};

/// What the client sees of one message.
#[derive(Debug, PartialEq)]
enum Seen {
    Closed(CloseReason),
    NoReply,
    Waiting,
    /// The reply as it leaves, and the error in it.
    Refused {
        reply: Vec<u8>,
        refusal: Refusal,
    },
    /// A command for the session; an envelope for its reply.
    Command {
        reply: Vec<u8>,
        name: String,
    },
}

/// Plays the bytes of a connection as a server would, up to the close.
fn play(mut bytes: &[u8]) -> VecDeque<Seen> {
    let mut seen = VecDeque::new();
    loop {
        let header = match Header::peek(bytes, MAX_MESSAGE_SIZE) {
            Ok(Some(header)) => header,
            Ok(None) if bytes.is_empty() => return seen,
            Ok(None) => {
                seen.push_back(Seen::Waiting);
                return seen;
            }
            Err(reason) => {
                seen.push_back(Seen::Closed(reason));
                return seen;
            }
        };
        let Some((message, rest)) = bytes.split_at_checked(header.message_length as usize) else {
            // Some messages are judged before they are there.
            seen.push_back(head::peek(&header, bytes).map_or_else(Seen::Closed, |_| Seen::Waiting));
            return seen;
        };
        bytes = rest;
        let answer = answer(&header, message);
        let closed = matches!(answer, Seen::Closed(_));
        seen.push_back(answer);
        if closed {
            return seen;
        }
    }
}

fn answer(header: &Header, message: &[u8]) -> Seen {
    if header.opcode != opcode::COMPRESSED {
        assert_head_agrees(header, message);
        return parse(message).map_or_else(Seen::Closed, |request| reply(&request));
    }
    match unwrap(message, MAX_MESSAGE_SIZE) {
        Err(reason) => Seen::Closed(reason),
        Ok(Unwrapped::Nested) => Seen::NoReply,
        Ok(Unwrapped::Message { message, compressor }) => match parse(&message) {
            Err(reason) => Seen::Closed(reason),
            Ok(mut request) => {
                request.envelope.compressor = Some(compressor);
                reply(&request)
            }
        },
    }
}

fn reply(request: &Request<'_>) -> Seen {
    let envelope = request.envelope;
    if envelope.more_to_come {
        return Seen::NoReply;
    }
    match &request.command {
        Ok(command) => {
            let body = bson::rawdoc! { "ok": 1.0 };
            Seen::Command { reply: envelope.reply(1, &body, true), name: command.name.to_owned() }
        }
        Err(refusal) => Seen::Refused { reply: envelope.refuse(1, refusal, true), refusal: refusal.clone() },
    }
}

/// A head may miss damage that only the whole message shows; otherwise it is the whole message's answer.
fn assert_head_agrees(header: &Header, message: &[u8]) {
    let head = match head::peek(header, message) {
        Ok(HeadState::Ready { request, .. }) => Ok(request),
        Ok(HeadState::NeedMore { total }) => panic!("{total} bytes wanted of {}", message.len()),
        Err(reason) => Err(reason),
    };
    match (parse(message), head) {
        (Err(CloseReason::ChecksumMismatch | CloseReason::TooManyDocumentSequences), Ok(_)) => {}
        (Ok(Request { command: Err(_), envelope }), Ok(Request { command: Ok(_), envelope: other })) => {
            assert_eq!(envelope, other);
        }
        (whole, head) => assert_eq!(whole, head),
    }
}

/// The opcode, the `responseTo` and the document of a reply, which may be compressed.
fn take_apart(reply: &[u8]) -> (i32, i32, u32, bson::RawDocumentBuf) {
    let header = Header::peek(reply, MAX_MESSAGE_SIZE).unwrap().unwrap();
    let plain = match header.opcode {
        opcode::COMPRESSED => crate::wire::compressed::unwrap_reply(reply, MAX_MESSAGE_SIZE).unwrap(),
        _ => reply.to_vec(),
    };
    let reply = crate::wire::message::parse_reply(&plain).unwrap();
    (header.opcode, header.response_to, reply.flags, reply.body.to_owned())
}

/// Codes that are only found once the framing is judged: by the session, or by the mongod behind.
const BEYOND_FRAMING: [i64; 8] = [16, 18, 59, 73, 40413, 40414, 40415, 51003];

fn check(expected: &Value, seen: Option<Seen>, name: &str) {
    if expected["closed"] == true {
        return assert!(matches!(seen, Some(Seen::Closed(_))), "{name}: expected a close, got {seen:?}");
    }
    if expected["noReply"] == true {
        return assert!(matches!(seen, Some(Seen::NoReply | Seen::Waiting)), "{name}: expected silence, got {seen:?}");
    }
    let (reply, refusal) = match seen {
        Some(Seen::Refused { reply, refusal }) => (reply, Some(refusal)),
        Some(Seen::Command { reply, .. }) => (reply, None),
        other => panic!("{name}: expected a reply, got {other:?}"),
    };
    let (opcode, response_to, flags, body) = take_apart(&reply);
    assert_eq!(i64::from(opcode), expected["op"].as_i64().unwrap(), "{name}: opcode");
    assert_eq!(i64::from(response_to), expected["responseTo"].as_i64().unwrap(), "{name}: responseTo");
    if let Some(expected) = expected["flags"].as_u64() {
        assert_eq!(u64::from(flags), expected, "{name}: flags");
    }
    let Some(refusal) = refusal else {
        let code = expected["code"].as_i64();
        let unauthorized = expected["errmsg"].as_str().is_some_and(|errmsg| errmsg.ends_with(" requires authentication"));
        let later = code.is_none_or(|code| BEYOND_FRAMING.contains(&code) || (code == 13 && unauthorized));
        return assert!(later, "{name}: expected {expected}, but it passed");
    };
    let text = match refusal {
        Refusal::Command(_) => "errmsg",
        Refusal::LegacyOpcode { .. } => "$err",
    };
    assert_eq!(i64::from(body.get_i32("code").unwrap()), expected["code"].as_i64().unwrap(), "{name}: code");
    if let Some(expected) = expected["codeName"].as_str() {
        assert_eq!(body.get_str("codeName").unwrap(), expected, "{name}: codeName");
    }
    // Long texts are cut in the recording.
    let expected = expected[text].as_str().unwrap_or_else(|| panic!("{name}: refused with {body:?}"));
    let (cut, whole) = (expected.strip_suffix('…'), body.get_str(text).unwrap());
    assert!(cut.map_or(whole == expected, |cut| whole.starts_with(cut)), "{name}: {whole}");
}

#[test]
fn every_recorded_message_is_closed_on_refused_or_passed_on_as_by_mongod() {
    let rows = include_str!("../../../tests/data/framing-cases.jsonl");
    let mut count = 0;
    for row in rows.lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        let name = format!("{} / {}", row["section"].as_str().unwrap(), row["name"].as_str().unwrap());
        let sent = row["send"].as_array().unwrap().iter().flat_map(|sent| STANDARD.decode(sent.as_str().unwrap()).unwrap());
        let mut seen = play(&sent.collect::<Vec<_>>());
        for expected in row["expect"].as_array().unwrap() {
            check(expected, seen.pop_front(), &name);
        }
        count += 1;
    }
    assert_eq!(count, 544);
}
