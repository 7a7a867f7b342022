//! The id of a cursor in a reply that streams past.
//!
//! Fed with the pieces of a reply as they come, whatever their size, it finds `cursor.id` behind a first batch of any size by
//! skipping lengths: it keeps a few bytes and never a value. It reads the upstream's replies, and never fails: what it can not read
//! holds no cursor. Source: fact sheet "The MongoDB wire protocol and driver behaviour", sections 1.4 and 1.6.

use super::element::kind;
use super::header::opcode;
use super::op_msg::BODY;

/// How much of a name is looked at; a longer one is none that matters.
const LONGEST_NAME: usize = 16;
/// The most bytes that one step needs: type, name, NUL, and the fixed part of a value; or the beginning of a message.
const LONGEST_STEP: usize = 32;
/// Header, flags, kind and the length of the body.
const BEGINNING: usize = 16 + 4 + 1 + 4;

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The beginning of the message.
    #[default]
    Beginning,
    /// An element of the body, or of its `cursor`.
    Element,
    /// The rest of a name that does not matter, up to its NUL; the value is of this kind.
    Name(u8),
    /// The value, of this kind, of a name that does not matter.
    Value(u8),
    /// As many texts up to a NUL.
    Texts(u8),
    /// Nothing that matters.
    Done,
}

/// Looks for a cursor's id in one reply.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplyCursor {
    state: State,
    in_cursor: bool,
    /// How many bytes are of no interest.
    skip: usize,
    /// A step whose end has not come yet.
    carried: [u8; LONGEST_STEP],
    carried_length: usize,
    id: Option<i64>,
    code: Option<i32>,
}

/// A step that is done: how many bytes it took, and how many more are of no interest.
struct Step {
    taken: usize,
    skip: usize,
    next: State,
}

impl ReplyCursor {
    /// At the beginning of a reply.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `cursor.id`, once it was seen; 0 says that the cursor is used up.
    #[must_use]
    pub const fn id(&self) -> Option<i64> {
        self.id
    }

    /// `code`, once it was seen: the reply is an error.
    #[must_use]
    pub const fn code(&self) -> Option<i32> {
        self.code
    }

