//! What is answered and what is closed on. Every text was given by a mongod 6.0.5 to these very bytes.

use super::bytes::*;
use crate::wire::CloseReason;
use crate::wire::command::Protocol;
use crate::wire::header::opcode;
use crate::wire::request::{Refusal, parse};

fn refused(message: &[u8]) -> (i32, String) {
    match parse(message).unwrap().command {
        Err(Refusal::Command(error)) => (error.code().code(), error.errmsg().to_owned()),
        other => panic!("not refused with a command error: {other:?}"),
    }
}

/// The answer to `{ping: 1, <elements>, $db: "admin"}`, or to the same without `$db`.
fn damaged(elements: &[u8], with_db: bool) -> (i32, String) {
    let document = if with_db { ping_with(elements) } else { document(&[&int("ping", 1), elements]) };
    refused(&op_msg(0, &[&body(&document)]))
}

fn int32(value: i32) -> [u8; 4] {
    value.to_le_bytes()
}

#[test]
fn a_request_is_taken_apart() {
    let document = ping();
    let message = op_msg(1 << 16, &[&body(&document)]);
    let request = parse(&message).unwrap();
    let command = request.command.unwrap();
    assert_eq!((command.name, command.database), ("ping", "admin"));
    assert_eq!(command.body.as_bytes(), document);
    assert_eq!((command.protocol, command.exhaust_allowed), (Protocol::Message, true));
    assert_eq!((request.envelope.request_id, request.envelope.exhaust_allowed), (7, true));
    assert!(!request.envelope.checksum && !request.envelope.more_to_come);
}

#[test]
fn a_damaged_value_is_told_by_what_is_wrong_and_where() {
    let beyond = "BSON size is larger than buffer size";
    let small = "Nested BSON object has to be at least 5 bytes";
    let scope = |size: i32, scope: &[u8]| raw(15, "c", &[&int32(size), &int32(1), &[0][..], scope].concat());
    let cases: Vec<(Vec<u8>, bool, &str, &str)> = vec![
        (raw(16, "c", &[0, 1]), false, beyond, "c"),
        (raw(2, "c", &[&int32(-1)[..], &[0]].concat()), true, beyond, "c"),
        (raw(2, "c", &int32(0)), true, "Not null terminated string", "c"),
        (raw(2, "c", &int32(1)), false, beyond, "c"),
        (raw(13, "c", &[&int32(1)[..], b"x"].concat()), true, "Not null terminated string", "c"),
        (raw(5, "c", &[&int32(-5)[..], &[0]].concat()), true, beyond, "c"),
        (raw(5, "c", &[&int32(1)[..], &[0]].concat()), false, beyond, "c"),
        (raw(11, "c", b"abc\0x"), false, beyond, "c"),
        (raw(8, "c", &[2]), true, "BSON bool is neither false nor true", "c"),
        (b"\x10ccc".to_vec(), false, beyond, "ccc"),
        (b"\x0accc".to_vec(), false, beyond, "ccc"),
        (b"\x61ccc".to_vec(), false, "Unrecognized BSON type 97", "ccc"),
        (raw(0x80, "c", &[]), true, "Unrecognized BSON type 128", "c"),
        (vec![0], true, "incorrect BSON length", "ping"),
        (raw(3, "c", &[&int32(4)[..], &[0]].concat()), true, small, ".c"),
        (raw(3, "c", &[&int32(-1)[..], &[0]].concat()), true, small, ".c"),
        (raw(3, "c", &[&int32(1000)[..], &[0]].concat()), true, "incorrect BSON length", "c.c"),
        (raw(3, "c", &[&int32(6)[..], &[0, 0]].concat()), true, "incorrect BSON length", "c.c"),
        (raw(3, "c", &int32(5)), false, beyond, "c"),
        (raw(3, "c", &document(&[&raw(3, "d", &document(&[b"\x20e\0"]))])), true, "Unrecognized BSON type 32", "c.d.e"),
        (raw(4, "c", &document(&[&raw(3, "0", &document(&[b"\x20e\0"]))])), true, "Unrecognized BSON type 32", "c.0.e"),
        (scope(13, &document(&[])), true, "incorrect BSON length", "c.\\u0005"),
        (scope(1500, &document(&[])), true, "incorrect BSON length", "c.\\u0005"),
        (scope(17, &document(&[b"\x20d\0"])), true, "Unrecognized BSON type 32", "c..d"),
        (raw(15, "c", &int32(4)), true, small, ".c"),
        (b"\x20a\"\\\n\x01\x7f\0".to_vec(), true, "Unrecognized BSON type 32", "a\\\"\\\\\\n\\u0001\x7f"),
    ];
    for (elements, with_db, what, path) in cases {
        let text = format!("{what} in element with field name '{path}' in object with unknown _id");
        assert_eq!(damaged(&elements, with_db), (22, text), "{elements:02x?}");
    }
}

