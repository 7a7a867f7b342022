use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};

use super::*;
use crate::tls::pki::{Authority, DAY, Key, Kind, ListTemplate, Template, alternative, ca, extended, pem};
use crate::tls::testing::{Files, NOW, client, handshake, settings};

const BOTH: [&[&rustls::SupportedProtocolVersion]; 2] = [&[&TLS12], &[&TLS13]];

struct World {
    files: Files,
    tls: Tls,
    root: Authority,
    alice: Key,
}

/// A server with a `CAFile` and a client key.
fn world() -> World {
    let files = Files::new();
    let mut tls = settings(&files);
    let root = Authority::ordinary("root", Kind::P256, NOW);
    tls.ca_file = Some(files.write("ca.pem", &pem("CERTIFICATE", &root.der)));
    World { files, tls, root, alice: Key::new(Kind::P256) }
}

impl World {
    fn load(&self) -> ServerTls {
        ServerTls::load(&self.tls, NOW).unwrap()
    }

    fn certificate(&self, template: &Template) -> Vec<u8> {
        self.root.issue(template, &self.alice)
    }

    /// What becomes of a client with this chain.
    fn judge(&self, chain: Option<&[Vec<u8>]>) -> Judgement {
        let chain = chain.map(|chain| chain.iter().map(|der| CertificateDer::from(der.clone())).collect::<Vec<_>>());
        self.load().judge(chain.as_deref(), NOW)
    }

    /// The judgement on a good certificate of the root's.
    fn accepted(&self, leaf: &[u8]) -> Judgement {
        let der = |der: &[u8]| CertificateDer::from(der.to_vec());
        let holds = NOW - DAY..NOW + 10 * DAY;
        Judgement::Accept { verified: Some(Verified { certificate: der(leaf), anchor: der(&self.root.der), holds }) }
    }
}

fn plain() -> Template {
    Template::new("alice", NOW)
}

#[test]
fn a_client_with_a_certificate_of_any_version_and_its_key_comes_in() {
    let world = world();
    let server = world.load();
    for versions in BOTH {
        for template in [plain(), plain().version_1(), plain().with(ca(None))] {
            let chain = [world.certificate(&template)];
            let client = client(Some((&chain, Arc::clone(&world.alice.signer))), versions);
            let (_, connection, result) = handshake(&client, &server.config, "localhost");
            result.unwrap();
            let accepted = world.accepted(&chain[0]);
            assert_eq!(server.judge(connection.peer_certificates(), NOW), accepted);
        }
    }
}

#[test]
fn whoever_does_not_hold_the_key_of_the_certificate_fails_the_handshake() {
    let world = world();
    let server = world.load();
    for versions in BOTH {
        for kind in [Kind::P256, Kind::P384, Kind::Ed25519, Kind::Rsa] {
            for template in [plain(), plain().version_1()] {
                let (owner, thief) = (Key::new(kind), Key::new(kind));
                let chain = [world.root.issue(&template, &owner)];
                let honest = client(Some((&chain, owner.signer)), versions);
                handshake(&honest, &server.config, "localhost").2.unwrap();
                let dishonest = client(Some((&chain, thief.signer)), versions);
                let (_, connection, result) = handshake(&dishonest, &server.config, "localhost");
                assert!(result.is_err() && connection.is_handshaking(), "{kind:?} {versions:?}");
            }
        }
    }
}

#[test]
fn a_bad_certificate_completes_the_handshake_and_is_refused_then() {
    let world = world();
    let server = world.load();
    for versions in BOTH {
        let chain = [world.certificate(&plain().with(extended(&[1])))];
        let client = client(Some((&chain, Arc::clone(&world.alice.signer))), versions);
        let (_, connection, result) = handshake(&client, &server.config, "localhost");
        result.unwrap();
        let Judgement::Reject { reason } = server.judge(connection.peer_certificates(), NOW) else { panic!("accepted") };
        assert_eq!(reason.to_string(), "SSL peer certificate validation failed: unsuitable certificate purpose");
        assert_eq!(reason.log_id(), 23256);
    }
}

