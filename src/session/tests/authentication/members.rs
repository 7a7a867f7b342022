//! Cluster members with the keyfile.

use super::*;

#[test]
fn a_member_logs_in_with_either_key_of_the_keyfile() {
    let mut policy = keyfile_policy();
    let second = Credential::derive(SHA_256, b"second-key", vec![6; 28], ITERATIONS);
    policy.system_credentials.push(Arc::new(second));
    for key in [KEY, "second-key"] {
        let mut client = Client::new(Policy {
            mechanisms: vec!["SCRAM-SHA-1".to_owned()],
            system_credentials: policy.system_credentials.clone(),
            ..keyfile_policy()
        });
        assert_eq!(system(&mut client, key), "ok");
        assert!(matches!(client.session.state(), State::Member(_)));
        assert!(client.may_forward());
    }
    assert_eq!(system(&mut Client::new(policy), "third-key"), "18 Authentication failed.");
}

#[test]
fn the_mode_and_the_allowlist_decide_whether_a_keyfile_member_comes_in() {
    let refused = "18 Authentication failed.";
    let modes = [
        (ClusterAuthMode::KeyFile, "ok"),
        (ClusterAuthMode::SendKeyFile, "ok"),
        (ClusterAuthMode::SendX509, "ok"),
        (ClusterAuthMode::X509, refused),
    ];
    for (mode, expected) in modes {
        let mut client = Client::new(Policy { cluster_auth_mode: mode, ..keyfile_policy() });
        assert_eq!(system(&mut client, KEY), expected, "{mode:?}");
    }
    assert_eq!(system(&mut Client::new(open_policy()), KEY), refused);
    for (range, expected) in [("127.0.0.0/8", "ok"), ("10.0.0.0/8", refused)] {
        let allowlist = Some(vec![range.parse().unwrap()]);
        let mut client = Client::new(Policy { cluster_ip_source_allowlist: allowlist, ..keyfile_policy() });
        assert_eq!(system(&mut client, KEY), expected, "{range}");
    }
}

#[test]
fn system_is_a_member_only_on_local_and_only_by_scram_sha_256() {
    let mut client = Client::new(keyfile_policy());
    client.knows(user("__system", "admin"));
    assert_eq!(outcome(&log_in(&mut client, SHA_256, "__system", "admin", "pw")), "ok");
    assert!(matches!(client.session.state(), State::User(_)));
    let mut client = Client::new(keyfile_policy());
    client.knows(user("__system", "local"));
    assert_eq!(outcome(&log_in(&mut client, SHA_256, "__system", "local", "pw")), "18 Authentication failed.");
    assert_eq!(outcome(&log_in(&mut client, SHA_1, "__system", "local", "pw")), "18 Authentication failed.");
}
