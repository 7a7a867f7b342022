//! What a client is told that may not run a command.
//!
//! The command's document is printed as mongod prints it; the document sequences beside it are not. Passwords never appear. A text
//! can be several times larger than the command; what mongod could not send is not built here either.
//!
//! Source: fact sheet "Authentication and authorization semantics", section 8.2; a mongod 6.0.5, by texts of every BSON type and size.

use crate::error::{CommandError, ErrorCode};
use crate::wire::MAX_DOCUMENT_SIZE;
use crate::wire::command::Command;
use crate::wire::element::{Element, Elements, kind};
use crate::wire::text::{self, Out};

/// How long a text mongod builds at most, in bytes.
const MOST_BUILT: usize = 64 * 1024 * 1024;

/// How many bytes mongod's reply has beside the text when it looks at its size.
const AROUND_TEXT: usize = 55;

/// The longest text that fits into a reply, in bytes.
#[expect(clippy::as_conversions, reason = "in a constant; a usize holds every u32 here")]
const MOST_SENT: usize = MAX_DOCUMENT_SIZE as usize - AROUND_TEXT;

/// What is shown in the place of a field: no password, and only how many where a write has several statements.
fn instead(command: &str, element: &Element<'_>) -> Option<String> {
    match (command, element.name) {
        ("createUser" | "updateUser", b"pwd") => Some("\"xxx\"".to_owned()),
        ("insert", b"documents") | ("update", b"updates") | ("delete", b"deletes")
            if matches!(element.kind, kind::ARRAY | kind::OBJECT) =>
        {
            let count = Elements::of(element.value).count();
            (count > 1).then(|| count.to_string())
        }
        _ => None,
    }
}

/// `not authorized on <database> to execute command <document>`.
#[must_use]
pub fn not_authorized(command: &Command<'_>) -> CommandError {
    let mut out = Out::default();
    for part in ["not authorized on ", command.database, " to execute command "] {
        out.push_str(part);
    }
    text::document_with(&mut out, command.body.as_bytes(), |element| instead(command.name, element));
    let (text, length) = out.finish();
    if length > MOST_BUILT {
        let text = format!("BufBuilder attempted to grow() to {length} bytes, past the 64MB limit.");
        return CommandError::new(ErrorCode::Location(13548), text);
    }
    if length > MOST_SENT {
        let size = length.saturating_add(AROUND_TEXT);
        let text = format!(
            "BSONObj size: {size} (0x{size:X}) is invalid. Size must be between 0 and {MAX_DOCUMENT_SIZE}(16MB) First element: code: 13"
        );
        return CommandError::new(ErrorCode::BSONObjectTooLarge, text);
    }
    CommandError::new(ErrorCode::Unauthorized, text)
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use bson::raw::{RawBson, RawDocument, RawDocumentBuf, cstr};
    use bson::rawdoc;
    use proptest::prelude::*;

    use super::*;

    fn refused(body: &RawDocument) -> CommandError {
        let first = body.iter_elements().next().unwrap().unwrap();
        let database = body.get_str("$db").unwrap_or("admin");
        let name = first.key().as_str();
        not_authorized(&Command::new(name, database, body))
    }

    fn document_of(elements: &[u8]) -> RawDocumentBuf {
        let length = i32::try_from(elements.len() + 5).unwrap();
        RawDocumentBuf::from_bytes([&length.to_le_bytes(), elements, &[0]].concat()).unwrap()
    }

    #[test]
    fn every_text_of_the_corpus_is_mongods() {
        let corpus = include_str!("../../tests/data/unauthorized-text-corpus.jsonl");
        let mut count = 0;
        for line in corpus.lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| case[name].as_str().unwrap_or_default();
            // One is refused for its database before privileges are looked at.
            if case["code"] == 13 {
                let body = RawDocumentBuf::from_bytes(STANDARD.decode(text("command_bson_b64")).unwrap()).unwrap();
                assert_eq!(refused(&body).errmsg(), text("errmsg"), "{}", text("name"));
            }
            count += 1;
        }
        assert_eq!(count, 81);
    }

    #[test]
    fn a_password_is_hidden_only_where_mongod_knows_that_it_is_one() {
        for command in ["createUser", "updateUser"] {
            let mut body = RawDocumentBuf::new();
            body.append(<&bson::raw::CStr>::try_from(command).unwrap(), "u");
            body.append(cstr!("customData"), rawdoc! { "pwd": "shown" });
            body.append(cstr!("pwd"), "hidden");
            let expected = format!(
                "not authorized on admin to execute command {{ {command}: \"u\", customData: {{ pwd: \"shown\" }}, pwd: \"xxx\" }}"
            );
            assert_eq!(refused(&body).errmsg(), expected);
        }
        let text = "not authorized on admin to execute command { setParameter: 1, pwd: \"shown\" }";
        assert_eq!(refused(&rawdoc! { "setParameter": 1, "pwd": "shown" }).errmsg(), text);
    }

    #[test]
    fn what_is_more_than_a_hundred_documents_inside_is_left_out() {
        let nested = |count: usize| {
            let mut document = rawdoc! { "z": 1 };
            for _ in 0..count {
                document = rawdoc! { "a": document };
            }
            refused(&rawdoc! { "find": "x", "v": document }).errmsg().to_owned()
        };
        assert!(nested(99).contains("{ z: 1 }"));
        assert!(nested(100).contains("{ a: { ... } }"));
        assert_eq!(nested(150).matches("...").count(), 1);
    }

    #[test]
    fn a_text_that_is_too_long_for_a_reply_is_mongods_error_for_that() {
        let many = |count: usize| {
            let elements = [b"\x02find\0\x02\0\0\0x\0\x03v\0".as_slice(), &document_of(&[255, 0].repeat(count)).into_bytes()];
            let tail = b"\x02$db\0\x04\0\0\0app\0";
            refused(&document_of(&[&elements.concat(), tail.as_slice()].concat()))
        };
        assert_eq!(many(1 << 19).errmsg().len(), 5_242_953);
        assert_eq!(
            many(1 << 21).errmsg(),
            "BSONObj size: 20971648 (0x1400080) is invalid. Size must be between 0 and 16793600(16MB) First element: code: 13"
        );
        assert_eq!(many(1 << 23).code(), ErrorCode::Location(13548));
    }

    #[test]
    fn a_string_that_is_cut_within_a_character_stays_readable() {
        let text = refused(&rawdoc! { "find": "x", "v": format!("a{}", "é".repeat(100)) }).errmsg().to_owned();
        assert!(text.ends_with("é\u{fffd}...\" }"), "{text}");
    }

    fn value() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), 0..60)
    }

    proptest! {
        #[test]
        fn no_document_makes_it_panic(kinds in proptest::collection::vec((any::<u8>(), value()), 0..6)) {
            let mut elements = b"\x02find\0\x02\0\0\0x\0".to_vec();
            for (kind, value) in kinds {
                elements.extend([kind, b'k', 0]);
                elements.extend(value);
            }
            let body = document_of(&elements);
            let error = not_authorized(&Command::new("find", "app", &body));
            let is_begun = error.errmsg().starts_with("not authorized on app to execute command { find: \"x\"");
            prop_assert!(is_begun, "{}", error);
        }

        #[test]
        fn a_document_of_this_crate_is_printed_whole(number in any::<i64>(), text in "[a-z]{0,20}") {
            let body = rawdoc! { "find": text.as_str(), "n": RawBson::Int64(number) };
            let expected = format!("not authorized on admin to execute command {{ find: \"{text}\", n: {number} }}");
            let error = refused(&body);
            prop_assert_eq!(error.errmsg(), expected);
        }
    }
}