    /// Looks at the next bytes of the reply.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.state != State::Done {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip = self.skip.saturating_sub(skipped);
                bytes = bytes.get(skipped..).unwrap_or_default();
            } else if self.carried_length > 0 {
                bytes = self.complete(bytes);
            } else if let Some(step) = self.step(bytes) {
                bytes = bytes.get(step.taken..).unwrap_or_default();
                self.apply(&step);
            } else {
                self.carry(bytes);
                return;
            }
        }
    }

    /// Adds to the carried bytes; gives what is left of `bytes`.
    fn complete<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let before = self.carried_length;
        self.carry(bytes);
        let carried = self.carried;
        match carried.get(..self.carried_length).and_then(|carried| self.step(carried)) {
            Some(step) => {
                self.carried_length = 0;
                self.apply(&step);
                bytes.get(step.taken.saturating_sub(before)..).unwrap_or_default()
            }
            None if self.carried_length == LONGEST_STEP => {
                self.state = State::Done;
                &[]
            }
            None => &[],
        }
    }

    fn carry(&mut self, bytes: &[u8]) {
        if let Some(room) = self.carried.get_mut(self.carried_length..) {
            let count = room.len().min(bytes.len());
            for (to, from) in room.iter_mut().zip(bytes) {
                *to = *from;
            }
            self.carried_length = self.carried_length.saturating_add(count);
        }
    }

    fn apply(&mut self, step: &Step) {
        self.state = step.next;
        self.skip = step.skip;
    }

    /// One step, or `None` when `bytes` do not hold all of it.
    fn step(&mut self, bytes: &[u8]) -> Option<Step> {
        let done = Step { taken: 0, skip: 0, next: State::Done };
        match self.state {
            State::Beginning => {
                let beginning: &[u8; BEGINNING] = bytes.first_chunk()?;
                let is_message = beginning.get(12..16) == Some(&opcode::MSG.to_le_bytes()) && beginning.get(20) == Some(&BODY);
                let next = if is_message { State::Element } else { State::Done };
                Some(Step { taken: BEGINNING, skip: 0, next })
            }
            State::Element => self.element(bytes),
            State::Name(kind) => Some(match bytes.iter().position(|&byte| byte == 0) {
                Some(end) => Step { taken: end.saturating_add(1), skip: 0, next: State::Value(kind) },
                None => Step { taken: bytes.len(), skip: 0, next: State::Name(kind) },
            }),
            State::Value(kind) => value(kind, bytes),
            State::Texts(0) => Some(Step { taken: 0, skip: 0, next: State::Element }),
            State::Texts(count) => Some(match bytes.iter().position(|&byte| byte == 0) {
                Some(end) => Step { taken: end.saturating_add(1), skip: 0, next: State::Texts(count.saturating_sub(1)) },
                None => Step { taken: bytes.len(), skip: 0, next: State::Texts(count) },
            }),
            State::Done => Some(done),
        }
    }

    fn element(&mut self, bytes: &[u8]) -> Option<Step> {
        let (&kind, rest) = bytes.split_first()?;
        if kind == kind::END {
            let next = if self.in_cursor { State::Element } else { State::Done };
            self.in_cursor = false;
            return Some(Step { taken: 1, skip: 0, next });
        }
        let looked_at = rest.get(..LONGEST_NAME).unwrap_or(rest);
        let Some(end) = looked_at.iter().position(|&byte| byte == 0) else {
            let too_long = rest.len() >= LONGEST_NAME;
            return too_long.then_some(Step { taken: 1 + LONGEST_NAME, skip: 0, next: State::Name(kind) });
        };
        let (name, after) = (rest.get(..end)?, rest.get(end.checked_add(1)?..)?);
        let taken = end.saturating_add(2);
        let fixed = |count: usize| Some(Step { taken: taken.saturating_add(count), skip: 0, next: State::Element });
        match (self.in_cursor, name, kind) {
            (false, b"cursor", kind::OBJECT) => {
                after.first_chunk::<4>()?;
                self.in_cursor = true;
                fixed(4)
            }
            (true, b"id", kind::LONG) => {
                self.id = self.id.or(Some(i64::from_le_bytes(*after.first_chunk()?)));
                fixed(8)
            }
            (false, b"code", kind::INT) => {
                self.code = self.code.or(Some(i32::from_le_bytes(*after.first_chunk()?)));
                fixed(4)
            }
            _ => {
                let value = value(kind, after)?;
                Some(Step { taken: taken.saturating_add(value.taken), ..value })
            }
        }
    }
}

/// The step over a value; its length is looked at, and nothing else of it.
fn value(kind: u8, bytes: &[u8]) -> Option<Step> {
    let over = |skip: usize| Some(Step { taken: 0, skip, next: State::Element });
    let counted = |more: i64| {
        let declared = i32::from_le_bytes(*bytes.first_chunk()?);
        let rest = usize::try_from(i64::from(declared).saturating_add(more));
        Some(rest.map_or(Step { taken: 4, skip: 0, next: State::Done }, |skip| Step { taken: 4, skip, next: State::Element }))
    };
    match kind {
        kind::UNDEFINED | kind::NULL | kind::MIN_KEY | kind::MAX_KEY => over(0),
        kind::BOOL => over(1),
        kind::INT => over(4),
        kind::DOUBLE | kind::DATE | kind::TIMESTAMP | kind::LONG => over(8),
        kind::OBJECT_ID => over(12),
        kind::DECIMAL => over(16),
        kind::STRING | kind::JAVASCRIPT | kind::SYMBOL => counted(0),
        kind::BINARY => counted(1),
        kind::DB_POINTER => counted(12),
        kind::OBJECT | kind::ARRAY | kind::JAVASCRIPT_WITH_SCOPE => counted(-4),
        kind::REGEX => Some(Step { taken: 0, skip: 0, next: State::Texts(2) }),
        _ => Some(Step { taken: 0, skip: 0, next: State::Done }),
    }
}

#[cfg(test)]
mod tests {
    use bson::raw::{RawDocument, RawDocumentBuf};
    use bson::{Binary, rawdoc};
    use proptest::prelude::*;

    use super::super::message::op_msg;
    use super::*;

    fn looked_at(message: &[u8], pieces: usize) -> (Option<i64>, Option<i32>) {
        let mut reply = ReplyCursor::new();
        message.chunks(pieces.max(1)).for_each(|piece| reply.feed(piece));
        (reply.id(), reply.code())
    }

