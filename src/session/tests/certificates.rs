//! MONGODB-X509: the order of its checks, members, roles in the certificate.

use super::*;
use crate::names::RoleName;
use crate::x509::dn::DistinguishedName;
use crate::x509::membership::MembershipRule;

const CN: &[u8] = &[0x55, 4, 3];
const OU: &[u8] = &[0x55, 4, 11];

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
}

/// A name of UTF8Strings in the order of the DER, which is the reverse of the text's.
fn name(attributes: &[(&[u8], &str)]) -> DistinguishedName {
    let rdns: Vec<_> =
        attributes.iter().map(|(oid, value)| tlv(0x31, &tlv(0x30, &[tlv(6, oid), tlv(12, value.as_bytes())].concat()))).collect();
    DistinguishedName::from_der(&tlv(0x30, &rdns.concat())).unwrap()
}

fn peer(attributes: &[(&[u8], &str)]) -> PeerIdentity {
    PeerIdentity { subject: name(attributes), roles: Vec::new(), cluster_membership: None, not_after: 0 }
}

/// A client with a certificate whose subject is `CN=alice,OU=people`; members are those of `OU=members`.
fn client(policy: Policy, peer: Option<PeerIdentity>) -> Client {
    let membership = Some(MembershipRule::by_server_subject(&name(&[(OU, "members"), (CN, "server")])));
    let mut client = Client::new(Policy { membership, ..policy });
    client.knows(user("CN=alice,OU=people", "$external"));
    client.peer = peer;
    client
}

fn alice() -> PeerIdentity {
    peer(&[(OU, "people"), (CN, "alice")])
}

fn member() -> PeerIdentity {
    peer(&[(OU, "members"), (CN, "shard1")])
}

fn authenticate(client: &mut Client) -> RawDocumentBuf {
    client.send_to(&rawdoc! { "authenticate": 1, "mechanism": MONGODB_X509 }, "$external")
}

#[test]
fn a_user_comes_in_by_its_certificate() {
    for body in [
        rawdoc! { "authenticate": 1, "mechanism": MONGODB_X509 },
        rawdoc! { "authenticate": 1, "mechanism": MONGODB_X509, "user": "" },
        rawdoc! { "authenticate": 1, "mechanism": MONGODB_X509, "user": "CN=alice,OU=people" },
    ] {
        let mut client = client(keyfile_policy(), Some(alice()));
        let reply = client.send_to(&body, "$external");
        assert_eq!(reply, rawdoc! { "dbname": "$external", "user": "CN=alice,OU=people", "ok": 1.0 });
        assert!(client.may_forward());
    }
}

#[test]
fn the_checks_come_in_mongods_order() {
    let no_subject = "18 No verified subject name available from client";
    let cases = [
        (
            rawdoc! { "authenticate": 1 },
            "$external",
            None,
            "40414 BSON field 'authenticate.mechanism' is missing but a required field",
        ),
        (rawdoc! { "authenticate": 1, "mechanism": "" }, "admin", None, "2 Auth mechanism not specified"),
        (
            rawdoc! { "authenticate": 1, "mechanism": "MONGODB-CR" },
            "admin",
            None,
            "334 Received authentication for mechanism MONGODB-CR which is not enabled",
        ),
        (rawdoc! { "authenticate": 1, "mechanism": "SCRAM-SHA-256" }, "admin", None, "2 Unsupported mechanism: SCRAM-SHA-256"),
        (rawdoc! { "authenticate": 1, "mechanism": MONGODB_X509 }, "admin", None, no_subject),
        (rawdoc! { "authenticate": 1, "mechanism": MONGODB_X509 }, "$external", Some(peer(&[])), no_subject),
        (
            rawdoc! { "authenticate": 1, "mechanism": MONGODB_X509, "user": "CN=Alice,OU=people" },
            "admin",
            Some(alice()),
            "18 There is no x.509 client certificate matching the user.",
        ),
        (
            rawdoc! { "authenticate": 1, "mechanism": MONGODB_X509 },
            "admin",
            Some(alice()),
            "17 X.509 authentication must always use the $external database.",
        ),
        (
            rawdoc! { "authenticate": 1, "mechanism": MONGODB_X509 },
            "$external",
            Some(peer(&[(CN, "bob")])),
            "11 Could not find user \"CN=bob\" for db \"$external\"",
        ),
        (
            rawdoc! { "authenticate": 1, "mechanism": MONGODB_X509, "db": "x" },
            "$external",
            Some(alice()),
            "40415 BSON field 'authenticate.db' is an unknown field.",
        ),
    ];
    for (body, database, peer, expected) in cases {
        let mut client = client(keyfile_policy(), peer);
        assert_eq!(outcome(&client.send_to(&body, database)), expected, "{}", show(&body));
        assert!(!client.may_forward());
    }
    let policy = Policy { mechanisms: vec!["SCRAM-SHA-256".to_owned()], ..keyfile_policy() };
    assert_eq!(outcome(&authenticate(&mut client(policy, Some(alice())))), "2 x.509 authentication is disabled.");
}

