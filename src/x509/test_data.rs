//! Certificates and names for the tests of this module: the corpora that a mongod 6.0.5 judged, and small builders of DER.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::der::{CONTEXT, Reader};

/// The rows of a corpus.
pub(super) fn rows(corpus: &str) -> Vec<Value> {
    corpus.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(super) fn dn_corpus() -> Vec<Value> {
    rows(include_str!("../../tests/data/dn-corpus.jsonl"))
}

pub(super) fn membership_corpus() -> Vec<Value> {
    rows(include_str!("../../tests/data/membership-corpus.jsonl"))
}

pub(super) fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap()
}

pub(super) fn der(row: &Value, field: &str) -> Vec<u8> {
    STANDARD.decode(text(row, field)).unwrap()
}

/// The certificate of this name in the corpus of DNs.
pub(super) fn certificate(name: &str) -> Vec<u8> {
    der(dn_corpus().iter().find(|row| text(row, "name") == name).unwrap(), "der_b64")
}

pub(super) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match u16::try_from(content.len()).unwrap() {
        short @ 0..128 => vec![short.to_be_bytes()[1]],
        long => [&[0x82], &long.to_be_bytes()[..]].concat(),
    };
    [&[tag], &length[..], content].concat()
}

/// The content octets of an OID, the tag of a value, the value.
type Pair<'a> = (&'a [u8], u8, &'a [u8]);

/// A Name of these RDNs.
pub(super) fn name(rdns: &[&[Pair<'_>]]) -> Vec<u8> {
    let pair = |(oid, tag, value): &Pair<'_>| tlv(0x30, &[tlv(6, oid), tlv(*tag, value)].concat());
    let rdn = |pairs: &&[Pair<'_>]| tlv(0x31, &pairs.iter().map(pair).collect::<Vec<_>>().concat());
    tlv(0x30, &rdns.iter().map(rdn).collect::<Vec<_>>().concat())
}

/// The certificate with these extensions instead of its own; the signature does not fit any more.
pub(super) fn with_extensions(certificate: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut fields = Reader::new(certificate).sequence().unwrap().children();
    let mut signed_fields = fields.sequence().unwrap().children();
    let mut signed = Vec::new();
    while let Some(field) = signed_fields.next().unwrap() {
        if !field.is(CONTEXT, 3) {
            signed.extend_from_slice(field.whole());
        }
    }
    signed.extend(tlv(0xa3, &tlv(0x30, &extensions.concat())));
    let mut whole = tlv(0x30, &signed);
    while let Some(field) = fields.next().unwrap() {
        whole.extend_from_slice(field.whole());
    }
    tlv(0x30, &whole)
}
