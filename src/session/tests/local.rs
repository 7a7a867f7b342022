//! Replies that doorward makes itself: hello and its waiting, connectionStatus, generic arguments, what a replica set adds.

use super::*;

fn version(counter: i64) -> RawDocumentBuf {
    rawdoc! { "processId": ObjectId::from_bytes([7; 12]), "counter": counter }
}

#[test]
fn a_replica_set_member_ends_every_reply_with_its_times() {
    let mut client = Client::new(keyfile_policy());
    client.picture = picture(true);
    for body in [
        rawdoc! { "hello": 1 },
        rawdoc! { "ping": 1 },
        rawdoc! { "find": 1 },
        rawdoc! { "nosuch": 1 },
        rawdoc! { "buildInfo": 1 },
    ] {
        let reply = client.send(&body);
        let keys: Vec<_> = reply.iter().map(|element| element.unwrap().0.as_str().to_owned()).collect();
        assert_eq!(keys[keys.len() - 2..], ["$clusterTime", "operationTime"], "{}", show(&reply));
        assert_eq!(keys.iter().filter(|key| *key == "operationTime").count(), 1);
        assert_eq!(reply.get_timestamp("operationTime").unwrap(), Timestamp { time: 9, increment: 1 });
    }
    let reply = Client::new(keyfile_policy()).send(&rawdoc! { "buildInfo": 1 });
    assert_eq!(reply, rawdoc! { "version": "6.0.5", "ok": 1.0 });
}

#[test]
fn a_hello_is_the_upstreams_with_the_connections_own_fields() {
    let reply = Client::new(keyfile_policy()).send(&rawdoc! { "ismaster": 1, "helloOk": 1, "compression": ["lz4", "zlib"] });
    let expected = rawdoc! {
        "helloOk": true, "ismaster": true, "topologyVersion": version(6),
        "maxBsonObjectSize": 16_777_216, "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000,
        "localTime": bson::DateTime::from_millis(1_700_000_000_000), "logicalSessionTimeoutMinutes": 30, "connectionId": 42,
        "minWireVersion": 0, "maxWireVersion": 17, "readOnly": false, "compression": ["zlib"], "ok": 1.0,
    };
    assert_eq!(show(&reply), show(&expected));
}

#[test]
fn a_client_behind_a_balancer_is_told_which_mongod_it_has_where_that_is_on() {
    let process = ObjectId::from_bytes([7; 12]);
    let told = |load_balanced: bool, picture: UpstreamPicture, hello: RawDocumentBuf| {
        let mut client = Client::new(Policy { load_balanced, ..keyfile_policy() });
        client.picture = picture;
        client.send(&hello).get("serviceId").unwrap().map(|id| id.as_object_id().unwrap())
    };
    for replica_set in [true, false] {
        let balanced = || rawdoc! { "hello": 1, "loadBalanced": true };
        assert_eq!(told(true, picture(replica_set), balanced()), Some(process));
        assert_eq!(told(true, picture(replica_set), rawdoc! { "isMaster": 1, "loadBalanced": true }), Some(process));
        assert_eq!(told(false, picture(replica_set), balanced()), None);
        assert_eq!(told(true, picture(replica_set), rawdoc! { "hello": 1 }), None);
        assert_eq!(told(true, picture(replica_set), rawdoc! { "hello": 1, "loadBalanced": false }), None);
    }
    let old = picture(false).with_hello(rawdoc! { "ismaster": true, "maxWireVersion": 8, "ok": 1.0 }).unwrap();
    assert_eq!(told(true, old, rawdoc! { "hello": 1, "loadBalanced": true }), Some(ObjectId::from_bytes([8; 12])));
}

#[test]
fn client_metadata_is_final_with_the_first_hello_that_is_taken() {
    let metadata = || rawdoc! { "driver": { "name": "d", "version": "1" }, "os": { "type": "Linux" } };
    let refused = "186 The client metadata document may only be sent in the first hello";
    let cases = [
        (rawdoc! { "hello": 1, "client": metadata() }, refused),
        (rawdoc! { "hello": 1, "client": metadata(), "speculativeAuthenticate": { "foo": 1 } }, refused),
        (rawdoc! { "hello": 1, "speculativeAuthenticate": {} }, refused),
        (rawdoc! { "hello": 1, "compression": 1 }, "ok"),
        (rawdoc! { "hello": 1, "client": metadata(), "compression": 1 }, "ok"),
        (rawdoc! { "hello": 1, "client": 1 }, "ok"),
        (rawdoc! { "ping": 1 }, "ok"),
    ];
    for (first, expected) in cases {
        let mut client = Client::new(keyfile_policy());
        client.send(&first);
        assert_eq!(outcome(&client.send(&rawdoc! { "hello": 1, "client": metadata() })), expected, "{}", show(&first));
        let reports = client.events.iter().filter(|event| matches!(event, Event::ClientMetadata { .. })).count();
        assert_eq!(reports, usize::from(expected == "ok" || first.get("client").unwrap().is_some()));
    }
}

