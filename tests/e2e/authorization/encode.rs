//! Commands with their placeholders filled in, as bytes, because a document here may have two fields of one name.

use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document};
use sha2::Digest;

use super::data::User;
use crate::support::wire::{Message, OP_MSG};

/// What the placeholders of a command stand for.
pub(crate) struct Values<'a> {
    pub(crate) user: &'a User,
    pub(crate) cursor: i64,
}

/// The OP_MSG of a command.
pub(crate) fn message(
    request_id: i32,
    database: &str,
    command: &Document,
    sequence: Option<&(String, Vec<Document>)>,
    values: &Values<'_>,
) -> Message {
    let mut fields = elements(command.iter(), values);
    fields.extend(element("$db", &Bson::String(values.text(database)), values));
    let mut body = vec![0; 5];
    body.extend(framed(&fields));
    let message = Message { request_id, response_to: 0, opcode: OP_MSG, body };
    match sequence {
        Some((identifier, documents)) => message.with_sequence(identifier, documents),
        None => message,
    }
}

impl Values<'_> {
    fn text(&self, text: &str) -> String {
        text.replace("<userDatabase>", &self.user.database).replace("<user>", &self.user.name)
    }

    fn fill(&self, value: &Bson) -> Bson {
        match value {
            Bson::String(text) if text == "<cursor>" => Bson::Int64(self.cursor),
            Bson::String(text) if text == "<digest>" => Bson::Binary(self.digest()),
            Bson::String(text) => Bson::String(self.text(text)),
            other => other.clone(),
        }
    }

    fn digest(&self) -> Binary {
        let name = format!("{}@{}", self.user.name, self.user.database);
        Binary { subtype: BinarySubtype::Generic, bytes: sha2::Sha256::digest(name).to_vec() }
    }
}

fn elements<'a>(fields: impl Iterator<Item = (&'a String, &'a Bson)>, values: &Values<'_>) -> Vec<u8> {
    fields.flat_map(|(name, value)| element(name.trim_end_matches("#2"), value, values)).collect()
}

fn element(name: &str, value: &Bson, values: &Values<'_>) -> Vec<u8> {
    let nested = |kind: u8, fields: Vec<u8>| [&[kind], name.as_bytes(), &[0], &framed(&fields)].concat();
    match value {
        Bson::Document(document) => nested(3, elements(document.iter(), values)),
        Bson::Array(items) => {
            let fields = items.iter().enumerate().flat_map(|(index, item)| element(&index.to_string(), item, values));
            nested(4, fields.collect())
        }
        scalar => {
            let mut single = Document::new();
            single.insert(name, values.fill(scalar));
            let bytes = single.to_vec().expect("a document");
            bytes[4..bytes.len() - 1].to_vec()
        }
    }
}

fn framed(fields: &[u8]) -> Vec<u8> {
    let length = i32::try_from(fields.len() + 5).expect("below 2 GiB");
    [&length.to_le_bytes(), fields, &[0]].concat()
}