#[test]
fn the_last_whole_id_of_the_outermost_document_names_it() {
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (int("_id", 5), "_id: 5"),
        ([int("_id", 1), int("_id", 2)].concat(), "_id: 2"),
        (string("_id", "a\"b"), "_id: \\\"a\\\"b\\\""),
        (raw(3, "_id", &document(&[])), "unknown _id"),
        (raw(3, "a", &document(&[&int("_id", 1)])), "unknown _id"),
        (raw(1, "_id", &1e300_f64.to_le_bytes()), "_id: 1e+300.0"),
        (raw(1, "_id", &1e15_f64.to_le_bytes()), "_id: 1000000000000000.0"),
        (raw(1, "_id", &0.1_f64.to_le_bytes()), "_id: 0.1"),
        (raw(1, "_id", &1e-7_f64.to_le_bytes()), "_id: 1e-07.0"),
        (raw(1, "_id", &(-0.0_f64).to_le_bytes()), "_id: -0.0"),
        (raw(1, "_id", &f64::NEG_INFINITY.to_le_bytes()), "_id: -inf.0"),
        (raw(1, "_id", &f64::NAN.to_le_bytes()), "_id: nan.0"),
        (raw(5, "_id", &[&int32(3)[..], b"\0\x0abc"].concat()), "_id: BinData(0, 0A6263)"),
        (raw(5, "_id", &[&int32(6)[..], b"\x02\x02\0\0\0ab"].concat()), "_id: BinData(2, 6162)"),
        (
            raw(5, "_id", &[&int32(16)[..], &[4], &(0..16).collect::<Vec<u8>>()].concat()),
            "_id: UUID(\\\"00010203-0405-0607-0809-0a0b0c0d0e0f\\\")",
        ),
        (raw(6, "_id", &[]), "_id: undefined"),
        (raw(7, "_id", b"0123456789ab"), "_id: ObjectId('303132333435363738396162')"),
        (raw(8, "_id", &[1]), "_id: true"),
        (raw(9, "_id", &(-5_i64).to_le_bytes()), "_id: new Date(-5)"),
        (raw(10, "_id", &[]), "_id: null"),
        (raw(11, "_id", b"a/b\0im\0"), "_id: /a/b/im"),
        (raw(12, "_id", &[&int32(4)[..], b"a\0c\x000123456789ab"].concat()), "_id: DBRef('a',303132333435363738396162)"),
        (raw(13, "_id", &[&int32(4)[..], b"abc\0"].concat()), "_id: abc"),
        (raw(17, "_id", &[5, 0, 0, 0, 9, 0, 0, 0]), "_id: Timestamp(9, 5)"),
        (raw(18, "_id", &(1_i64 << 40).to_le_bytes()), "_id: 1099511627776"),
        (raw(255, "_id", &[]), "_id: MinKey"),
        (raw(127, "_id", &[]), "_id: MaxKey"),
    ];
    for (elements, whose) in cases {
        let text = format!("Unrecognized BSON type 32 in element with field name 'c' in object with {whose}");
        assert_eq!(damaged(&[&*elements, b"\x20c\0"].concat(), true), (22, text), "{elements:02x?}");
    }
}

