//! What the codec costs per message. `head` is on the path of every forwarded request; the others are on the path of logins and errors.
#![expect(clippy::unwrap_used, reason = "a bench stops at the first surprise")]

use std::hint::black_box;

use bson::RawDocumentBuf;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use doorward::wire::compressed::{Compressor, compress, unwrap};
use doorward::wire::head::{HeadState, peek};
use doorward::wire::header::Header;
use doorward::wire::message::{ReplyHead, op_msg};
use doorward::wire::request::parse;
use doorward::wire::{MAX_MESSAGE_SIZE, checksum::Checksum};

/// A find as drivers send it: `$db` behind the arguments, the session behind `$db`.
fn find() -> Vec<u8> {
    let id = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![7; 16] };
    let body = bson::rawdoc! {
        "find": "orders",
        "filter": { "customer": "c-1029", "state": { "$in": ["open", "paid"] } },
        "sort": { "at": -1 },
        "limit": 20,
        "lsid": { "id": id },
        "$db": "shop",
        "$readPreference": { "mode": "primaryPreferred" },
    };
    op_msg(1, 0, &body)
}

/// A document of many small fields, with its `$db` at the end.
fn wide() -> Vec<u8> {
    let mut body = RawDocumentBuf::new();
    body.append(bson::raw::cstr!("ping"), 1);
    for number in 0..10_000 {
        body.append(bson::raw::CString::try_from(format!("field{number}")).unwrap(), "some text of usual length");
    }
    body.append(bson::raw::cstr!("$db"), "shop");
    op_msg(1, 0, &body)
}

fn heads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("head");
    for (name, message) in [("find", find()), ("wide", wide())] {
        group.throughput(Throughput::Bytes(message.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let header = Header::peek(black_box(&message), MAX_MESSAGE_SIZE).unwrap().unwrap();
                match peek(&header, &message).unwrap() {
                    HeadState::Ready { request, consumed } => (request.command.unwrap().database.len(), consumed),
                    HeadState::NeedMore { total } => (0, total),
                }
            });
        });
    }
    let reply = op_msg(1, 2, &bson::rawdoc! { "ok": 1.0 });
    group.bench_function("reply", |bencher| {
        bencher.iter(|| ReplyHead::peek(black_box(&reply), MAX_MESSAGE_SIZE).unwrap().unwrap().more_to_come());
    });
    group.finish();
}

fn whole_messages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for (name, message) in [("find", find()), ("wide", wide())] {
        group.throughput(Throughput::Bytes(message.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| parse(black_box(&message)).unwrap().command.is_ok()));
    }
    group.finish();
}

fn replies(criterion: &mut Criterion) {
    let message = find();
    let envelope = parse(&message).unwrap().envelope;
    let body = bson::rawdoc! { "ok": 1.0, "n": 1 };
    criterion.bench_function("reply", |bencher| bencher.iter(|| envelope.reply(7, black_box(&body), true)));
}

fn transformations(criterion: &mut Criterion) {
    let message = wide();
    let mut group = criterion.benchmark_group("transform");
    group.throughput(Throughput::Bytes(message.len() as u64));
    group.bench_function("checksum", |bencher| bencher.iter(|| Checksum::of(black_box(&message))));
    for compressor in [Compressor::Snappy, Compressor::Zlib, Compressor::Zstd] {
        let wrapped = compress(compressor, &message).unwrap();
        group.bench_function(format!("compress {}", compressor.name()), |bencher| {
            bencher.iter(|| compress(compressor, black_box(&message)).unwrap());
        });
        group.bench_function(format!("unwrap {}", compressor.name()), |bencher| {
            bencher.iter(|| unwrap(black_box(&wrapped), MAX_MESSAGE_SIZE).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, heads, whole_messages, replies, transformations);
criterion_main!(benches);
