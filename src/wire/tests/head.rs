//! Judging a message by its beginning.

use super::bytes::*;
use crate::wire::head::{HeadState, peek};
use crate::wire::header::{Header, opcode};
use crate::wire::request::{Request, parse};
use crate::wire::{CloseReason, MAX_MESSAGE_SIZE};

fn header(message: &[u8]) -> Header {
    Header::peek(message, u32::MAX).unwrap().unwrap()
}

/// Gives a head just the bytes that it asks for, and tells how often it asked.
fn feed(message: &[u8]) -> (Result<(Request<'_>, usize), CloseReason>, usize) {
    let (header, mut there, mut asked) = (header(message), 16, 0);
    loop {
        match peek(&header, &message[..there]) {
            Ok(HeadState::NeedMore { total }) => {
                assert!(total > there && total <= message.len(), "{total} wanted, {there} there, {} in all", message.len());
                (there, asked) = (total, asked + 1);
            }
            Ok(HeadState::Ready { request, consumed }) => return (Ok((request, consumed)), asked),
            Err(reason) => return (Err(reason), asked),
        }
    }
}

#[test]
fn a_body_in_front_is_enough_and_the_rest_stays_unread() {
    let documents = document(&[&int("x", 1)]).repeat(1000);
    let front = body(&ping());
    for (flags, message) in [
        (0, op_msg(0, &[&front, &sequence("documents", &documents)])),
        (1, summed(0, &[&front, &sequence("documents", &documents)])),
    ] {
        let (result, asked) = feed(&message);
        let (request, consumed) = result.unwrap();
        assert_eq!((consumed, asked), (20 + front.len(), 3), "flags {flags}");
        assert_eq!(request, parse(&message).unwrap());
    }
}

#[test]
fn a_sequence_in_front_is_needed_up_to_the_end_of_the_body() {
    let (first, second, third) = (sequence("a", &document(&[])), body(&ping()), sequence("b", &document(&[])));
    let message = op_msg(0, &[&first, &second, &third]);
    let (request, consumed) = feed(&message).0.unwrap();
    assert_eq!(consumed, 20 + first.len() + second.len());
    assert_eq!(request, parse(&message).unwrap());
}

#[test]
fn many_sequences_are_not_walked_again_and_again() {
    let sequences = [sequence("a", &[]), sequence("b", &[]), sequence("c", &[]).repeat(10_000)].concat();
    let message = op_msg(0, &[&sequences]);
    let (result, asked) = feed(&message);
    assert_eq!(result, Err(CloseReason::TooManyDocumentSequences));
    assert!(asked < 10, "asked {asked} times");
}

#[test]
fn what_can_not_be_answered_closes_as_soon_as_it_is_seen() {
    let ping = body(&ping());
    let mut answer = op_msg(0, &[&ping]);
    answer[8] = 1;
    assert_eq!(peek(&header(&answer), &answer[..16]), Err(CloseReason::ResponseTo(1)));
    let insert = message(opcode::INSERT, &[0; 100]);
    assert_eq!(peek(&header(&insert), &insert[..16]), Err(CloseReason::RemovedOpcode("OP_INSERT")));
    let flags = op_msg(4, &[&ping]);
    assert_eq!(peek(&header(&flags), &flags[..19]), Ok(HeadState::NeedMore { total: 20 }));
    assert_eq!(peek(&header(&flags), &flags[..20]), Err(CloseReason::IllegalFlags(4)));
}

#[test]
fn anything_odd_and_any_other_opcode_needs_the_whole_message() {
    let cases = [
        op_msg(0, &[]),
        op_msg(0, &[&[7]]),
        op_msg(0, &[&body(&document(&[&int("ping", 1)])), &sequence("a", &document(&[]))]),
        op_msg(0, &[&body(&document(&[&int("ping", 1), &int("$db", 1)])), &sequence("a", &document(&[]))]),
        op_msg(0, &[&[0, 4, 0, 0, 0, 9, 9, 9, 9, 9]]),
        op_msg(1, &[&body(&ping())]),
        op_query(0, "admin.$cmd", 1, &[&document(&[&int("hello", 1)])]),
        message(opcode::MSG, &[0]),
        message(opcode::GET_MORE, b"\0\0\0\0a.b\0"),
    ];
    for message in cases {
        let (head, whole) = (feed(&message).0, parse(&message));
        assert_eq!(head, whole.map(|request| (request, message.len())), "{message:02x?}");
    }
}

#[test]
fn the_length_of_the_largest_message_is_no_reason_to_want_it_whole() {
    let mut message = op_msg(0, &[&body(&ping())]);
    message[..4].copy_from_slice(&MAX_MESSAGE_SIZE.to_le_bytes());
    let state = peek(&header(&message), &message).unwrap();
    assert!(matches!(state, HeadState::Ready { consumed, .. } if consumed == message.len()));
}

#[test]
fn bytes_behind_the_message_are_not_looked_at() {
    let message = op_msg(0, &[&body(&document(&[&int("ping", 1)]))]);
    let two = message.repeat(2);
    let state = peek(&header(&message), &two).unwrap();
    assert_eq!(state, HeadState::Ready { request: parse(&message).unwrap(), consumed: message.len() });
}