#[test]
fn a_resumed_session_carries_its_certificate_and_is_judged_again() {
    let world = world();
    let server = world.load();
    for versions in BOTH {
        let chain = [world.certificate(&plain())];
        let client = client(Some((&chain, Arc::clone(&world.alice.signer))), versions);
        handshake(&client, &server.config, "localhost").2.unwrap();
        let (_, connection, result) = handshake(&client, &server.config, "localhost");
        result.unwrap();
        assert_eq!(connection.handshake_kind(), Some(HandshakeKind::Resumed));
        let certificates = connection.peer_certificates();
        assert_eq!(certificates.and_then(<[_]>::first).map(AsRef::as_ref), Some(chain[0].as_slice()));
        let expired = Judgement::Reject { reason: Rejection::Invalid(InvalidCertificate::Expired) };
        assert_eq!(server.judge(certificates, NOW + 20 * DAY), expired);
        // A reload makes the old tickets worthless.
        let reloaded = world.load();
        let (_, connection, result) = handshake(&client, &reloaded.config, "localhost");
        result.unwrap();
        assert_eq!(connection.handshake_kind(), Some(HandshakeKind::Full));
    }
}

#[test]
fn nothing_that_is_known_outlives_its_dates_or_a_reload() {
    let mut world = world();
    let der = world.certificate(&plain().serial(8).dates(NOW - DAY, NOW + 5 * DAY));
    let sent = [CertificateDer::from(der.clone())];
    let identity = Arc::new(PeerIdentity::from_der(&der, false).unwrap());
    let list = |template: ListTemplate| pem("X509 CRL", &template.issue("root", &world.root.key));
    let harmless = list(ListTemplate::new(&[], NOW).dates(NOW - DAY, NOW + 2 * DAY));
    let revoking = list(ListTemplate::new(&[8], NOW));
    let know = |server: &ServerTls| {
        assert_eq!(server.known(Some(&sent), NOW), None);
        let Judgement::Accept { verified: Some(verified) } = server.judge(Some(&sent), NOW) else { panic!("refused") };
        server.remember(Some(&sent), &verified, &identity);
        assert_eq!(server.known(Some(&sent), NOW).as_ref(), Some(&identity));
    };
    let refused = |server: &ServerTls, now: i64, expected: InvalidCertificate| {
        assert_eq!(server.known(Some(&sent), now), None, "{expected}");
        assert_eq!(server.judge(Some(&sent), now), Judgement::Reject { reason: Rejection::Invalid(expected) });
    };
    let server = world.load();
    know(&server);
    assert_eq!(server.known(None, NOW), None);
    assert_eq!(server.known(Some(&[]), NOW), None);
    refused(&server, NOW + 5 * DAY, InvalidCertificate::Expired);
    refused(&server, NOW - 2 * DAY, InvalidCertificate::NotYetValid);

    world.tls.crl_file = Some(world.files.write("crl.pem", &harmless));
    let with_list = world.load();
    know(&with_list);
    refused(&with_list, NOW + 2 * DAY, InvalidCertificate::RevocationListExpired);
    world.files.write("crl.pem", &revoking);
    refused(&world.load(), NOW, InvalidCertificate::Revoked);

    world.tls.crl_file = None;
    let other = Authority::ordinary("root", Kind::P256, NOW);
    world.files.write("ca.pem", &pem("CERTIFICATE", &other.der));
    refused(&world.load(), NOW, InvalidCertificate::SignatureFailure);
    let stranger = Authority::ordinary("stranger", Kind::P256, NOW);
    world.files.write("ca.pem", &pem("CERTIFICATE", &stranger.der));
    refused(&world.load(), NOW, InvalidCertificate::NoFirstIssuer);
}

#[test]
fn without_an_authority_file_nobody_is_asked_and_nobody_is_believed() {
    let mut world = world();
    world.tls.ca_file = None;
    let server = world.load();
    let chain = [world.certificate(&plain())];
    for versions in BOTH {
        let client = client(Some((&chain, Arc::clone(&world.alice.signer))), versions);
        let (_, connection, result) = handshake(&client, &server.config, "localhost");
        result.unwrap();
        assert!(connection.peer_certificates().is_none());
    }
    assert_eq!(world.judge(None), Judgement::Accept { verified: None });
    assert_eq!(world.judge(Some(&chain)), Judgement::Accept { verified: None });
}

