use proptest::prelude::*;

use super::*;
use crate::tls::corpus::servers;
use crate::tls::pki::{Authority, DAY, Key, Kind, Template, ca, integer, tlv};
use crate::tls::testing::NOW;
use crate::tls::verdict::{Anchors, Trust, Valid};
use crate::tls::{Purpose, RevocationLists, provider};

fn chain(certificates: &[Vec<u8>]) -> Vec<CertificateDer<'static>> {
    certificates.iter().map(|der| CertificateDer::from(der.clone())).collect()
}

/// As much of a certificate as matters here, after `signed` with bytes that are not signed.
fn certificate(signed: u32, unsigned: u32) -> Vec<u8> {
    tlv(0x30, &[tlv(0x30, &integer(signed)), integer(unsigned)].concat())
}

fn identity() -> Arc<PeerIdentity> {
    let root = Authority::ordinary("root", Kind::Ed25519, NOW);
    Arc::new(PeerIdentity::from_der(&root.der, false).unwrap())
}

#[test]
fn a_chain_is_known_byte_for_byte_and_in_its_time_only() {
    let known = KnownChains::default();
    let (leaf, above, other) = (certificate(1, 1), certificate(2, 1), certificate(3, 1));
    let sent = chain(&[leaf.clone(), above.clone()]);
    known.insert(&sent, 10..20, &identity());
    for (now, is_known) in [(9, false), (10, true), (19, true), (20, false)] {
        assert_eq!(known.get(&sent, now).is_some(), is_known, "{now}");
    }
    let others: [&[Vec<u8>]; 7] = [
        &[],
        std::slice::from_ref(&leaf),
        &[leaf.clone(), other.clone()],
        &[leaf.clone(), above.clone(), other],
        &[above.clone(), leaf.clone()],
        &[certificate(1, 2), above.clone()],
        &[leaf.clone(), above, Vec::new()],
    ];
    for other in others {
        assert_eq!(known.get(&chain(other), 15), None, "{other:?}");
    }
}

#[test]
fn where_one_certificate_ends_and_the_next_begins_matters() {
    let known = KnownChains::default();
    let (leaf, above) = (certificate(1, 1), certificate(2, 1));
    known.insert(&chain(&[leaf.clone(), above.clone()]), 10..20, &identity());
    assert_eq!(known.get(&chain(&[[leaf, above].concat()]), 15), None);
}

#[test]
fn one_certificate_has_one_place_whatever_is_sent_around_it() {
    let known = KnownChains::default();
    let identity = identity();
    for number in 0..100 {
        known.insert(&chain(&[certificate(1, number), certificate(2, number)]), 10..20, &identity);
    }
    assert_eq!(known.len(), 1);
    assert!(known.get(&chain(&[certificate(1, 99), certificate(2, 99)]), 15).is_some());
    assert!(known.get(&chain(&[certificate(1, 98), certificate(2, 98)]), 15).is_none());
}

#[test]
fn the_memory_is_bounded_and_with_more_clients_than_places_some_are_known() {
    let known = KnownChains::default();
    let identity = identity();
    let most = u32::try_from(PARTS * MOST_IN_A_PART).unwrap();
    for number in 0..most * 3 / 2 {
        known.insert(&chain(&[certificate(number, 1)]), 10..20, &identity);
    }
    assert!(known.len() <= PARTS * MOST_IN_A_PART);
    let early = (0..most / 2).filter(|number| known.get(&chain(&[certificate(*number, 1)]), 15).is_some()).count();
    assert!(early > 100, "{early} of the first are known");
}

#[test]
fn what_is_too_large_or_no_certificate_is_not_remembered() {
    let known = KnownChains::default();
    let large = tlv(0x30, &tlv(0x30, &vec![0; LARGEST]));
    for odd in [large, vec![], vec![0x30, 0], vec![1, 2, 3]] {
        let sent = chain(&[odd]);
        known.insert(&sent, 10..20, &identity());
        assert_eq!((known.get(&sent, 15), known.len()), (None, 0));
    }
}

#[test]
fn with_the_memory_no_verdict_of_the_corpus_is_another_at_any_time() {
    let provider = provider();
    let algorithms = provider.signature_verification_algorithms.all;
    let (identity, mut hits) = (identity(), 0);
    for server in servers(NOW) {
        let anchors = Anchors::new(server.authorities.iter().map(Vec::as_slice)).unwrap();
        let lists = server.lists.as_ref().map(|lists| RevocationLists::new(lists.iter().map(Vec::as_slice)).unwrap());
        let trust = Trust { anchors: &anchors, revocation_lists: lists.as_ref(), purpose: Purpose::Client, algorithms };
        let known = KnownChains::default();
        // The dates of the corpus are whole days around now; there and back, and each moment twice.
        let moments = (-3..=13).flat_map(|day| [-1, 0, 0, 1].map(|second| NOW + day * DAY + second));
        for now in moments.clone().chain(moments.rev()) {
            for case in &server.cases {
                let sent = chain(&case.chain);
                let verdict = trust.verify(&sent, now);
                if known.get(&sent, now).is_some() {
                    hits += 1;
                    assert!(verdict.is_ok(), "{}: {} at {}", server.name, case.name, now - NOW);
                }
                if let Ok(Valid { holds, .. }) = verdict {
                    assert!(holds.contains(&now));
                    known.insert(&sent, holds, &identity);
                    assert!(known.get(&sent, now).is_some(), "{}: {}", server.name, case.name);
                }
            }
        }
    }
    assert!(hits > 1000, "{hits}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Three authorities of one name, of which the first that is current is taken, and a leaf: dates decide the way and the verdict.
    #[test]
    fn a_verdict_is_the_same_for_as_long_as_it_says(
        dates in prop::collection::vec((0_i64..12, 1_i64..12), 4),
        moments in prop::collection::vec(0_i64..24, 12),
    ) {
        let date = |(begin, length): (i64, i64)| (NOW + begin * DAY, NOW + (begin + length) * DAY);
        let (key, other) = (Key::new(Kind::Ed25519), Key::new(Kind::Ed25519));
        let root = |(begin, end), key: &Key| {
            Authority::root(&Template::new("root", NOW).with(ca(None)).dates(begin, end), key.clone())
        };
        let roots = [root(date(dates[0]), &key), root(date(dates[1]), &other), root(date(dates[2]), &key)];
        let (begin, end) = date(dates[3]);
        let leaf = roots[0].issue(&Template::new("alice", NOW).dates(begin, end), &Key::new(Kind::Ed25519));
        let anchors = Anchors::new(roots.iter().map(|root| root.der.as_slice())).unwrap();
        let provider = provider();
        let algorithms = provider.signature_verification_algorithms.all;
        let trust = Trust { anchors: &anchors, revocation_lists: None, purpose: Purpose::Client, algorithms };
        let sent = chain(&[leaf]);
        for moment in &moments {
            let Ok(valid) = trust.verify(&sent, NOW + moment * DAY) else { continue };
            for later in &moments {
                for second in [-1, 0, 1] {
                    let now = NOW + later * DAY + second;
                    if valid.holds.contains(&now) {
                        prop_assert_eq!(trust.verify(&sent, now), Ok(valid.clone()));
                    }
                }
            }
        }
    }
}
