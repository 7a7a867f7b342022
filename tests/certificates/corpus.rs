//! The table: client certificates of every kind, and what mongod says about each.

use super::pki::{
    Authority, DAY, Key, Kind, ListTemplate, Template, alternative, any_extended, authority_key, ca, constraint,
    critical_subject_key, extended, extension, key_usage, name, netscape, no_ca, policies, proxy, subject_key, tlv, unknown,
};

/// What a server is started with.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    /// `CAFile`.
    pub(crate) authorities: Vec<Vec<u8>>,
    /// `CRLFile`.
    pub(crate) lists: Option<Vec<Vec<u8>>>,
    pub(crate) cases: Vec<Case>,
}

/// One client.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Its own certificate first.
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) key: Key,
    /// mongod's reason to refuse it; `None` when it is accepted.
    pub(crate) reason: Option<&'static str>,
}

const SIGN: u8 = 0x80;
const ENCIPHER: u8 = 0x20;
const AGREE: u8 = 0x08;
const CERT_SIGN: u8 = 0x04;
const CRL_SIGN: u8 = 0x02;

const NO_FIRST_ISSUER: Option<&str> = Some("unable to verify the first certificate");
const PURPOSE: Option<&str> = Some("unsuitable certificate purpose");
const INVALID_CA: Option<&str> = Some("invalid CA certificate");

/// All servers with their clients; the certificates hold around `now`.
pub(crate) fn servers(now: i64) -> Vec<Server> {
    let key = Key::new(Kind::P256);
    vec![
        leaves(now, &key),
        key_kinds(now),
        chains(now, &key),
        constraints(now, &key),
        intermediate_only(now, &key),
        lists(now, &key),
    ]
}

struct Cases<'a> {
    key: &'a Key,
    cases: Vec<Case>,
}

impl Cases<'_> {
    fn add(&mut self, name: &'static str, chain: &[&[u8]], reason: Option<&'static str>) {
        self.add_with_key(name, chain, self.key.clone(), reason);
    }

    fn add_with_key(&mut self, name: &'static str, chain: &[&[u8]], key: Key, reason: Option<&'static str>) {
        self.cases.push(Case { name, chain: chain.iter().map(|der| der.to_vec()).collect(), key, reason });
    }
}