#[test]
fn two_hundred_levels_are_taken_and_one_more_is_too_deep() {
    let nested = |levels: usize| (0..levels).fold(document(&[]), |inner, _| document(&[&raw(3, "a", &inner)]));
    let message = op_msg(0, &[&body(&ping_with(&raw(3, "c", &nested(199))))]);
    assert!(parse(&message).unwrap().command.is_ok());
    let path = format!("c{}", ".a".repeat(200));
    let text =
        format!("BSONObj exceeds maximum nested object depth in element with field name '{path}' in object with unknown _id");
    assert_eq!(damaged(&raw(3, "c", &nested(200)), true), (15, text));
}

#[test]
fn a_document_larger_than_16_mib_and_16_kib_is_refused_with_its_first_element() {
    let with_size = |size: usize| {
        let filler = size - ping_with(&raw(5, "p", &[0; 5])).len();
        ping_with(&raw(5, "p", &[&int32(filler as i32)[..], &[0], &vec![1; filler]].concat()))
    };
    let largest = op_msg(0, &[&body(&with_size(16_793_600))]);
    assert!(parse(&largest).unwrap().command.is_ok());
    let text = "BSONObj size: 16793601 (0x1004001) is invalid. Size must be between 0 and 16793600(16MB) First element: ping: 1";
    let message = op_msg(0, &[&body(&with_size(16_793_601))]);
    assert_eq!(refused(&message), (10334, text.to_owned()));
    let message = op_query(0, "admin.$cmd", -1, &[&with_size(16_793_601)]);
    assert_eq!(refused(&message), (10334, text.to_owned()));
}

#[test]
fn sections_are_judged_in_their_order() {
    let ping = body(&ping());
    let document = document(&[&int("x", 1)]);
    let nested = body(&ping_with(&raw(4, "a", &super::bytes::document(&[]))));
    let too_small = "buffer size too small to read (4) bytes out of buffer[1] at offset: 0";
    let no_nul = "couldn't locate terminal char (\\u0000) in buffer[1] at offset: 0";
    let cases: Vec<(Vec<&[u8]>, i32, &str)> = vec![
        (vec![], 40587, "OP_MSG messages must have a body"),
        (vec![&ping, &ping], 40430, "Multiple body sections in message"),
        (vec![&ping, &[2]], 13, "Unsupported Security Token provided"),
        (vec![&ping, &[3]], 40432, "Unknown section kind 3"),
        (vec![&ping, &[1, 0]], 15, too_small),
        (vec![&ping, &[1, 5, 0, 0, 0, b'a']], 15, no_nul),
        (vec![&ping, &[1, 3, 0, 0, 0, 9]], 15, "Invalid advance (4294967295) past end of buffer[1] at offset: 0"),
    ];
    for (sections, code, text) in cases {
        assert_eq!(refused(&op_msg(0, &sections)), (code, text.to_owned()), "{sections:02x?}");
    }
    for (path, found) in [("ping", true), ("$db", true), ("a.b", true), ("a.", true), ("ping.x", false), ("x", false)] {
        let message = op_msg(0, &[&nested, &sequence(path, &document)]);
        let text = format!("Duplicate field between body and document sequence {path}");
        match parse(&message).unwrap().command {
            Ok(_) => assert!(!found, "{path}"),
            Err(_) => assert_eq!(refused(&message), (40433, text), "{path}"),
        }
    }
    let twice = op_msg(0, &[&ping, &sequence("d", &document), &sequence("d", &document)]);
    assert_eq!(refused(&twice), (40431, "Duplicate document sequence: d".to_owned()));
}

#[test]
fn a_third_document_sequence_closes_before_it_is_looked_at() {
    let two = [body(&ping()), sequence("a", &[]), sequence("b", &[])].concat();
    assert!(parse(&op_msg(0, &[&two])).unwrap().command.is_ok());
    let three = op_msg(0, &[&two, &[1]]);
    assert_eq!(parse(&three), Err(CloseReason::TooManyDocumentSequences));
}

