use super::*;
use crate::tls::der::{OCTET_STRING, Reader, SEQUENCE};
use crate::tls::pki::{Authority, Key, Kind, ListTemplate, Template, ca, pem};
use crate::tls::testing::{NOW, password};

/// A P-256 key, encrypted with PBES2 and the password `geheim`.
const ENCRYPTED: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----\n\
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAj12SVwW+NWEQICCAAw\n\
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEDc75niq3EQf+2odgeqUAPEEgZA8\n\
kOMbY7hQwaX53MBSOpz8eMbzkQBJ+S4dPAL56+mHfAIPKeBxPPwMqUuiTKyEdHTW\n\
hRjfrgdECjyjvtQX1jZ4RilpZswhw2SjExLOO7HWvjNS65JhTVTSlwzLI+j3k/zB\n\
zpoFQfbcPCatEg/IOHgS3d9NY4ZovsA+xHxsisySXkvMq0Jgrgb2AdgNusldCcc=\n\
-----END ENCRYPTED PRIVATE KEY-----\n\n";
/// The same key, encrypted with PBES1 and triple DES.
const ENCRYPTED_OLD: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----\n\
MIGxMBwGCiqGSIb3DQEMAQMwDgQIYOt9C1TZV8cCAggABIGQ3yJrroVQcrZOEDN3\n\
l83T9Ik4G+Owx8OtAMHU9zAH65tvl0AanhRjpM4OkF9Zo8JG93XE2GJHPYtEpBHZ\n\
QvJsbbLE54NrWSVEdZ3jYs2H6pBIVMN8YIyEMZbwdwsrE2N7h+0KbQ8Ds+Utn5uS\n\
RWuGfvkxvtvlXS8jWbtrNCgUiNXKLA9TTwpRShQejP9v+9Hk\n\
-----END ENCRYPTED PRIVATE KEY-----\n\n";
/// The public key of both.
const PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEfLLhX5hyLUQ/sskZAeDsbBjqHY9w\n\
XHWNjCV7lRBnkf68OYwPE/Ge23+ICW+/9Fcyk1uOqAh5xC2Kz7zfnEVkeA==\n\
-----END PUBLIC KEY-----\n\n";

const LEGACY: &str =
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAQID\n-----END RSA PRIVATE KEY-----\n";

fn read(file: &str) -> Result<Identity, Problem> {
    identity(file.as_bytes(), None, None, &crate::tls::provider())
}

fn certificate(der: &[u8]) -> String {
    pem("CERTIFICATE", der)
}

/// What is inside of a PKCS #8 key: PKCS #1 for RSA, SEC 1 for a curve.
fn traditional(key: &Key) -> Vec<u8> {
    let mut fields = Reader::only(&key.pkcs8, SEQUENCE).unwrap().inside();
    fields.any().unwrap();
    fields.any().unwrap();
    fields.read(OCTET_STRING).unwrap().content.to_vec()
}

#[test]
fn certificate_chain_and_key_are_found_in_any_order() {
    let root = Authority::ordinary("root", Kind::P256, NOW);
    let middle = root.intermediate(&Template::new("middle", NOW).with(ca(None)), Key::new(Kind::P256));
    let key = Key::new(Kind::P256);
    let leaf = middle.issue(&Template::new("alice", NOW), &key);
    let (leaf_pem, middle_pem, root_pem) = (certificate(&leaf), certificate(&middle.der), certificate(&root.der));
    for file in [
        format!("{leaf_pem}{middle_pem}{root_pem}{}", key.pem()),
        format!("{}{leaf_pem}{middle_pem}{root_pem}", key.pem()),
        format!("{root_pem}{middle_pem}{}{leaf_pem}", key.pem()),
        format!("{root_pem}{leaf_pem}{middle_pem}{}", key.pem()),
    ] {
        let identity = read(&file).unwrap();
        assert_eq!(identity.leaf.der, leaf);
        let chain: Vec<&[u8]> = identity.certificates().map(|certificate| certificate.der.as_slice()).collect();
        assert_eq!(chain, [&leaf[..], &middle.der, &root.der]);
    }
}

#[test]
fn the_key_may_be_in_its_own_file() {
    let root = Authority::ordinary("root", Kind::P256, NOW);
    let file = certificate(&root.der);
    let other = Key::new(Kind::P256).pem();
    let separate = |key: &str| identity(file.as_bytes(), Some(key.as_bytes()), None, &crate::tls::provider());
    separate(&root.key.pem()).unwrap();
    assert!(matches!(separate(&other), Err(Problem::KeyMismatch)));
    assert!(matches!(separate(""), Err(Problem::NoKey)));
}

