//! What becomes of a user that may not connect, was dropped, or is restricted.

use super::*;

#[test]
fn a_user_that_may_not_connect_from_here_any_more_is_not_authenticated_any_more() {
    let here: IpAddr = [127, 0, 0, 1].into();
    for name in ["authenticationRestrictions", "inheritedAuthenticationRestrictions"] {
        let mut restricted = rawdoc! {
            "userId": 1, "user": "root", "db": "admin", "credentials": {}, "inheritedRoles": [], "inheritedPrivileges": [],
        };
        let set = RawArrayBuf::from_iter([rawdoc! { "clientSource": ["10.0.0.0/8"] }]);
        for field in [cstr!("authenticationRestrictions"), cstr!("inheritedAuthenticationRestrictions")] {
            match (field.as_str() == name, name.starts_with("inherited")) {
                (true, true) => restricted.append(field, RawArrayBuf::from_iter([RawBson::Array(set.clone())])),
                (true, false) => restricted.append(field, set.clone()),
                _ => restricted.append(field, RawArrayBuf::new()),
            }
        }
        let lookup = UserLookup::Found(Arc::new(UserRecord::from_users_info(&restricted).unwrap()));
        let mut client = Client::new(keyfile_policy());
        log_in(&mut client, SHA_256, "root", "admin", "pw");
        assert!(client.session.refresh_user(&lookup, (Some([10, 0, 0, 1].into()), Some(here))).is_none());
        let event = client.session.refresh_user(&lookup, (Some(here), Some(here)));
        assert!(matches!(event, Some(Event::UserRestricted { .. })), "{event:?}");
        assert!(!client.may_forward());
    }
}

#[test]
fn a_dropped_user_is_not_authenticated_any_more_and_one_made_anew_is_another() {
    let name = UserName::new("root", "admin");
    let anew = rawdoc! {
        "userId": 2, "user": "root", "db": "admin", "credentials": {}, "inheritedRoles": [], "inheritedPrivileges": [],
        "authenticationRestrictions": [], "inheritedAuthenticationRestrictions": [],
    };
    let anew = UserLookup::Found(Arc::new(UserRecord::from_users_info(&anew).unwrap()));
    for lookup in [UserLookup::NotFound, anew] {
        let mut client = Client::new(keyfile_policy());
        log_in(&mut client, SHA_256, "root", "admin", "pw");
        assert!(client.session.refresh_user(&UserLookup::Found(Arc::new(user("root", "admin"))), (None, None)).is_none());
        assert!(client.may_forward());
        assert!(matches!(client.session.refresh_user(&lookup, (None, None)), Some(Event::UserDropped { user }) if user == name));
        assert!(!client.may_forward());
    }
}

#[test]
fn unmet_restrictions_are_told_when_the_proof_was_right() {
    let mut restricted = rawdoc! {
        "user": "far", "db": "admin", "credentials": {}, "inheritedRoles": [], "inheritedPrivileges": [],
        "authenticationRestrictions": [{ "clientSource": ["10.0.0.0/8"] }], "inheritedAuthenticationRestrictions": [],
    };
    restricted.append(cstr!("userId"), 5);
    let mut record = UserRecord::from_users_info(&restricted).unwrap();
    record.sha256 = Some(credential(SHA_256, "far", "pw"));
    for (address, expected) in [("127.0.0.1:1", "18 Authentication failed."), ("10.1.2.3:1", "ok")] {
        let mut client = Client::new(keyfile_policy());
        client.knows(record.clone());
        client.address = ClientAddress::Tcp(address.parse().unwrap());
        assert_eq!(outcome(&log_in(&mut client, SHA_256, "far", "admin", "pw")), expected);
        assert_eq!(client.may_forward(), expected == "ok");
    }
}