#[test]
fn the_database_has_to_be_there_and_a_string() {
    let cases: [(Vec<u8>, i32, &str); 5] = [
        (document(&[]), 40571, "OP_MSG requests require a $db argument"),
        (document(&[&int("ping", 1)]), 40571, "OP_MSG requests require a $db argument"),
        (document(&[&int("ping", 1), &int("$db", 1)]), 13111, "wrong type for field ($db) int != string"),
        (document(&[&int("ping", 1), &raw(255, "$db", &[])]), 13111, "wrong type for field ($db) minKey != string"),
        (
            document(&[&int("ping", 1), &int("$db", 1), &string("$db", "admin")]),
            13111,
            "wrong type for field ($db) int != string",
        ),
    ];
    for (document, code, text) in cases {
        assert_eq!(refused(&op_msg(0, &[&body(&document)])), (code, text.to_owned()));
    }
}

#[test]
fn names_that_are_no_utf_8_are_refused() {
    let name = document(&[b"\x10\xff\0\x01\0\0\0", &string("$db", "admin")]);
    assert_eq!(refused(&op_msg(0, &[&body(&name)])), (59, "no such command: '\u{fffd}'".to_owned()));
    let database = document(&[&int("ping", 1), b"\x02$db\0\x02\0\0\0\xff\0"]);
    assert_eq!(refused(&op_msg(0, &[&body(&database)])), (73, "Invalid database name: '\u{fffd}'".to_owned()));
}

#[test]
fn a_checksum_is_checked_after_the_sections() {
    let sections = body(&ping());
    assert!(parse(&summed(0, &[&sections])).unwrap().command.is_ok());
    assert!(parse(&summed(0, &[&sections])).unwrap().envelope.checksum);
    assert_eq!(parse(&op_msg(1, &[&sections, b"abcd"])), Err(CloseReason::ChecksumMismatch));
    let no_db = body(&document(&[&int("ping", 1)]));
    assert_eq!(parse(&op_msg(1, &[&no_db, b"abcd"])), Err(CloseReason::ChecksumMismatch), "before $db");
    assert_eq!(refused(&op_msg(1, &[&sections, &sections, b"abcd"])).0, 40430, "but after the sections");
    assert_eq!(refused(&op_msg(1, &[&sections, &sequence("ping", &[]), b"abcd"])).0, 40433);
    let text = "Invalid message size for an OpMsg containing a checksum".to_owned();
    assert_eq!(refused(&op_msg(1, &[b"abcd"])), (51252, text));
}

#[test]
fn a_message_that_can_not_be_answered_closes() {
    let ping = body(&ping());
    let mut answer = op_msg(0, &[&ping]);
    answer[8] = 1;
    let mut both = op_msg(4, &[&ping]);
    both[8] = 1;
    let cases: Vec<(Vec<u8>, CloseReason)> = vec![
        (answer, CloseReason::ResponseTo(1)),
        (both, CloseReason::ResponseTo(1)),
        (op_msg(4, &[&ping]), CloseReason::IllegalFlags(4)),
        (op_msg(1 << 15, &[]), CloseReason::IllegalFlags(1 << 15)),
        (message(opcode::MSG, b"\0\0\0"), CloseReason::NotEnoughData),
        (message(opcode::QUERY, b"\0\0\0"), CloseReason::NotEnoughData),
        (message(opcode::QUERY, b"\0\0\0\0a.b"), CloseReason::NamespaceString),
        (message(opcode::GET_MORE, b""), CloseReason::NotEnoughData),
        (message(opcode::GET_MORE, b"\0\0\0\0a.b"), CloseReason::NamespaceString),
        (message(opcode::INSERT, b"\0\0\0\0a.b\0"), CloseReason::RemovedOpcode("OP_INSERT")),
        (message(opcode::REPLY, b""), CloseReason::UnknownOpcode(1)),
        (message(-1, b""), CloseReason::UnknownOpcode(-1)),
    ];
    for (message, reason) in cases {
        assert_eq!(parse(&message), Err(reason));
    }
    let text = "Message contains illegal flags value: Ob00000000000000000000000000000100";
    assert_eq!(CloseReason::IllegalFlags(4).to_string(), text);
}