/// The client's own certificate.
fn leaves(now: i64, key: &Key) -> Server {
    let root = Authority::ordinary("root", Kind::P256, now);
    let second = Authority::ordinary("second root", Kind::P256, now);
    let stranger = Authority::ordinary("stranger", Kind::P256, now);
    let namesake = Authority::ordinary("root", Kind::P256, now);
    let mut cases = Cases { key, cases: Vec::new() };
    let plain = || Template::new("alice", now);
    let mut leaf = |name, template: Template, reason| cases.add(name, &[&root.issue(&template, key)], reason);
    leaf("version 3 without extensions", plain(), None);
    leaf("version 1", plain().version_1(), None);
    leaf("version 1 with an extended key usage for servers", plain().version_1().with(extended(&[1])), PURPOSE);
    leaf("no authority by its basic constraints", plain().with(no_ca()), None);
    leaf("an authority below the root", plain().with(ca(None)), None);
    leaf("an authority that may only sign", plain().with(ca(None)).with(key_usage(CERT_SIGN)), PURPOSE);
    leaf("extended key usage client", plain().with(extended(&[2])), None);
    leaf("extended key usage client and server", plain().with(extended(&[1, 2])), None);
    leaf("extended key usage server", plain().with(extended(&[1])), PURPOSE);
    leaf("extended key usage any", plain().with(any_extended()), PURPOSE);
    leaf("extended key usage for mail", plain().with(extended(&[4])), PURPOSE);
    leaf("key usage digital signature", plain().with(key_usage(SIGN)), None);
    leaf("key usage key agreement", plain().with(key_usage(AGREE)), None);
    leaf("key usage key encipherment", plain().with(key_usage(ENCIPHER)), PURPOSE);
    leaf("key usage certificate signing", plain().with(key_usage(CERT_SIGN)), PURPOSE);
    leaf("Netscape type client", plain().with(netscape(0x80)), None);
    leaf("Netscape type server", plain().with(netscape(0x40)), PURPOSE);
    leaf("expired", plain().dates(now - 3 * DAY, now - DAY), Some("certificate has expired"));
    leaf("not yet valid", plain().dates(now + DAY, now + 3 * DAY), Some("certificate is not yet valid"));
    leaf(
        "expired and for servers",
        plain().dates(now - 3 * DAY, now - DAY).with(extended(&[1])),
        Some("certificate has expired"),
    );
    leaf("after the year 2050", plain().dates(now - DAY, now + 20_000 * DAY), None);
    leaf("unknown critical extension", plain().with(unknown(true)), Some("unhandled critical extension"));
    leaf("unknown extension", plain().with(unknown(false)), None);
    leaf("critical policies", plain().with(extension(&[0x55, 0x1d, 32], true, &policies())), None);
    leaf("critical subject key identifier", plain().with(critical_subject_key()), Some("unhandled critical extension"));
    leaf("empty subject", Template::new("", now), None);
    leaf("empty subject and a critical URI", Template::new("", now).with(alternative(&[(0x86, b"spiffe://x/y")], true)), None);
    leaf("proxy certificate", plain().with(proxy()), Some("proxy subject name violation"));
    leaf("authority key identifier of nobody", plain().with(authority_key(b"nobody")), None);

    cases.add("below the second root of the file", &[&second.issue(&plain(), key)], None);
    cases.add("below a stranger", &[&stranger.issue(&plain(), key)], NO_FIRST_ISSUER);
    let in_chain = Some("self-signed certificate in certificate chain");
    cases.add("below a stranger who is sent along", &[&stranger.issue(&plain(), key), &stranger.der], in_chain);
    cases.add("signed by a namesake of the root", &[&namesake.issue(&plain(), key)], Some("certificate signature failure"));
    let namesake_sent = [namesake.issue(&plain(), key), namesake.der.clone()];
    cases.add(
        "a namesake of the root is sent along",
        &[&namesake_sent[0], &namesake_sent[1]],
        Some("certificate signature failure"),
    );
    cases.add("the root is sent along", &[&root.issue(&plain(), key), &root.der], None);
    cases.add_with_key("the root itself", &[&root.der], root.key.clone(), None);
    cases.add_with_key("a namesake of the root itself", &[&namesake.der], namesake.key.clone(), Some("self-signed certificate"));
    cases.add("self-signed", &[&plain().issue(&key.spki, "alice", key)], Some("self-signed certificate"));
    cases.add("self-signed version 1", &[&plain().version_1().issue(&key.spki, "alice", key)], Some("self-signed certificate"));
    let expired = plain().dates(now - 3 * DAY, now - DAY);
    cases.add("expired and below a stranger", &[&stranger.issue(&expired, key)], Some("certificate has expired"));
    let other_case = plain().issue(&key.spki, "ROOT", &root.key);
    cases.add("issuer written in capitals", &[&other_case], None);
    let spaced = plain().issue(&key.spki, " second  root ", &second.key);
    cases.add("issuer written with more spaces", &[&spaced], None);
    Server { name: "leaves", authorities: vec![root.der.clone(), second.der], lists: None, cases: cases.cases }
}

fn key_kinds(now: i64) -> Server {
    let mut authorities = Vec::new();
    let mut cases = Vec::new();
    for (name, kind) in [
        ("P-256", Kind::P256),
        ("P-384", Kind::P384),
        ("P-521", Kind::P521),
        ("Ed25519", Kind::Ed25519),
        ("RSA", Kind::Rsa),
        ("RSA signing with PSS", Kind::RsaPss),
    ] {
        let root = Authority::ordinary(name, kind, now);
        let key = Key::new(kind);
        let chain = vec![root.issue(&Template::new("alice", now), &key)];
        authorities.push(root.der);
        cases.push(Case { name, chain, key, reason: None });
    }
    Server { name: "kinds of keys", authorities, lists: None, cases }
}

