//! `check`, `explain` and `keyfile`: what they tell, and what they refuse.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use doorward::certs::{Authority, Pair, Purpose, Request};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
};

use super::{doorward, stderr, stdout};

/// `SET OF SEQUENCE { "read", "mongodb" }`.
const ROLES: &[u8] = b"\x31\x11\x30\x0f\x0c\x04read\x0c\x07mongodb";

/// A folder with a CA, what it signed, a revocation list and a keyfile.
pub(crate) struct Files {
    folder: tempfile::TempDir,
    authority: Pair,
}

impl Files {
    pub(crate) fn new() -> Self {
        let request = |subject: &str, days| Request { subject: subject.to_owned(), names: Vec::new(), days };
        let (_, authority) = Authority::create(&request("CN=Test CA,O=example", 3650)).unwrap();
        let files = Self { folder: tempfile::tempdir().unwrap(), authority };
        files.write("ca.pem", &files.authority.certificate);
        for (name, subject, purpose, sans, days) in [
            ("server.pem", "CN=server,OU=db,O=example", Purpose::Member, &["localhost", "127.0.0.1"][..], 365),
            ("member.pem", "CN=other,O=example,OU=db", Purpose::Member, &["localhost"], 365),
            ("client.pem", "CN=app \\\"1\\\",OU=apps,O=example", Purpose::Client, &[], 365),
            ("soon.pem", "CN=soon,O=example", Purpose::Server, &[], 5),
        ] {
            let request = Request { names: sans.iter().map(|san| (*san).to_owned()).collect(), ..request(subject, days) };
            files.write(name, &files.authority().sign(&request, purpose).unwrap().joined());
        }
        files.write("crl.pem", &files.revocation_list());
        files.write("keyfile", "- abcdef\n- bcd efg h\n");
        // As a Kubernetes secret has them.
        let request = request("CN=server,O=example", 365);
        let Pair { certificate, key } = files.authority().sign(&request, Purpose::Server).unwrap();
        files.write("tls.crt", &certificate);
        files.write("tls.key", &key);
        files
    }

    fn authority(&self) -> Authority {
        let Pair { certificate, key } = &self.authority;
        Authority::from_pem(&Pair { certificate: certificate.clone(), key: key.clone() }).unwrap()
    }

    fn issuer(&self) -> Issuer<'static, KeyPair> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(DnType::OrganizationName, "example");
        parameters.distinguished_name.push(DnType::CommonName, "Test CA");
        Issuer::new(parameters, KeyPair::from_pem(&self.authority.key).unwrap())
    }

    fn revocation_list(&self) -> String {
        let now = std::time::SystemTime::now();
        let list = CertificateRevocationListParams {
            this_update: now.into(),
            next_update: (now + std::time::Duration::from_secs(60 * 86_400)).into(),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer()).unwrap().pem().unwrap()
    }

    /// A certificate of the CA that is not an ordinary one.
    fn certificate(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> String {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        change(&mut parameters);
        self.write(name, &parameters.signed_by(&KeyPair::generate().unwrap(), &self.issuer()).unwrap().pem())
    }

    pub(crate) fn path(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        path.to_str().unwrap().trim_end_matches('/').to_owned()
    }

    /// Writes a file that its owner alone may read.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// A configuration with TLS and these lines.
    fn config(&self, lines: &str) -> String {
        let text = format!(
            "net:\n  tls: {{mode: requireTLS, certificateKeyFile: {}, CAFile: {}}}\n{lines}\nproxy: {{upstream: {{address: 'a:1'}}}}\n",
            self.path("server.pem"),
            self.path("ca.pem")
        );
        self.write("doorward.conf", &text)
    }
}

