//! Replies as the client's request wants them: same opcode, checksum, compressor.
//!
//! Source: fact sheet "The MongoDB wire protocol and driver behaviour", sections 1.3, 1.5, 1.6 and 3.

use bson::raw::RawDocument;
use bson::rawdoc;

use super::command::Protocol;
use super::compressed::compress;
use super::message::{self, Flags};
use super::request::{Envelope, Refusal};

/// The flag of every `OP_REPLY`: the server knows how to await data.
const AWAIT_CAPABLE: i32 = 8;
/// The flag of an `OP_REPLY` that is an error in the old shape.
const QUERY_FAILURE: i32 = 2;

impl Envelope {
    /// The whole reply message: the opcode that fits, a checksum when the request had one and the connection is `plaintext`, compressed
    /// when the request was.
    ///
    /// Not to be sent when [`more_to_come`](Self::more_to_come) is set.
    #[must_use]
    pub fn reply(&self, reply_id: i32, body: &RawDocument, plaintext: bool) -> Vec<u8> {
        self.exhaust_reply(reply_id, self.request_id, body, false, plaintext)
    }

    /// One of several replies. `more_to_come` says that another follows; `response_to` is the request's number for the first and the
    /// number of the reply before for the others.
    #[must_use]
    pub fn exhaust_reply(
        &self,
        reply_id: i32,
        response_to: i32,
        body: &RawDocument,
        more_to_come: bool,
        plaintext: bool,
    ) -> Vec<u8> {
        let message = match self.protocol {
            Protocol::Message => {
                let flags = Flags { checksum: self.checksum && plaintext, more_to_come };
                message::op_msg_reply(reply_id, response_to, flags, body)
            }
            Protocol::Query => message::op_reply(reply_id, response_to, AWAIT_CAPABLE, body),
        };
        self.compressed(message)
    }

    /// The whole reply message for a refusal.
    #[must_use]
    pub fn refuse(&self, reply_id: i32, refusal: &Refusal, plaintext: bool) -> Vec<u8> {
        match refusal {
            Refusal::Command(error) => self.reply(reply_id, &error.to_reply(), plaintext),
            Refusal::LegacyOpcode { name } => {
                let text = format!(
                    "{name} is no longer supported. The client driver may require an upgrade. \
                     For more details see https://dochub.mongodb.org/core/legacy-opcode-removal"
                );
                let body = rawdoc! { "$err": text, "code": 5_739_101, "ok": 0.0 };
                self.compressed(message::op_reply(reply_id, self.request_id, QUERY_FAILURE, &body))
            }
        }
    }

    /// The message, compressed as the request was. Should that fail, the message as it is: every client takes that.
    fn compressed(&self, message: Vec<u8>) -> Vec<u8> {
        match self.compressor {
            Some(compressor) => compress(compressor, &message).unwrap_or(message),
            None => message,
        }
    }
}