/// What is between the client and the root.
fn chains(now: i64, key: &Key) -> Server {
    let mut cases = Cases { key, cases: Vec::new() };
    let plain = Template::new("alice", now);
    let root = Authority::ordinary("root", Kind::P256, now);
    let between = |template: Template| root.intermediate(&template, Key::new(Kind::P256));
    let middle = |name: &str| Template::new(name, now);

    let good = between(middle("middle").with(ca(None)).with(key_usage(CERT_SIGN)));
    let leaf = good.issue(&plain, key);
    cases.add("intermediate sent", &[&leaf, &good.der], None);
    cases.add("intermediate and root sent", &[&leaf, &good.der, &root.der], None);
    cases.add("intermediate not sent", &[&leaf], NO_FIRST_ISSUER);
    let lower = good.intermediate(&middle("lower").with(ca(None)), Key::new(Kind::P256));
    let deep = lower.issue(&plain, key);
    cases.add("two intermediates", &[&deep, &lower.der, &good.der], None);
    cases.add("two intermediates the wrong way round", &[&deep, &good.der, &lower.der], None);
    cases.add("only the lower intermediate", &[&deep, &lower.der], Some("unable to get local issuer certificate"));
    cases.add("with needless certificates", &[&leaf, &lower.der, &good.der, &lower.der], None);

    let mut through = |name, template: Template, reason| {
        let authority = between(template);
        cases.add(name, &[&authority.issue(&plain, key), &authority.der], reason);
    };
    through("intermediate without basic constraints", middle("m1"), PURPOSE);
    through("intermediate that is no authority", middle("m2").with(no_ca()), PURPOSE);
    through("intermediate of version 1", middle("m3").version_1(), PURPOSE);
    through("intermediate with key usage alone", middle("m4").with(key_usage(CERT_SIGN)), INVALID_CA);
    through(
        "intermediate that may not sign",
        middle("m5").with(ca(None)).with(key_usage(SIGN)),
        Some("key usage does not include certificate signing"),
    );
    through("intermediate for servers", middle("m6").with(ca(None)).with(extended(&[1])), PURPOSE);
    through("intermediate for clients", middle("m7").with(ca(None)).with(extended(&[2])), None);
    through("intermediate for any usage", middle("m8").with(ca(None)).with(any_extended()), PURPOSE);
    through(
        "intermediate with an unknown critical extension",
        middle("m9").with(ca(None)).with(unknown(true)),
        Some("unhandled critical extension"),
    );
    through(
        "expired intermediate",
        middle("m10").with(ca(None)).dates(now - 3 * DAY, now - DAY),
        Some("certificate has expired"),
    );
    through("path length zero above a client", middle("m11").with(ca(Some(0))), None);

    let short = between(middle("short").with(ca(Some(0))).with(subject_key(b"old")));
    let below_short = short.intermediate(&middle("below short").with(ca(None)), Key::new(Kind::P256));
    let too_deep = below_short.issue(&plain, key);
    cases.add("path length exceeded", &[&too_deep, &below_short.der, &short.der], Some("path length constraint exceeded"));
    let self_issued = Template::new("short", now).with(ca(None)).with(subject_key(b"new")).with(authority_key(b"old"));
    let rolled = short.intermediate(&self_issued, Key::new(Kind::P256));
    let below_rolled = rolled.issue(&plain.clone().with(authority_key(b"new")), key);
    cases.add("a self-issued intermediate does not count", &[&below_rolled, &rolled.der, &short.der], None);

    let mut lowest = good.clone();
    let mut long = vec![lowest.der.clone()];
    for depth in 0..20 {
        lowest = lowest.intermediate(&middle(&format!("depth {depth}")).with(ca(None)), Key::new(Kind::P256));
        long.insert(0, lowest.der.clone());
    }
    long.insert(0, lowest.issue(&plain, key));
    let long: Vec<&[u8]> = long.iter().map(Vec::as_slice).collect();
    cases.add("twenty intermediates", &long, None);

    let version_1 = Authority::root(&Template::new("root of version 1", now).version_1(), Key::new(Kind::P256));
    cases.add("root of version 1", &[&version_1.issue(&plain, key)], None);
    let bare = Authority::root(&Template::new("root without extensions", now), Key::new(Kind::P256));
    cases.add("root of version 3 without extensions", &[&bare.issue(&plain, key)], PURPOSE);
    let only_usage = Authority::root(&Template::new("root with key usage", now).with(key_usage(CERT_SIGN)), Key::new(Kind::P256));
    cases.add("root with key usage alone", &[&only_usage.issue(&plain, key)], None);
    let for_servers =
        Authority::root(&Template::new("root for servers", now).with(ca(None)).with(extended(&[1])), Key::new(Kind::P256));
    cases.add("root for servers", &[&for_servers.issue(&plain, key)], PURPOSE);
    let past = Template::new("expired root", now).with(ca(None)).dates(now - 3 * DAY, now - DAY);
    let expired = Authority::root(&past, Key::new(Kind::P256));
    cases.add("expired root", &[&expired.issue(&plain, key)], Some("certificate has expired"));
    let empty = Authority::root(&Template::new("", now).with(ca(None)), Key::new(Kind::P256));
    cases.add("root with an empty name", &[&empty.issue(&plain, key)], None);
    let short_root = Authority::root(&Template::new("root with path length", now).with(ca(Some(0))), Key::new(Kind::P256));
    let below = short_root.intermediate(&middle("below").with(ca(None)), Key::new(Kind::P256));
    cases.add(
        "path length of the root exceeded",
        &[&below.issue(&plain, key), &below.der],
        Some("path length constraint exceeded"),
    );

    // Two roots of one name: the first in the file is taken, unless the key identifier says otherwise.
    let identified = |id: &[u8]| Template::new("twins", now).with(ca(None)).with(subject_key(id));
    let elder = Authority::root(&identified(b"elder"), Key::new(Kind::P256));
    let younger = Authority::root(&identified(b"younger"), Key::new(Kind::P256));
    cases.add("below the first of two roots of one name", &[&elder.issue(&plain, key)], None);
    cases.add("below the second of two roots of one name", &[&younger.issue(&plain, key)], Some("certificate signature failure"));
    let identified_leaf = younger.issue(&plain.clone().with(authority_key(b"younger")), key);
    cases.add("below the second of two roots, with its key identifier", &[&identified_leaf], None);

    // One key, two certificates: self-signed by an unknown authority, and cross-signed by the root.
    let unknown_root = Authority::ordinary("cross", Kind::P256, now);
    let crossed = root.intermediate(&middle("cross").with(ca(None)), unknown_root.key.clone());
    let below_cross = unknown_root.issue(&plain, key);
    cases.add("cross-signed authority", &[&below_cross, &crossed.der], None);
    cases.add("cross-signed authority, self-signed one behind it", &[&below_cross, &crossed.der, &unknown_root.der], None);
    let in_chain = Some("self-signed certificate in certificate chain");
    cases.add("cross-signed authority, self-signed one before it", &[&below_cross, &unknown_root.der, &crossed.der], in_chain);

    let authorities = [&root, &version_1, &bare, &only_usage, &for_servers, &expired, &empty, &short_root, &elder, &younger]
        .map(|root| root.der.clone());
    Server { name: "chains", authorities: authorities.to_vec(), lists: None, cases: cases.cases }
}