#[test]
fn check_tells_what_certificates_and_keyfile_hold() {
    let files = Files::new();
    let config = files.config(&format!("security: {{keyFile: {}, clusterAuthMode: sendX509}}", files.path("keyfile")));
    let text = fs::read_to_string(&config).unwrap().replace("CAFile:", &format!("CRLFile: {}, CAFile:", files.path("crl.pem")));
    let config = files.write("doorward.conf", &text);
    let output = doorward(&["check", "--config", &config]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    let expected = [
        format!("# net.tls.certificateKeyFile: {}\n#   certificate\n#     subject: CN=server,OU=db,O=example\n", files.path("server.pem")),
        "#     issuer: CN=Test CA,O=example\n".to_owned(),
        " days left\n#     alternative names: DNS:localhost, IP:127.0.0.1\n".to_owned(),
        "#     certificate authority: no\n".to_owned(),
        format!("# net.tls.CAFile: {}\n#   authority\n#     subject: CN=Test CA,O=example\n", files.path("ca.pem")),
        "#     issuer: CN=Test CA,O=example (self-signed)\n".to_owned(),
        "#     certificate authority: yes\n".to_owned(),
        format!("# net.tls.CRLFile: {}\n#   revocation list\n#     valid until: ", files.path("crl.pem")),
        " days left\n".to_owned(),
        format!("# security.keyFile: {}\n#   keys of 6 and 7 characters; ", files.path("keyfile")),
        "# Cluster members by certificate: who has exactly these O, OU and DC in the certificate's subject, in any order: O=example,OU=db\n\
         #   such a certificate logs in as __system"
            .to_owned(),
    ];
    for expected in expected {
        assert!(text.contains(&expected), "{expected:?} is missing in\n{text}");
    }
    assert!(!text.contains("abcdef"), "a key is printed:\n{text}");
    // What the files hold is a comment; the days left in it go by the clock.
    let options = |text: &str| text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    let again = stdout(&doorward(&["check", "--config", &files.write("again.conf", &text)]));
    assert_eq!(options(&again), options(&text), "what check prints is a configuration");
}

#[test]
fn check_refuses_what_a_start_refuses_and_names_option_and_file() {
    let files = Files::new();
    let open = files.write("open", "abcdef");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o640)).unwrap();
    let wrong = files.write("wrong", "topsecret!");
    let path = |name: &str| files.path(name);
    let cases = [
        (
            format!("security: {{keyFile: {open}}}"),
            vec!["security.keyFile: ".to_owned(), format!("permissions on {open} are too open")],
        ),
        (format!("security: {{keyFile: {wrong}}}"), vec![format!("security.keyFile: {wrong}: invalid char in key file")]),
        (
            format!("security: {{keyFile: {}}}", path("none")),
            vec![format!("security.keyFile: {}: Error reading file", path("none"))],
        ),
        (
            format!("  tls: {{clusterFile: {}}}", path("none")),
            vec![format!("net.tls.clusterFile: {}: the file can not be read", path("none"))],
        ),
        (
            format!("  tls: {{clusterFile: {}}}", path("ca.pem")),
            vec![format!("net.tls.clusterFile: {}: there is no private key", path("ca.pem"))],
        ),
        (
            format!("  tls: {{CRLFile: {}}}", path("ca.pem")),
            vec![format!("net.tls.CRLFile: {}: there is no revocation list", path("ca.pem"))],
        ),
        (
            "setParameter: {tlsCATrusts: '[{sha256: \"zz\", roles: []}]'}".to_owned(),
            vec!["setParameter.tlsCATrusts: Hash input is not a hex string".to_owned()],
        ),
    ];
    for (lines, expected) in cases {
        // Options of net.tls go into the map that is there already.
        let config = match lines.strip_prefix("  tls: {") {
            None => files.config(&lines),
            Some(tls) => {
                let text = fs::read_to_string(files.config("")).unwrap();
                files.write("doorward.conf", &text.replace("{mode", &format!("{{{}, mode", tls.trim_end_matches('}'))))
            }
        };
        for command in ["check", "serve"] {
            let output = doorward(&[command, "--config", &config]);
            assert_eq!(output.status.code(), Some(2), "{command} {lines}: {}", stderr(&output));
            for expected in &expected {
                assert!(stderr(&output).contains(expected), "{lines}: {expected:?} is missing in {}", stderr(&output));
            }
            let printed = stdout(&output) + &stderr(&output);
            assert!(!printed.contains("topsecret"), "a key is printed: {printed}");
        }
        assert!(stdout(&doorward(&["check", "--config", &config])).is_empty());
    }
}

#[test]
fn check_warns_of_what_an_operator_should_know() {
    let files = Files::new();
    let keyfile = files.path("keyfile");
    let with_soon = |lines: &str| {
        let text = fs::read_to_string(files.config(lines)).unwrap();
        files.write("doorward.conf", &text.replace("server.pem", "soon.pem"))
    };
    let soon = format!("warning: net.tls.certificateKeyFile: {}: ", files.path("soon.pem"));
    let checked = |config: String| stderr(&doorward(&["check", "--config", &config]));
    let text = checked(with_soon(""));
    assert!(text.contains(&format!("{soon}CN=soon,O=example: ")), "{text}");
    assert!(text.contains(&format!("{soon}Server certificate has no compatible Subject Alternative Name")), "{text}");
    let text = checked(with_soon("setParameter: {tlsX509ExpirationWarningThresholdDays: 0}"));
    assert!(!text.contains("days left"), "{text}");
    let text = checked(files.config("security: {authorization: disabled}"));
    assert!(text.contains("warning: Access control is not enabled"), "{text}");
    let text = checked(files.config(&format!("security: {{keyFile: {keyfile}, transitionToAuth: true}}")));
    assert!(text.contains("warning: security.transitionToAuth is on"), "{text}");
    assert_eq!(checked(files.config("")), "");
}

