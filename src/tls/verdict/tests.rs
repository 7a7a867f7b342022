use proptest::prelude::*;

use super::*;
use crate::tls::corpus::{Case, Server, servers};
use crate::tls::pki::{Authority, Key, Kind, Template, ca, tlv};
use crate::tls::testing::NOW;
use crate::tls::{Purpose, provider};

fn judge(anchors: &Anchors, lists: Option<&RevocationLists>, purpose: Purpose, chain: &[Vec<u8>]) -> Verdict {
    let provider = provider();
    let algorithms = provider.signature_verification_algorithms.all;
    let sent: Vec<CertificateDer<'_>> = chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    Trust { anchors, revocation_lists: lists, purpose, algorithms }.judge(&sent, NOW)
}

fn anchors(authorities: &[Vec<u8>]) -> Anchors {
    Anchors::new(authorities.iter().map(Vec::as_slice)).unwrap()
}

fn of_case(server: &Server, case: &Case) -> Verdict {
    let lists = server.lists.as_ref().map(|lists| RevocationLists::new(lists.iter().map(Vec::as_slice)).unwrap());
    judge(&anchors(&server.authorities), lists.as_ref(), Purpose::Client, &case.chain)
}

#[test]
fn the_verdict_is_mongods_for_the_whole_corpus() {
    // Where doorward differs on purpose; the reasons are beside the comparison with a real mongod.
    let own = |case: &Case| match case.name {
        "proxy certificate" => Some("proxy certificates not allowed, please set the appropriate flag"),
        "twenty intermediates" => Some("certificate chain too long"),
        _ => case.reason,
    };
    let servers = servers(NOW);
    assert!(servers.iter().map(|server| server.cases.len()).sum::<usize>() >= 100);
    for server in &servers {
        for case in &server.cases {
            let reason = match of_case(server, case) {
                Verdict::Valid => None,
                Verdict::Invalid(reason) => Some(reason.to_string()),
            };
            assert_eq!(reason.as_deref(), own(case), "{}: {}", server.name, case.name);
            let leaf = Certificate::parse(&case.chain[0]).unwrap();
            assert_eq!(leaf.key.der, case.key.spki, "{}: {}: the client could not show this", server.name, case.name);
        }
    }
}

#[test]
fn every_changed_bit_of_a_signed_part_makes_a_certificate_invalid() {
    let root = Authority::ordinary("root", Kind::Ed25519, NOW);
    let leaf = root.issue(&Template::new("alice", NOW), &Key::new(Kind::Ed25519));
    let anchors = anchors(std::slice::from_ref(&root.der));
    assert_eq!(judge(&anchors, None, Purpose::Client, std::slice::from_ref(&leaf)), Verdict::Valid);
    for position in 0..leaf.len() * 8 {
        let mut changed = leaf.clone();
        changed[position / 8] ^= 1 << (position % 8);
        assert_ne!(judge(&anchors, None, Purpose::Client, &[changed]), Verdict::Valid, "bit {position}");
    }
}

#[test]
fn an_rsa_key_below_2048_bits_is_too_weak() {
    let root = Authority::ordinary("root", Kind::P256, NOW);
    let modulus = [vec![0], vec![0xc5; 128]].concat();
    let bits = tlv(0x30, &[tlv(2, &modulus), tlv(2, &[1, 0, 1])].concat());
    let rsa = [tlv(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]), tlv(5, &[])].concat();
    let spki = tlv(0x30, &[tlv(0x30, &rsa), tlv(3, &[vec![0], bits].concat())].concat());
    let leaf = Template::new("alice", NOW).issue(&spki, "root", &root.key);
    let verdict = judge(&anchors(&[root.der]), None, Purpose::Client, &[leaf]);
    assert_eq!(verdict, Verdict::Invalid(InvalidCertificate::WeakKey));
}

#[test]
fn an_extension_that_is_there_twice_or_malformed_is_never_valid() {
    let root = Authority::ordinary("root", Kind::P256, NOW);
    let key = Key::new(Kind::P256);
    let anchors = anchors(std::slice::from_ref(&root.der));
    let malformed = crate::tls::pki::extension(&[0x55, 0x1d, 19], true, &[0x30, 5]);
    for template in [Template::new("alice", NOW).with(ca(None)).with(ca(None)), Template::new("alice", NOW).with(malformed)] {
        let verdict = judge(&anchors, None, Purpose::Client, &[root.issue(&template, &key)]);
        assert_eq!(verdict, Verdict::Invalid(InvalidCertificate::Unspecified));
    }
}

#[test]
fn a_peer_that_sends_hundreds_of_namesakes_costs_few_signature_checks() {
    let root = Authority::ordinary("root", Kind::P256, NOW);
    let key = Key::new(Kind::P256);
    // By its name, each "even" could have issued each "odd", and the other way round.
    let mut chain = vec![Template::new("alice", NOW).issue(&key.spki, "even", &key)];
    for serial in 0..300 {
        let (subject, issuer) = if serial % 2 == 0 { ("even", "odd") } else { ("odd", "even") };
        chain.push(Template::new(subject, NOW).serial(serial).with(ca(None)).issue(&key.spki, issuer, &key));
    }
    let verdict = judge(&anchors(&[root.der]), None, Purpose::Client, &chain);
    assert_eq!(verdict, Verdict::Invalid(InvalidCertificate::ChainTooLong));
}

#[test]
fn nothing_sent_and_no_anchor_are_never_valid() {
    let root = Authority::ordinary("root", Kind::P256, NOW);
    assert_ne!(judge(&anchors(std::slice::from_ref(&root.der)), None, Purpose::Client, &[]), Verdict::Valid);
    assert_ne!(judge(&Anchors::default(), None, Purpose::Client, &[root.der]), Verdict::Valid);
}

proptest! {
    #[test]
    fn judging_garbage_never_panics(position in 0_usize..600, bytes in prop::collection::vec(any::<u8>(), 1..8)) {
        let root = Authority::ordinary("root", Kind::Ed25519, NOW);
        let template = Template::new("alice", NOW).with(ca(Some(1))).with(crate::tls::pki::extended(&[2]));
        let mut leaf = root.issue(&template, &root.key);
        let start = position % leaf.len();
        let end = leaf.len().min(start + bytes.len());
        leaf.splice(start..end, bytes);
        let anchors = anchors(std::slice::from_ref(&root.der));
        let _ = judge(&anchors, None, Purpose::Client, &[leaf.clone(), root.der.clone()]);
        let _ = judge(&anchors, None, Purpose::Client, &[root.der, leaf.clone()]);
        let _ = Anchors::new([leaf.as_slice()]);
        let _ = RevocationLists::new([leaf.as_slice()]);
    }
}