#[test]
fn arguments_of_hello_are_refused_with_mongods_words() {
    let ahead = |code: &str| {
        format!(
            "{code} Received a topology version with counter: 99 which is greater than the server topology version counter: 6"
        )
    };
    let cases = [
        (
            rawdoc! { "hello": 1, "topologyVersion": version(-1), "maxAwaitTimeMS": 1 },
            false,
            "31372 topologyVersion must have a non-negative counter".to_owned(),
        ),
        (rawdoc! { "hello": 1, "topologyVersion": version(99), "maxAwaitTimeMS": 1 }, false, ahead("51764")),
        (rawdoc! { "hello": 1, "topologyVersion": version(99), "maxAwaitTimeMS": 1 }, true, ahead("31382")),
        (
            rawdoc! { "hello": 1, "maxAwaitTimeMS": -1 },
            false,
            "51024 BSON field 'maxAwaitTimeMS' value must be >= 0, actual value '-1'".to_owned(),
        ),
        (
            rawdoc! { "hello": 1, "topologyVersion": { "foo": 1 } },
            false,
            "40415 BSON field 'hello.topologyVersion.foo' is an unknown field.".to_owned(),
        ),
        (
            rawdoc! { "hello": 1, "topologyVersion": {} },
            false,
            "40414 BSON field 'hello.topologyVersion.processId' is missing but a required field".to_owned(),
        ),
        (
            rawdoc! { "hello": 1, "internalClient": { "minWireVersion": 1 } },
            false,
            "40414 BSON field 'hello.internalClient.maxWireVersion' is missing but a required field".to_owned(),
        ),
        (
            rawdoc! { "hello": 1, "saslSupportedMechs": { "user": "a" } },
            false,
            "2 UserName must contain a field named: db".to_owned(),
        ),
        (
            rawdoc! { "hello": 1, "saslSupportedMechs": { "user": "a", "db": "b", "x": 1 } },
            false,
            "2 UserName contains an unknown field named: 'x".to_owned(),
        ),
        (
            rawdoc! { "hello": 1, "saslSupportedMechs": RawBson::Null },
            false,
            "14 BSON field 'hello.saslSupportedMechs' is the wrong type 'null', expected types '[string, object']".to_owned(),
        ),
        (
            rawdoc! { "hello": 1, "compression": RawBson::Null },
            false,
            "10065 invalid parameter: expected an object (compression)".to_owned(),
        ),
        (
            rawdoc! { "hello": 1, "loadBalanced": 1 },
            false,
            "14 BSON field 'hello.loadBalanced' is the wrong type 'int', expected type 'bool'".to_owned(),
        ),
        (
            rawdoc! { "hello": 1, "saslSupportedMechs": "x", "speculativeAuthenticate": { "foo": 1 } },
            false,
            "2 UserName must contain a '.' separated database.user pair".to_owned(),
        ),
        (
            rawdoc! { "hello": 1, "compression": 1, "client": 1 },
            false,
            "14 The client metadata document must be a document".to_owned(),
        ),
    ];
    for (body, replica_set, expected) in cases {
        let mut client = Client::new(keyfile_policy());
        client.picture = picture(replica_set);
        assert_eq!(outcome(&client.send(&body)), expected, "{}", show(&body));
    }
}

#[test]
fn an_exhaust_hello_waits_from_each_version_to_the_next() {
    let mut client = Client::new(keyfile_policy());
    let body = rawdoc! { "hello": 1, "topologyVersion": version(3), "maxAwaitTimeMS": 10_000 };
    let Effect::AwaitTopology(awaited) = client.effect(&body, "admin", true) else { panic!("does not wait") };
    assert!(awaited.exhaust);
    assert_eq!(awaited.max_await_ms, 10_000);
    assert_eq!(awaited.topology_version.counter, 6);

    let reply = client.effect(&rawdoc! { "hello": 1 }, "admin", true);
    let Effect::Reply { body, .. } = reply else { panic!("waits") };
    assert_eq!(outcome(&body), "51756 An isMaster or hello request with exhaust must specify 'maxAwaitTimeMS'");
}