#[test]
fn keys_of_every_kind_and_form_are_read() {
    for (kind, form) in [
        (Kind::P256, Some("EC PRIVATE KEY")),
        (Kind::P384, Some("EC PRIVATE KEY")),
        (Kind::P521, Some("EC PRIVATE KEY")),
        (Kind::Rsa, Some("RSA PRIVATE KEY")),
        (Kind::Ed25519, None),
    ] {
        let own = Authority::ordinary("own", kind, NOW);
        read(&(certificate(&own.der) + &own.key.pem())).unwrap();
        if let Some(label) = form {
            read(&(certificate(&own.der) + &pem(label, &traditional(&own.key)))).unwrap();
        }
    }
}

#[test]
fn an_encrypted_key_is_opened_by_its_password_alone() {
    let spki = &sections(PUBLIC.as_bytes()).unwrap()[0].content.to_vec();
    let root = Authority::ordinary("root", Kind::P256, NOW);
    let leaf = certificate(&Template::new("alice", NOW).issue(spki, "root", &root.key));
    let open = |key: &str, text: Option<&str>| {
        identity((leaf.clone() + key).as_bytes(), None, text.map(password).as_ref(), &crate::tls::provider())
    };
    open(ENCRYPTED, Some("geheim")).unwrap();
    assert!(matches!(open(ENCRYPTED, Some("wrong")), Err(Problem::NotDecrypted)));
    assert!(matches!(open(ENCRYPTED, None), Err(Problem::PasswordNeeded)));
    let old = open(ENCRYPTED_OLD, Some("geheim")).unwrap_err();
    assert!(matches!(old, Problem::NotDecrypted) && old.to_string().contains("openssl pkcs8 -topk8"), "{old}");
    let legacy = open(LEGACY, Some("geheim")).unwrap_err();
    assert!(matches!(legacy, Problem::LegacyEncryption) && legacy.to_string().contains("openssl pkcs8 -topk8"), "{legacy}");
}

#[test]
fn a_password_for_a_plain_key_does_no_harm() {
    let own = Authority::ordinary("own", Kind::P256, NOW);
    let file = certificate(&own.der) + &own.key.pem();
    identity(file.as_bytes(), None, Some(&password("x")), &crate::tls::provider()).unwrap();
}

#[test]
fn each_fault_of_a_file_has_its_own_error() {
    let own = Authority::ordinary("own", Kind::P256, NOW);
    let key = own.key.pem();
    let good = certificate(&own.der);
    for (file, expected) in [
        ("garbage".to_owned(), "NoCertificate"),
        (key.clone(), "NoCertificate"),
        (good.clone(), "NoKey"),
        (good.clone() + &Key::new(Kind::P256).pem(), "KeyMismatch"),
        (good.clone() + &pem("PRIVATE KEY", b"?"), "UnsupportedKey"),
        (good.clone() + &pem("DSA PRIVATE KEY", b"?"), "UnsupportedKey"),
        (good.clone() + &pem("CERTIFICATE", b"?") + &key, "Undecodable(2)"),
        (good.replace("CERTIFICATE", "TRUSTED CERTIFICATE") + &key, "TrustedCertificate"),
        (good.replace("-----END", "----END") + &key, "DamagedPem(\"CERTIFICATE\")"),
    ] {
        assert_eq!(format!("{:?}", read(&file).unwrap_err()), expected);
    }
}

#[test]
fn an_authority_file_and_a_list_file_hold_several() {
    let (first, second) = (Authority::ordinary("a", Kind::P256, NOW), Authority::ordinary("b", Kind::P256, NOW));
    let file = certificate(&first.der) + &certificate(&second.der);
    assert_eq!(authorities(file.as_bytes()).unwrap().0.len(), 2);
    assert!(matches!(authorities(b""), Err(Problem::NoCertificate)));
    let list = |authority: &Authority| pem("X509 CRL", &ListTemplate::new(&[1], NOW).issue(&authority.name, &authority.key));
    let lists = list(&first) + &list(&second);
    assert_eq!(revocation_lists(lists.as_bytes()).unwrap().next_updates().count(), 2);
    assert!(matches!(revocation_lists(file.as_bytes()), Err(Problem::NoRevocationList)));
    assert!(matches!(revocation_lists(pem("X509 CRL", b"?").as_bytes()), Err(Problem::Undecodable(1))));
}

#[test]
fn a_key_is_never_printed() {
    let own = Authority::ordinary("own", Kind::P256, NOW);
    let printed = format!("{:?}", read(&(certificate(&own.der) + &own.key.pem())).unwrap());
    assert_eq!(printed, format!("Identity {{ not_after: {}, .. }}", NOW + 10 * 86_400));
}