#[test]
fn a_client_without_a_certificate_is_let_in_only_by_its_option() {
    let mut world = world();
    let refused = Judgement::Reject { reason: Rejection::NoCertificate };
    assert_eq!(world.judge(None), refused);
    assert_eq!(world.judge(Some(&[])), refused);
    world.tls.allow_invalid_certificates = true;
    assert_eq!(world.judge(None), refused);
    world.tls.allow_connections_without_certificates = true;
    assert_eq!(world.judge(None), Judgement::Accept { verified: None });
}

#[test]
fn an_invalid_certificate_that_is_allowed_counts_as_none() {
    let mut world = world();
    world.tls.allow_invalid_certificates = true;
    let expired = world.certificate(&plain().dates(NOW - 2 * DAY, NOW - DAY));
    assert_eq!(world.judge(Some(&[expired])), Judgement::AcceptUnverified { reason: InvalidCertificate::Expired });
    let good = world.certificate(&plain());
    assert_eq!(world.judge(Some(std::slice::from_ref(&good))), world.accepted(&good));
}

#[test]
fn a_cluster_authority_file_replaces_the_authority_file_for_clients() {
    let mut world = world();
    let cluster = Authority::ordinary("cluster", Kind::P256, NOW);
    world.tls.cluster_ca_file = Some(world.files.write("cluster.pem", &pem("CERTIFICATE", &cluster.der)));
    let no_issuer = Judgement::Reject { reason: Rejection::Invalid(InvalidCertificate::NoFirstIssuer) };
    assert_eq!(world.judge(Some(&[world.certificate(&plain())])), no_issuer);
    let theirs = cluster.issue(&plain(), &world.alice);
    assert!(matches!(world.judge(Some(&[theirs])), Judgement::Accept { verified: Some(_) }));
}

#[test]
fn the_authority_at_the_end_of_the_chain_is_told_and_not_the_one_that_signed() {
    let world = world();
    let below = world.root.intermediate(&Template::new("below", NOW).with(ca(None)), Key::new(Kind::P256));
    let leaf = below.issue(&plain(), &world.alice);
    assert_eq!(world.judge(Some(&[leaf.clone(), below.der])), world.accepted(&leaf));
}

#[test]
fn a_revocation_list_is_applied_and_its_end_is_listed() {
    let mut world = world();
    let list = ListTemplate::new(&[8], NOW).issue("root", &world.root.key);
    world.tls.crl_file = Some(world.files.write("crl.pem", &pem("X509 CRL", &list)));
    let revoked = Judgement::Reject { reason: Rejection::Invalid(InvalidCertificate::Revoked) };
    assert_eq!(world.judge(Some(&[world.certificate(&plain().serial(8))])), revoked);
    assert!(matches!(world.judge(Some(&[world.certificate(&plain())])), Judgement::Accept { verified: Some(_) }));
    let listed: Vec<(&str, i64)> =
        world.load().materials().iter().map(|material| (material.option, material.not_after)).collect();
    let expected = [(CERTIFICATE_KEY_FILE, NOW + 10 * DAY), (CA_FILE, NOW + 10 * DAY), (CRL_FILE, NOW + DAY)];
    assert_eq!(listed, expected);
}

#[test]
fn clients_are_told_the_names_of_the_authorities() {
    #[derive(Debug)]
    struct Asked(std::sync::Mutex<Vec<Vec<u8>>>);
    impl rustls::client::ResolvesClientCert for Asked {
        fn resolve(&self, hints: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
            *self.0.lock().unwrap() = hints.iter().map(|hint| hint.to_vec()).collect();
            None
        }

        fn has_certs(&self) -> bool {
            true
        }
    }
    let world = world();
    for versions in BOTH {
        let asked = Arc::new(Asked(std::sync::Mutex::default()));
        let mut config = (*client(None, versions)).clone();
        config.client_auth_cert_resolver = Arc::clone(&asked) as Arc<dyn rustls::client::ResolvesClientCert>;
        handshake(&Arc::new(config), &world.load().config, "localhost").2.unwrap();
        assert_eq!(*asked.0.lock().unwrap(), [crate::tls::pki::name("root")]);
    }
}

#[test]
fn the_hybrid_key_exchange_is_taken_when_the_client_offers_it() {
    let (connection, _, result) = handshake(&client(None, &[&TLS13]), &world().load().config, "localhost");
    result.unwrap();
    let group = connection.negotiated_key_exchange_group().map(|group| group.name());
    assert_eq!(group, Some(rustls::NamedGroup::X25519MLKEM768));
}