#[test]
fn a_generated_keyfile_is_accepted_private_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyfile");
    let name = path.to_str().unwrap();
    let made = doorward(&["keyfile", "generate", "--output", name]);
    assert_eq!((made.status.code(), stdout(&made)), (Some(0), format!("{name}\n")), "{}", stderr(&made));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400);
    let key = fs::read_to_string(&path).unwrap();
    let again = doorward(&["keyfile", "generate", "--output", name]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).starts_with(&format!("--output {name}: ")), "{}", stderr(&again));
    assert_eq!(fs::read_to_string(&path).unwrap(), key);
    let checked = doorward(&["keyfile", "check", name]);
    assert_eq!((checked.status.code(), stdout(&checked)), (Some(0), format!("{name}: accepted, one key of 1008 characters\n")));
    let printed = stdout(&doorward(&["keyfile", "generate"]));
    assert!(printed.len() == key.len() && printed != key, "{printed}");
}

#[test]
fn a_keyfile_is_refused_in_mongods_words_with_a_remedy() {
    let files = Files::new();
    let cases = [
        ("short", "abc", "Security key size is out range", "6 to 1024 characters"),
        ("wrong", "hunter2!", "invalid char in key file", "letters, digits"),
        ("three", "[abcdef, abcdef, abcdef]", "Only two keys are supported", "the old one"),
        ("map", "a: b", "Only strings and sequences are supported for YAML key files", "a YAML list of two"),
        ("none", "[]", "does not contain any valid keys", "doorward keyfile generate"),
    ];
    for (name, content, text, remedy) in cases {
        let path = files.write(name, content);
        let output = doorward(&["keyfile", "check", &path]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        let said = stderr(&output);
        assert!(said.starts_with(&format!("{path}: refused: ")), "{said}");
        assert!(said.to_lowercase().contains(&text.to_lowercase()) && said.contains(remedy), "{name}: {said}");
        assert!(!said.contains("hunter2"), "a key is printed: {said}");
    }
    let open = files.write("open", "abcdef");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o604)).unwrap();
    let said = stderr(&doorward(&["keyfile", "check", &open]));
    assert!(said.contains(&format!("permissions on {open} are too open")) && said.contains("chmod 400"), "{said}");
    assert_eq!(doorward(&["keyfile", "check", &files.path("nowhere")]).status.code(), Some(2));
}