fn constraints(now: i64, key: &Key) -> Server {
    let mut cases = Cases { key, cases: Vec::new() };
    let mut authorities = Vec::new();
    let mut below = |name, constraint: Vec<u8>, leaf: Template, reason| {
        let template = Template::new(name, now).with(ca(None)).with(constraint);
        let root = Authority::root(&template, Key::new(Kind::P256));
        cases.add(name, &[&root.issue(&leaf, key)], reason);
        authorities.push(root.der);
    };
    const PERMITTED: u8 = 0xa0;
    const EXCLUDED: u8 = 0xa1;
    let permitted = Some("permitted subtree violation");
    let excluded = Some("excluded subtree violation");
    let alice = || Template::new("alice", now);
    let dns = |host: &'static [u8]| alice().with(alternative(&[(0x82, host)], false));
    below("subject within", constraint(PERMITTED, &tlv(0xa4, &name("alice"))), alice(), None);
    below("subject not within", constraint(PERMITTED, &tlv(0xa4, &name("bob"))), alice(), permitted);
    below("subject excluded", constraint(EXCLUDED, &tlv(0xa4, &name("alice"))), alice(), excluded);
    below("subject not excluded", constraint(EXCLUDED, &tlv(0xa4, &name("bob"))), alice(), None);
    below("DNS name within", constraint(PERMITTED, &tlv(0x82, b"example.com")), dns(b"a.example.com"), None);
    below("DNS name not within", constraint(PERMITTED, &tlv(0x82, b"example.com")), dns(b"example.org"), permitted);
    below("DNS constraint and no DNS name", constraint(PERMITTED, &tlv(0x82, b"example.com")), alice(), None);
    let host = Template::new("host.example.org", now);
    below("DNS constraint and a host as common name", constraint(PERMITTED, &tlv(0x82, b"example.com")), host, permitted);
    let address = alice().with(alternative(&[(0x87, &[10, 1, 2, 3])], false));
    let network = tlv(0x87, &[10, 1, 0, 0, 255, 255, 0, 0]);
    below("address within", constraint(PERMITTED, &network), address.clone(), None);
    below("address excluded", constraint(EXCLUDED, &network), address, excluded);
    let uri = alice().with(alternative(&[(0x86, b"spiffe://a.example.com/x")], false));
    below("URI within", constraint(PERMITTED, &tlv(0x86, b".example.com")), uri.clone(), None);
    below("URI excluded", constraint(EXCLUDED, &tlv(0x86, b".example.com")), uri, excluded);
    let registered = || alice().with(alternative(&[(0x88, &[0x2a, 3])], false));
    let unsupported = Some("unsupported name constraint type");
    below("a kind of name that nobody evaluates", constraint(PERMITTED, &tlv(0x88, &[0x2a, 3])), registered(), unsupported);
    let bounded = [tlv(0xa4, &name("alice")), tlv(0x80, &[1])].concat();
    let min_max = Some("name constraints minimum and maximum not supported");
    below("a constraint with a minimum", constraint(PERMITTED, &bounded), alice(), min_max);
    Server { name: "name constraints", authorities, lists: None, cases: cases.cases }
}