#[test]
fn a_disabled_version_is_not_offered() {
    let mut world = world();
    world.tls.tls12 = false;
    assert!(handshake(&client(None, &[&TLS12]), &world.load().config, "localhost").2.is_err());
    handshake(&client(None, &[&TLS13]), &world.load().config, "localhost").2.unwrap();
}

#[test]
fn a_file_without_a_chain_is_completed_from_the_authorities_and_one_with_a_chain_is_not() {
    let mut world = world();
    let middle = world.root.intermediate(&Template::new("middle", NOW).with(ca(None)), Key::new(Kind::P256));
    world.tls.ca_file =
        Some(world.files.write("ca.pem", &(pem("CERTIFICATE", &world.root.der) + &pem("CERTIFICATE", &middle.der))));
    let own = middle.issue(&Template::new("localhost", NOW), &world.alice);
    let alone = pem("CERTIFICATE", &own) + &world.alice.pem();
    for (file, sent) in [
        (alone.clone(), vec![own.clone(), middle.der.clone(), world.root.der.clone()]),
        (alone + &pem("CERTIFICATE", &middle.der), vec![own, middle.der.clone()]),
    ] {
        world.tls.certificate_key_file = Some(world.files.write("own.pem", &file));
        let (connection, _, _) = handshake(&client(None, &[&TLS13]), &world.load().config, "localhost");
        let seen: Vec<Vec<u8>> = connection.peer_certificates().unwrap().iter().map(|der| der.to_vec()).collect();
        assert_eq!(seen, sent);
    }
}

#[test]
fn an_own_certificate_that_is_not_within_its_dates_is_refused() {
    let mut world = world();
    for template in [plain().dates(NOW - 2 * DAY, NOW - DAY), plain().dates(NOW + DAY, NOW + 2 * DAY)] {
        let bad = world.files.write("bad.pem", &(pem("CERTIFICATE", &world.certificate(&template)) + &world.alice.pem()));
        world.tls.cluster_file = Some(bad.clone());
        let error = ServerTls::load(&world.tls, NOW).unwrap_err();
        assert_eq!((error.option, &error.path), (CLUSTER_FILE, &bad));
        let mut own = world.tls.clone();
        own.certificate_key_file = Some(bad.clone());
        let text = ServerTls::load(&own, NOW).unwrap_err().mongod_text();
        assert!(text.contains("The provided SSL certificate is expired or not yet valid. notBefore 20"), "{text}");
    }
}

#[test]
fn each_bad_file_is_named_with_its_option() {
    let world = world();
    let garbage = world.files.write("garbage.pem", "garbage");
    let missing = world.files.missing();
    type Change = fn(&mut Tls, PathBuf);
    let cases: [(&str, Change, u32); 5] = [
        (CERTIFICATE_KEY_FILE, |tls, path| tls.certificate_key_file = Some(path), 23248),
        (CLUSTER_FILE, |tls, path| tls.cluster_file = Some(path), 23248),
        (CA_FILE, |tls, path| tls.ca_file = Some(path), 20574),
        (CLUSTER_CA_FILE, |tls, path| tls.cluster_ca_file = Some(path), 20574),
        (CRL_FILE, |tls, path| tls.crl_file = Some(path), 23254),
    ];
    for (option, change, log_id) in cases {
        for path in [&garbage, &missing] {
            let mut tls = world.tls.clone();
            change(&mut tls, path.clone());
            let error = ServerTls::load(&tls, NOW).unwrap_err();
            assert_eq!((error.option, &error.path, error.log_id()), (option, path, log_id));
        }
    }
}

#[test]
fn an_own_certificate_without_a_host_or_address_among_its_alternative_names_is_told() {
    let mut world = world();
    assert!(!world.load().has_alternative_name());
    for (tag, name, told) in [(0x82, b"localhost".as_slice(), true), (0x87, &[127, 0, 0, 1], true), (0x86, b"x://y", false)] {
        let own = world.certificate(&plain().with(alternative(&[(tag, name)], false)));
        world.tls.certificate_key_file = Some(world.files.write("own.pem", &(pem("CERTIFICATE", &own) + &world.alice.pem())));
        assert_eq!(world.load().has_alternative_name(), told);
    }
}
