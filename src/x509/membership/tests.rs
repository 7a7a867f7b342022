use super::super::test_data::{self, name, text};
use super::*;

fn peer(der: &[u8]) -> PeerIdentity {
    PeerIdentity::from_der(der, true).unwrap()
}

/// A peer with a subject like this text and this membership extension.
fn written(subject: &str, extension: Option<&str>) -> PeerIdentity {
    PeerIdentity {
        subject: DistinguishedName::from_text(subject).unwrap(),
        roles: Vec::new(),
        cluster_membership: extension.map(str::to_owned),
        not_after: 0,
    }
}

fn by_subject(subject: &str) -> MembershipRule {
    MembershipRule::by_server_subject(&DistinguishedName::from_text(subject).unwrap())
}

#[test]
fn every_case_of_the_corpus_is_judged_as_mongod_judged_it() {
    let rows = test_data::membership_corpus();
    assert_eq!(rows.len(), 118);
    for row in &rows {
        let label = text(row, "name");
        let server = peer(&test_data::der(row, "server_der_b64"));
        let rule = MembershipRule::by_server_subject(&server.subject).with_override(row["override"].as_str().unwrap_or(""));
        if row["mongod_start"] == "refused" {
            let message = format!("BadValue: Bad value for parameter \"tlsX509ClusterAuthDNOverride\": {}", rule.unwrap_err());
            assert_eq!(message, text(row, "message"), "{label}");
            continue;
        }
        let client = peer(&test_data::der(row, "client_der_b64"));
        assert_eq!(client.subject.as_str(), text(row, "client_subject"), "{label}");
        assert_eq!(server.subject.as_str(), text(row, "server_subject"), "{label}");
        assert_eq!(rule.unwrap().is_member(&client), row["member"].as_bool().unwrap(), "{label}");
    }
}

#[test]
fn a_server_without_cluster_attributes_has_no_members() {
    assert!(!by_subject("CN=s").is_member(&written("CN=s", None)));
    assert!(!by_subject("").is_member(&written("", None)));
    assert!(by_subject("CN=s").with_override("O=a").unwrap().is_member(&written("CN=s,O=a", None)));
}

#[test]
fn an_empty_override_removes_the_override() {
    let rule = by_subject("O=s").with_override("O=a").unwrap();
    assert!(rule.is_member(&written("O=a", None)));
    assert!(!rule.with_override("").unwrap().is_member(&written("O=a", None)));
}

#[test]
fn raw_values_of_two_types_differ() {
    const O: &[u8] = b"\x55\x04\x0a";
    let subject = |tag: u8, value: &[u8]| DistinguishedName::from_der(&name(&[&[(O, tag, value)]])).unwrap();
    let numeric = MembershipRule::by_server_subject(&subject(18, b"12"));
    let of = |subject| PeerIdentity { subject, roles: Vec::new(), cluster_membership: None, not_after: 0 };
    assert!(numeric.is_member(&of(subject(18, b"12"))));
    assert!(!numeric.is_member(&of(subject(3, b"\x0012"))));
    assert!(!numeric.is_member(&of(subject(12, b"12"))));
}

#[test]
fn create_user_refuses_the_names_of_members() {
    // As seen on a mongod 6.0.5.
    let rule = by_subject("O=Org,OU=Unit").with_override("O=a").unwrap();
    let members = [
        "OU=Unit,O=Org",
        "CN=x, O=Org, OU=Unit",
        "O=Org,OU=Unit,",
        "2.5.4.010=Org,OU=Unit",
        "O=Org+OU= Unit",
        "O=Org,OU=Unit,DES-EDE3=a",
    ];
    for name in members {
        assert!(rule.is_member_name(name), "{name}");
    }
    for name in ["O=a", "O=Org,OU=Unit, ", "O=Org,OU=Unit ", "O=Org,OU=Unit,CN=\u{221}", "O=Org,OU=Unit,O=", "alice", "", "CN=x"]
    {
        assert!(!rule.is_member_name(name), "{name}");
    }
}

#[test]
fn members_by_attributes_contain_every_relative_name() {
    let rule = MembershipRule::by_attributes("O=Org,OU=a,OU=a").unwrap();
    for subject in ["CN=x,OU=a,OU=a,O=Org", "OU=a,O=Org,L=y,OU=a,OU=b"] {
        assert!(rule.is_member(&written(subject, None)), "{subject}");
        assert!(rule.is_member_name(subject), "{subject}");
    }
    for subject in ["CN=x,OU=a,O=Org", "OU=a,OU=a", "OU=a+O=Org,OU=a", "OU=a,OU=a,O=org", ""] {
        assert!(!rule.is_member(&written(subject, None)), "{subject}");
    }
    let multi_valued = MembershipRule::by_attributes("CN=x+O=Org").unwrap();
    assert!(multi_valued.is_member(&written("L=y,O=Org+CN=x", None)));
    for subject in ["O=Org,CN=x", "O=Org+CN=x+L=y", "CN=x"] {
        assert!(!multi_valued.is_member(&written(subject, None)), "{subject}");
    }
}

#[test]
fn an_empty_dn_of_attributes_is_refused_as_everyone_would_be_a_member() {
    assert_eq!(MembershipRule::by_attributes(""), Err(DnTextError::Empty));
    assert_eq!(
        MembershipRule::by_attributes("O=\"a\"").unwrap_err().to_string(),
        "Found unescaped character that should be escaped: '\"'"
    );
}

#[test]
fn members_by_extension_have_its_text_whatever_their_subject() {
    let rule = MembershipRule::by_extension("rs-01".to_owned());
    assert!(rule.is_member(&written("CN=x", Some("rs-01"))));
    assert!(!rule.is_member(&written("CN=x", Some("rs-02"))));
    assert!(!rule.is_member(&written("CN=x", None)));
    assert!(!rule.is_member_name("CN=x"));
}

#[test]
fn the_rule_is_told_in_words() {
    let cases = [
        (by_subject("CN=s,OU=db,O=a"), "exactly these O, OU and DC in the certificate's subject, in any order: O=a,OU=db"),
        (by_subject("CN=s"), "nobody, because the server's own certificate has neither"),
        (MembershipRule::by_attributes("O=a,CN=b").unwrap(), "and perhaps more: "),
        (MembershipRule::by_extension("rs-01".into()), "\"rs-01\" in the certificate's extension"),
        (by_subject("O=a").with_override("O=b").unwrap(), "O=a; or (setParameter.tlsX509ClusterAuthDNOverride) who has exactly"),
    ];
    for (rule, expected) in cases {
        assert!(rule.in_words().contains(expected), "{}", rule.in_words());
    }
}