#[test]
fn a_members_certificate_is_judged_by_cluster_auth_mode_and_separation() {
    let refused = "18 The provided certificate can only be used for cluster authentication, not client authentication. The current \
                   configuration does not allow x.509 cluster authentication, check the --clusterAuthMode flag";
    let unknown = "11 Could not find user \"CN=shard1,OU=members\" for db \"$external\"";
    use ClusterAuthMode::{KeyFile, SendKeyFile, SendX509, Undefined, X509};
    for (mode, separation, expected) in [
        (Undefined, true, refused),
        (KeyFile, true, refused),
        (KeyFile, false, unknown),
        (SendKeyFile, true, "ok"),
        (SendX509, true, "ok"),
        (X509, true, "ok"),
    ] {
        let policy = Policy { cluster_auth_mode: mode, enforce_user_cluster_separation: separation, ..keyfile_policy() };
        let policy = Policy { mechanisms: if expected == "ok" { Vec::new() } else { policy.mechanisms.clone() }, ..policy };
        let mut client = client(policy, Some(member()));
        let reply = authenticate(&mut client);
        assert_eq!(outcome(&reply), expected, "{mode:?}");
        assert_eq!(matches!(client.session.state(), State::Member(_)), expected == "ok");
        if expected == "ok" {
            assert_eq!(reply.get_str("user").unwrap(), "CN=shard1,OU=members");
            assert_eq!(outcome(&authenticate(&mut client)), "ok");
        }
    }
}

#[test]
fn a_member_that_did_not_say_it_is_a_mongod_is_reported() {
    for (said_so, reports) in [(true, 0), (false, 1)] {
        let policy = Policy { cluster_auth_mode: ClusterAuthMode::X509, ..keyfile_policy() };
        let mut client = client(policy, Some(member()));
        let speculative = rawdoc! { "authenticate": "1", "mechanism": MONGODB_X509, "db": "$external" };
        let mut hello = rawdoc! { "isMaster": 1, "speculativeAuthenticate": speculative };
        if said_so {
            hello.append(cstr!("internalClient"), rawdoc! { "minWireVersion": 17, "maxWireVersion": 17 });
        }
        let reply = client.send(&hello);
        let answer = reply.get_document("speculativeAuthenticate").unwrap();
        assert_eq!(answer, rawdoc! { "dbname": "$external", "user": "CN=shard1,OU=members" }.as_ref());
        assert!(client.may_forward());
        let count = client.events.iter().filter(|event| matches!(event, Event::MemberCertificateFromClient { .. })).count();
        assert_eq!(count, reports);
    }
}

#[test]
fn roles_in_the_certificate_need_no_user_and_replace_its_roles() {
    let role = RoleName { role: "read".to_owned(), database: "app".to_owned() };
    for attributes in [&[(OU, "people"), (CN, "alice")][..], &[(CN, "bob")]] {
        let mut client = client(keyfile_policy(), Some(PeerIdentity { roles: vec![role.clone()], ..peer(attributes) }));
        assert!(outcome(&authenticate(&mut client)).starts_with("11 "), "the roles have to be resolved");
        let request = client
            .peer
            .as_ref()
            .map(|peer| UserRequest { name: UserName::new(peer.subject.as_str(), "$external"), roles: peer.roles.clone() });
        let request = request.unwrap();
        let fragment = rawdoc! {
            "inheritedRoles": [{ "role": "read", "db": "app" }], "inheritedPrivileges": [], "inheritedAuthenticationRestrictions": [],
        };
        let found = request.read(&rawdoc! { "userFragment": fragment }).unwrap();
        client.users.push((request.clone(), found));
        assert_eq!(outcome(&authenticate(&mut client)), "ok");
        assert_eq!(client.session.state().stored_user(), Some(&request));
        let status = client.send(&rawdoc! { "connectionStatus": 1 });
        let info = status.get_document("authInfo").unwrap();
        let roles: Vec<_> = info.get_array("authenticatedUserRoles").unwrap().into_iter().map(Result::unwrap).collect();
        assert_eq!(roles, [RawBsonRef::Document(&rawdoc! { "role": "read", "db": "app" })]);
        assert!(client.may_forward());
    }
    let policy = Policy { allow_roles_from_x509_certificates: false, ..keyfile_policy() };
    let mut client = client(policy, Some(PeerIdentity { roles: vec![role], ..peer(&[(CN, "bob")]) }));
    assert!(outcome(&authenticate(&mut client)).starts_with("11 "));
}

#[test]
fn a_failed_speculative_authentication_leaves_the_hello_alone() {
    let request = rawdoc! { "hello": 1, "speculativeAuthenticate": { "authenticate": 1, "mechanism": MONGODB_X509 } };
    for peer in [None, Some(peer(&[(CN, "bob")]))] {
        let mut client = client(keyfile_policy(), peer);
        let reply = client.send(&request);
        assert_eq!(outcome(&reply), "ok");
        assert!(reply.get("speculativeAuthenticate").unwrap().is_none());
        assert!(matches!(client.events.last(), Some(Event::AuthenticationFailed { speculative: true, .. })));
        assert!(!client.may_forward());
    }
}
