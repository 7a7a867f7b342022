//! What it costs that cursors and logical sessions belong to users: naming the user in a message, and watching a reply.
#![expect(clippy::unwrap_used, reason = "a bench stops at the first surprise")]

use std::hint::black_box;

use bson::{Binary, rawdoc, spec::BinarySubtype};
use criterion::{Criterion, criterion_group, criterion_main};
use doorward::authz::rewrite::Rewrite;
use doorward::wire::message::op_msg;
use doorward::wire::reply_cursor::ReplyCursor;

fn bench(criterion: &mut Criterion) {
    let id = Binary { subtype: BinarySubtype::Uuid, bytes: vec![1; 16] };
    let body = rawdoc! { "find": "t", "filter": { "a": 1 }, "limit": 1_i64, "lsid": { "id": id }, "$db": "app" };
    let digest = [7; 32];
    criterion.bench_function("find the logical session of a find", |bencher| {
        bencher.iter(|| Rewrite::naming(black_box(body.as_bytes()), &digest).unwrap());
    });
    let reply = |documents: usize| {
        let mut batch = bson::raw::RawArrayBuf::new();
        (0..documents).for_each(|_| batch.push(rawdoc! { "_id": 1, "text": "x".repeat(200).as_str() }));
        op_msg(1, 0, &rawdoc! { "cursor": { "firstBatch": batch, "id": 0_i64, "ns": "app.t" }, "ok": 1.0 })
    };
    for (name, message) in [("1 document", reply(1)), ("101 documents", reply(101))] {
        criterion.bench_function(&format!("watch a find reply of {name}"), |bencher| {
            bencher.iter(|| {
                let mut reply = ReplyCursor::new();
                reply.feed(black_box(&message));
                reply.id()
            });
        });
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