#[test]
fn op_query_carries_the_handshake_only() {
    let hello = document(&[&int("hello", 1)]);
    let wrapped = document(&[&raw(3, "$query", &hello), &raw(3, "$readPreference", &document(&[]))]);
    for (query, size) in [(&hello, hello.len()), (&wrapped, hello.len())] {
        let message = op_query(4, "app.$cmd", 1, &[query, &hello]);
        let request = parse(&message).unwrap();
        let command = request.command.unwrap();
        assert_eq!((command.name, command.database, command.protocol), ("hello", "app", Protocol::Query));
        assert_eq!(command.body.as_bytes().len(), size);
    }
    for namespace in ["app.things", "$cmd", "a.b.$cmd", ""] {
        let message = op_query(0, namespace, 1, &[&hello]);
        assert_eq!(parse(&message).unwrap().command, Err(Refusal::LegacyOpcode { name: "OP_QUERY" }), "{namespace}");
    }
    let get_more = message(opcode::GET_MORE, b"\0\0\0\0a.b\0");
    assert_eq!(parse(&get_more).unwrap().command, Err(Refusal::LegacyOpcode { name: "OP_GET_MORE" }));
}

#[test]
fn op_query_is_judged_in_mongods_order() {
    let unsupported = |name: &str| {
        let text = "The client driver may require an upgrade. For more details see https://dochub.mongodb.org/core/legacy-opcode-removal";
        (352, format!("Unsupported OP_QUERY command: {name}. {text}"))
    };
    let refuse = |flags, number, documents: &[&[u8]]| refused(&op_query(flags, "admin.$cmd", number, documents));
    let ping = document(&[&int("ping", 1)]);
    let with_db = ping_with(&[]);
    let preference = raw(3, "$readPreference", &document(&[]));
    let twice = document(&[&raw(3, "$query", &document(&[&int("ping", 1), &preference])), &preference]);
    let exhaust = "The 'exhaust' OP_QUERY flag is invalid for commands: admin.$cmd { ping: 1, $db: \"admin\" }".to_owned();
    let number = "Bad numberToReturn (0) for $cmd type ns - can only be 1 or -1".to_owned();
    let bad = "Client Error: bad object in message: Unrecognized BSON type 32 in element with field name 'a' in object with unknown _id";
    assert_eq!(refuse(64, 0, &[&ping, &[0]]), (22, "Client Error: Remaining data too small for BSON object".to_owned()));
    assert_eq!(refuse(64, 0, &[&document(&[b"\x20a\0"])]), (22, bad.to_owned()));
    assert_eq!(refuse(64, 0, &[&with_db]), (18527, exhaust));
    assert_eq!(refuse(0, 0, &[&with_db]), (16979, number));
    let object = "invalid parameter: expected an object ($query)".to_owned();
    assert_eq!(refuse(0, 1, &[&document(&[&int("$query", 1)])]), (10065, object));
    assert_eq!(refuse(0, 1, &[&twice]), (72, "Duplicate readPreference found in command object.".to_owned()));
    assert_eq!(refuse(0, 1, &[&with_db]), (40621, "$db is not allowed in OP_QUERY requests".to_owned()));
    assert_eq!(refuse(0, 1, &[&ping]), unsupported("ping"));
    assert_eq!(refuse(0, 1, &[&document(&[])]), unsupported("$db"));
    assert_eq!(refuse(4, 1, &[&document(&[])]), unsupported("$readPreference"));
    let short = message(opcode::QUERY, b"\0\0\0\0admin.$cmd\0abcdefg");
    assert_eq!(refused(&short), (18634, "Not enough data to read".to_owned()));
}