#[test]
fn explain_tells_the_user_name_ready_to_be_pasted() {
    let files = Files::new();
    let output = doorward(&["explain", &files.path("client.pem")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    for expected in [
        "  user name: CN=app \\\"1\\\",OU=apps,O=example\n",
        "    db.getSiblingDB(\"$external\").runCommand({createUser: \"CN=app \\\\\\\"1\\\\\\\",OU=apps,O=example\", roles: []})\n",
        "  roles in the certificate: none\n",
        "  extended key usage: clientAuth\n",
        "  accepted: not judged; --config names the CA\n",
        "No problems found",
    ] {
        assert!(text.contains(expected), "{expected:?} is missing in\n{text}");
    }
}

#[test]
fn explain_tells_what_becomes_of_each_kind_of_certificate() {
    let files = Files::new();
    let name = |parameters: &mut CertificateParams| parameters.distinguished_name.push(DnType::CommonName, "x");
    let roles = || CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 34601, 2, 1, 1], ROLES.to_vec());
    let empty = files.certificate("empty.pem", |_| {});
    let server_only = files.certificate("server-only.pem", |parameters| {
        name(parameters);
        parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    });
    let sign_only = files.certificate("sign-only.pem", |parameters| {
        name(parameters);
        parameters.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    let expired = files.certificate("expired.pem", |parameters| {
        name(parameters);
        parameters.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    let emoji = files.certificate("emoji.pem", |parameters| parameters.distinguished_name.push(DnType::CommonName, "\u{1f600}"));
    let with_roles = files.certificate("roles.pem", |parameters| {
        name(parameters);
        parameters.custom_extensions = vec![roles()];
    });
    let stranger = Authority::create(&Request { subject: "CN=stranger".into(), names: vec![], days: 9 }).unwrap().1;
    let stranger = files.write("stranger.pem", &stranger.certificate);
    let closed =
        |reason: &str| format!("accepted: no, the connection is closed: SSL peer certificate validation failed: {reason}\n");
    let (x509, none) = ("security: {clusterAuthMode: x509}", "setParameter: {tlsCATrusts: '[]'}");
    let cases: [(&str, &str, &[&str]); 11] = [
        (
            &files.path("client.pem"),
            x509,
            &["accepted: yes, by the CA CN=Test CA,O=example", "member or client: client; a member is who has"],
        ),
        (&files.path("member.pem"), x509, &["member or client: CLUSTER MEMBER", "logs in as __system", "no user can be created"]),
        (&files.path("member.pem"), "", &["CLUSTER MEMBER", "can not log in at all (error 18)"]),
        (
            &files.path("soon.pem"),
            "",
            &["Problems\n  - the extended key usage does not include clientAuth", "it ends soon", "days left"],
        ),
        (&empty, "", &["user name: none", "error 18 AuthenticationFailed \"No verified subject name available from client\""]),
        (&server_only, "", &["does not include clientAuth", &closed("unsuitable certificate purpose")]),
        (&sign_only, "", &["neither digitalSignature nor keyAgreement", &closed("unsuitable certificate purpose")]),
        (&expired, "", &["EXPIRED", &closed("certificate has expired")]),
        (&emoji, "", &["before any command: Error preflighting normalization: U_STRINGPREP_UNASSIGNED_ERROR"]),
        (&with_roles, none, &["roles in the certificate: read@mongodb", "closed: tlsCATrusts parameter prohibits role based"]),
        (&stranger, "", &[&closed("self-signed certificate")]),
    ];
    for (certificate, lines, expected) in cases {
        let output = doorward(&["explain", certificate, "--config", &files.config(lines)]);
        assert_eq!(output.status.code(), Some(0), "{certificate}: {}", stderr(&output));
        for expected in expected {
            assert!(stdout(&output).contains(expected), "{certificate}: {expected:?} is missing in\n{}", stdout(&output));
        }
    }
    let without = stdout(&doorward(&["explain", &with_roles]));
    assert!(without.contains("no user has to be created") && !without.contains("createUser:"), "{without}");
}

#[test]
fn explain_refuses_what_it_can_not_read() {
    let files = Files::new();
    let (key, bad) = (files.path("keyfile"), files.write("bad.conf", "net: {prot: 1}\n"));
    for (words, expected) in [
        (vec!["explain", &key], "there is no certificate in this file"),
        (vec!["explain", "/nonexistent"], "CERT.pem: /nonexistent: the file can not be read"),
        (vec!["explain", &files.path("client.pem"), "--config", &bad], "Unrecognized option: net.prot"),
        (vec!["explain"], "CERT.pem"),
    ] {
        let output = doorward(&words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(stderr(&output).contains(expected), "{words:?}: {}", stderr(&output));
    }
}

#[test]
fn readiness_says_where_it_looked_for_a_running_doorward() {
    let files = Files::new();
    let upstream = "proxy: {upstream: {address: 127.0.0.1:27018}";
    let without = files.write("without.conf", &format!("{upstream}}}\n"));
    // Port 1 is nobody's.
    let with = files.write("with.conf", &format!("{upstream}, admin: {{bindIp: 0.0.0.0, port: 1}}}}\n"));
    for (words, status, expected) in [
        (vec!["readiness"], 2, "--config FILE"),
        (vec!["readiness", "--config", "/nonexistent"], 2, "/nonexistent"),
        (vec!["readiness", "--config", &without], 2, "proxy.admin.port is not set"),
        (vec!["readiness", "--config", &with], 1, "no doorward answers at 127.0.0.1:1"),
        (vec!["readiness", "--admin", "127.0.0.1:1", "--roles", "shop"], 1, "proxy.admin.port"),
        (vec!["readiness", "--admin", "127.0.0.1"], 2, "--admin 127.0.0.1"),
    ] {
        let output = doorward(&words);
        assert_eq!(output.status.code(), Some(status), "{words:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{words:?}: {}", stderr(&output));
    }
}