#[test]
fn generic_arguments_are_judged_in_mongods_order() {
    let uuid = || Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![1; 16] };
    let cases = [
        (rawdoc! { "ping": 1, "lsid": 1, "foo": 1 }, "app", "40415 BSON field 'ping.foo' is an unknown field."),
        (
            rawdoc! { "ping": 1, "lsid": 1, "$readPreference": 1 },
            "app",
            "14 $readPreference has incorrect type: expected object but got int",
        ),
        (
            rawdoc! { "ping": 1, "lsid": 1 },
            "a b",
            "14 BSON field 'OperationSessionInfo.lsid' is the wrong type 'int', expected type 'object'",
        ),
        (
            rawdoc! { "ping": 1, "lsid": {} },
            "app",
            "40414 BSON field 'OperationSessionInfo.lsid.id' is missing but a required field",
        ),
        (rawdoc! { "ping": 1, "lsid": { "id": uuid() } }, "app", "ok"),
        (
            rawdoc! { "ping": 1, "lsid": { "id": uuid(), "foo": 1 } },
            "app",
            "40415 BSON field 'OperationSessionInfo.lsid.foo' is an unknown field.",
        ),
        (
            rawdoc! { "ping": 1, "txnNumber": 1 },
            "app",
            "14 BSON field 'OperationSessionInfo.txnNumber' is the wrong type 'int', expected type 'long'",
        ),
        (
            rawdoc! { "ping": 1, "txnNumber": 1_i64, "maxTimeMS": "x" },
            "a b",
            "50889 It is illegal to provide a txnNumber for this command",
        ),
        (rawdoc! { "ping": 1, "autocommit": false }, "app", "263 This command is not supported in transactions"),
        (rawdoc! { "ping": 1, "maxTimeMS": "x" }, "a b", "73 Invalid database name: 'a b'"),
        (rawdoc! { "ping": 1, "maxTimeMS": "x", "readConcern": 1 }, "app", "2 maxTimeMS must be a number"),
        (rawdoc! { "ping": 1, "maxTimeMS": -1 }, "app", "2 -1 value for maxTimeMS is out of range"),
        (rawdoc! { "ping": 1, "maxTimeMS": 1.5 }, "app", "2 maxTimeMS has non-integral value"),
        (
            rawdoc! { "ping": 1, "writeConcern": 1, "readConcern": { "level": "majority" } },
            "app",
            "72 Command ping does not support { readConcern: { level: \"majority\", provenance: \"clientSupplied\" } } :: caused by :: \
             read concern not supported",
        ),
        (rawdoc! { "hello": 1, "help": 1, "maxTimeMS": "x" }, "app", "ok"),
        (rawdoc! { "hello": 1, "$client": 1 }, "a b", "14 The client metadata document must be a document"),
        (rawdoc! { "ping": 1, "ping": 1 }, "app", "40413 BSON field 'APIParametersFromClient.ping' is a duplicate field"),
        (rawdoc! { "find": 1, "apiVersion": 1 }, "a.b", "73 '.' is an invalid character in the database name: a.b"),
        (rawdoc! { "find": 1, "apiVersion": "" }, "app", "322 API version must be \"1\""),
        (rawdoc! { "find": 1, "apiVersion": "1" }, "app", "13 command find requires authentication"),
        (
            rawdoc! { "find": 1, "apiStrict": true },
            "app",
            "4886600 Provided apiStrict and/or apiDeprecationErrors without passing apiVersion",
        ),
        (
            rawdoc! { "ping": 1, "$audit": { "$impersonatedUsers": [{ "user": "a", "db": "b" }], "$impersonatedRoles": [] } },
            "app",
            "13 Unauthorized use of impersonation metadata.",
        ),
    ];
    for (body, database, expected) in cases {
        assert_eq!(outcome(&Client::new(keyfile_policy()).send_to(&body, database)), expected, "{}", show(&body));
    }
    let reply = Client::new(keyfile_policy()).send(&rawdoc! { "ismaster": 1, "help": true });
    assert_eq!(reply, rawdoc! { "help": "help for: isMaster what isMaster does", "ok": 1.0 });
}

#[test]
fn an_argument_inside_a_legacy_query_is_judged_alike() {
    let mut client = Client::new(keyfile_policy());
    client.protocol = Protocol::Query;
    assert_eq!(outcome(&client.send(&rawdoc! { "isMaster": 1, "apiVersion": "2" })), "322 Cannot accept API version 2");
    assert_eq!(outcome(&client.send(&rawdoc! { "isMaster": 1 })), "ok");
}

#[test]
fn a_connection_is_told_its_own_address_and_a_nonce() {
    let mut client = Client::new(keyfile_policy());
    assert_eq!(client.send(&rawdoc! { "whatsmyuri": 1 }), rawdoc! { "you": "127.0.0.1:36552", "ok": 1.0 });
    assert_eq!(client.send(&rawdoc! { "getnonce": 1 }).get_str("nonce").unwrap(), "202020202020202");
}