    fn found(body: &RawDocument) -> (Option<i64>, Option<i32>) {
        let message = op_msg(1, 0, body);
        let whole = looked_at(&message, message.len());
        for pieces in 1..40 {
            assert_eq!(looked_at(&message, pieces), whole, "pieces of {pieces} bytes");
        }
        whole
    }

    fn long_names_and_every_kind() -> RawDocumentBuf {
        let mut body = rawdoc! {
            "a name that is longer than any that matters": 1, "double": 1.5, "text": "cursor", "document": { "id": 5_i64 },
            "array": [1, 2], "binary": Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![0; 99] },
            "objectId": bson::oid::ObjectId::new(), "bool": true, "date": bson::DateTime::from_millis(5), "null": null,
            "regex": bson::Regex { pattern: bson::raw::CString::try_from("a".repeat(50)).unwrap(), options: bson::raw::CString::try_from("i").unwrap() }, "int": 1, "long": 2_i64,
            "timestamp": bson::Timestamp { time: 1, increment: 2 }, "": "", "min": bson::RawBson::MinKey,
        };
        body.append(
            bson::raw::cstr!("cursor"),
            rawdoc! { "firstBatch": [{ "id": 3_i64 }], "atClusterTime": 1, "id": 77_i64, "ns": "app.t" },
        );
        body.append(bson::raw::cstr!("ok"), 1.0);
        body
    }

    #[test]
    fn the_id_is_found_wherever_it_stands_and_in_pieces_of_any_size() {
        let batch = "x".repeat(300);
        let cases = [
            (rawdoc! { "cursor": { "firstBatch": [{ "a": batch.as_str() }], "id": 42_i64, "ns": "app.t" }, "ok": 1.0 }, Some(42)),
            (rawdoc! { "cursor": { "id": -42_i64, "firstBatch": [] }, "ok": 1.0 }, Some(-42)),
            (rawdoc! { "ok": 1.0, "cursor": { "id": 0_i64, "nextBatch": [] } }, Some(0)),
            (long_names_and_every_kind(), Some(77)),
            (rawdoc! { "ok": 1.0, "id": 5_i64, "cursors": { "id": 5_i64 } }, None),
            (rawdoc! { "cursor": 5_i64, "id": 5_i64 }, None),
            (rawdoc! { "cursor": { "batch": { "id": 5_i64 } }, "id": 5_i64 }, None),
            (rawdoc! { "cursor": { "id": 5 } }, None),
            (rawdoc! {}, None),
        ];
        for (body, id) in cases {
            assert_eq!(found(&body), (id, None), "{body:?}");
        }
    }

    #[test]
    fn the_code_of_an_error_is_found() {
        let body = rawdoc! { "ok": 0.0, "errmsg": "cursor id 5 not found", "code": 43, "codeName": "CursorNotFound" };
        assert_eq!(found(&body), (None, Some(43)));
    }

    #[test]
    fn what_is_no_message_holds_no_cursor() {
        let mut message = op_msg(1, 0, &rawdoc! { "cursor": { "id": 5_i64 } });
        message[12] = 1;
        assert_eq!(looked_at(&message, 7), (None, None));
    }

    proptest! {
        #[test]
        fn how_any_bytes_are_cut_never_matters(
            bytes in proptest::collection::vec(prop_oneof![0..20_u8, any::<u8>()], 0..300),
            cut in 1..50_usize,
        ) {
            let message = [&op_msg(1, 0, &rawdoc! {})[..21], &bytes].concat();
            prop_assert_eq!(looked_at(&message, cut), looked_at(&message, message.len()));
            prop_assert_eq!(looked_at(&bytes, cut), looked_at(&bytes, bytes.len().max(1)));
        }

        #[test]
        fn an_id_among_any_fields_is_found(
            before in proptest::collection::vec(("[a-z]{0,30}\0", 0..200_usize), 0..5), id in any::<i64>(), cut in 1..50_usize,
        ) {
            let mut body = RawDocumentBuf::new();
            for (name, length) in &before {
                let name = format!("x{}", name.trim_end_matches('\0'));
                body.append(bson::raw::CString::try_from(name).unwrap(), "y".repeat(*length));
            }
            body.append(bson::raw::cstr!("cursor"), rawdoc! { "firstBatch": [], "id": id });
            let message = op_msg(1, 0, &body);
            prop_assert_eq!(looked_at(&message, cut), (Some(id), None));
        }
    }
}
