//! What a connection by certificate costs after the handshake: its name, its identity, its membership.

use std::hint::black_box;

use base64::Engine;
use criterion::{Criterion, criterion_group, criterion_main};
use doorward::x509::{Certificate, DistinguishedName, MembershipRule, PeerIdentity};

/// The certificate of this name in the corpus.
fn certificate(name: &str) -> Vec<u8> {
    let prefix = format!("{{\"name\": \"{name}\", \"der_b64\": \"");
    let row = include_str!("../tests/data/dn-corpus.jsonl").lines().find_map(|line| line.strip_prefix(&prefix));
    let base64 = row.and_then(|row| row.split('"').next()).unwrap_or_default();
    base64::engine::general_purpose::STANDARD.decode(base64).unwrap_or_default()
}

fn names(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("x509/name");
    for label in ["usual-root-first", "dc-chain", "val-nfd", "len-cn-16000", "len-200-ou"] {
        let der = certificate(label);
        let Ok(parsed) = Certificate::parse(&der) else { continue };
        group.bench_function(label, |bencher| bencher.iter(|| DistinguishedName::from_der(black_box(parsed.subject_der()))));
    }
    group.finish();
}

fn identity(criterion: &mut Criterion) {
    let der = certificate("usual-root-first");
    criterion.bench_function("x509/identity", |bencher| bencher.iter(|| PeerIdentity::from_der(black_box(&der), true)));
}

fn membership(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("x509/membership");
    let Ok(peer) = PeerIdentity::from_der(&certificate("usual-root-first"), true) else { return };
    let by_subject = MembershipRule::by_server_subject(&peer.subject);
    group.bench_function("by-subject", |bencher| bencher.iter(|| by_subject.is_member(black_box(&peer))));
    if let Ok(by_attributes) = MembershipRule::by_attributes("OU=Unit,O=Org") {
        group.bench_function("by-attributes", |bencher| bencher.iter(|| by_attributes.is_member(black_box(&peer))));
    }
    let name = peer.subject.as_str();
    group.bench_function("name-for-create-user", |bencher| bencher.iter(|| by_subject.is_member_name(black_box(name))));
    group.finish();
}

criterion_group!(benches, names, identity, membership);
criterion_main!(benches);
