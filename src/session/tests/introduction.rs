//! What the upstream is told of a client, and what a client's own word of being a member is worth.

use super::authentication::{SHA_256, log_in, system};
use super::*;

/// A hello of somebody who says that it is a mongod.
fn hello() -> RawDocumentBuf {
    rawdoc! {
        "hello": 1, "internalClient": { "minWireVersion": 17, "maxWireVersion": 17 }, "hangUpOnStepDown": false,
        "client": { "driver": { "name": "d", "version": "1" }, "os": { "type": "t" } },
    }
}

/// Whether the upstream is told that a client is a mongod, once `does` was done; and whether it is one that has not proved it.
fn said_and_unproven(policy: Policy, does: impl FnOnce(&mut Client)) -> (bool, bool) {
    let mut client = Client::new(policy);
    assert_eq!(outcome(&client.send(&hello())), "ok");
    does(&mut client);
    let introduction = client.session.introduction(&client.policy).unwrap();
    assert!(introduction.get_document("client").is_ok());
    (introduction.get_document("internalClient").is_ok(), client.session.is_unproven_member())
}

#[test]
fn the_upstream_hears_that_a_client_is_a_member_only_of_one_that_may_do_everything() {
    let nobody = |_: &mut Client| {};
    let user = |client: &mut Client| assert_eq!(outcome(&log_in(client, SHA_256, "root", "admin", "pw")), "ok");
    let member = |client: &mut Client| assert_eq!(system(client, KEY), "ok");
    let transition = || Policy { transition_to_auth: true, ..keyfile_policy() };

    assert_eq!(said_and_unproven(keyfile_policy(), nobody), (false, true));
    assert_eq!(said_and_unproven(keyfile_policy(), user), (false, false));
    assert_eq!(said_and_unproven(keyfile_policy(), member), (true, false));
    assert_eq!(said_and_unproven(transition(), nobody), (true, true));
    assert_eq!(said_and_unproven(transition(), user), (true, false));
    assert_eq!(said_and_unproven(open_policy(), nobody), (true, true));
}

#[test]
fn an_ordinary_client_is_no_unproven_member_whatever_it_fails_at() {
    let mut client = Client::new(keyfile_policy());
    assert!(!client.session.is_unproven_member());
    client.send(&rawdoc! { "hello": 1 });
    assert_ne!(system(&mut client, "wrong-key"), "ok");
    assert!(!client.session.is_unproven_member());
}