fn intermediate_only(now: i64, key: &Key) -> Server {
    let mut cases = Cases { key, cases: Vec::new() };
    let root = Authority::ordinary("root", Kind::P256, now);
    let middle = root.intermediate(&Template::new("middle", now).with(ca(None)), Key::new(Kind::P256));
    let leaf = middle.issue(&Template::new("alice", now), key);
    let no_issuer = Some("unable to get issuer certificate");
    cases.add("only the intermediate is trusted", &[&leaf], no_issuer);
    cases.add("only the intermediate is trusted, the root is sent along", &[&leaf, &middle.der, &root.der], no_issuer);
    Server { name: "only an intermediate in the file", authorities: vec![middle.der.clone()], lists: None, cases: cases.cases }
}

fn lists(now: i64, key: &Key) -> Server {
    let mut cases = Cases { key, cases: Vec::new() };
    let (mut authorities, mut lists) = (Vec::new(), Vec::new());
    let plain = || Template::new("alice", now);
    let current = |revoked: &[u32]| ListTemplate::new(revoked, now);
    let expired = || current(&[]).dates(now - 3 * DAY, now - DAY);
    let no_list = Some("unable to get certificate CRL");

    let root = Authority::ordinary("root", Kind::P256, now);
    lists.push(current(&[8, 200]).issue("root", &root.key));
    cases.add("not revoked", &[&root.issue(&plain(), key)], None);
    cases.add("revoked", &[&root.issue(&plain().serial(8), key)], Some("certificate revoked"));
    cases.add("revoked, serial with a leading zero", &[&root.issue(&plain().serial(200), key)], Some("certificate revoked"));
    let expired_leaf = plain().serial(8).dates(now - 3 * DAY, now - DAY);
    cases.add("revoked and expired", &[&root.issue(&expired_leaf, key)], Some("certificate has expired"));
    let middle = root.intermediate(&Template::new("middle", now).serial(8).with(ca(None)), Key::new(Kind::P256));
    lists.push(current(&[]).issue("middle", &middle.key));
    cases.add("below a revoked intermediate", &[&middle.issue(&plain(), key), &middle.der], None);
    let silent = root.intermediate(&Template::new("silent", now).with(ca(None)), Key::new(Kind::P256));
    cases.add("below an intermediate without a list", &[&silent.issue(&plain(), key), &silent.der], no_list);
    cases.add_with_key("the root itself, with its list", &[&root.der], root.key.clone(), None);
    authorities.push(root.der.clone());

    let mut with_list = |name: &'static str, template: Template, list: Option<ListTemplate>, signer: Option<Key>, reason| {
        let root = Authority::root(&template, Key::new(Kind::P256));
        if let Some(list) = list {
            lists.push(list.issue(&root.name, signer.as_ref().unwrap_or(&root.key)));
        }
        cases.add(name, &[&root.issue(&plain(), key)], reason);
        authorities.push(root.der);
    };
    let authority = |name: &str| Template::new(name, now).with(ca(None));
    with_list("no list", authority("no list"), None, None, no_list);
    with_list("expired list", authority("expired"), Some(expired()), None, Some("CRL has expired"));
    let future = current(&[]).dates(now + DAY, now + 2 * DAY);
    with_list("future list", authority("future"), Some(future), None, Some("CRL is not yet valid"));
    let revoking = expired();
    let revoking = ListTemplate { revoked: vec![7], ..revoking };
    with_list("revoked by an expired list", authority("expired 2"), Some(revoking), None, Some("certificate revoked"));
    with_list(
        "list of another key",
        authority("forged"),
        Some(current(&[])),
        Some(Key::new(Kind::P256)),
        Some("CRL signature failure"),
    );
    let may_not = authority("may not").with(key_usage(CERT_SIGN));
    with_list(
        "authority that may not sign lists",
        may_not,
        Some(current(&[])),
        None,
        Some("key usage does not include CRL signing"),
    );
    let may = authority("may").with(key_usage(CERT_SIGN | CRL_SIGN));
    with_list("authority that may sign lists", may, Some(current(&[])), None, None);
    let strange = current(&[]).with(unknown(true));
    with_list(
        "list with an unknown critical extension",
        authority("strange"),
        Some(strange),
        None,
        Some("unhandled critical CRL extension"),
    );
    let only = |tag| current(&[]).with(extension(&[0x55, 0x1d, 28], true, &tlv(0x30, &tlv(tag, &[0xff]))));
    with_list("list for users", authority("users"), Some(only(0x81)), None, None);
    with_list("list for authorities", authority("authorities"), Some(only(0x82)), None, no_list);
    with_list("indirect list", authority("indirect"), Some(only(0x84)), None, no_list);
    let identified = authority("identified").with(subject_key(b"this"));
    let other_key = current(&[]).with(authority_key(b"other"));
    with_list("list with the key identifier of another", identified, Some(other_key), None, no_list);

    let renewed = Authority::ordinary("renewed", Kind::P256, now);
    lists.push(expired().issue("renewed", &renewed.key));
    lists.push(current(&[7]).issue("renewed", &renewed.key));
    cases.add("an expired and a current list", &[&renewed.issue(&plain(), key)], Some("certificate revoked"));
    authorities.push(renewed.der);
    Server { name: "revocation lists", authorities, lists: Some(lists), cases: cases.cases }
}
