//! What another reader sees in the certificates, and what the command does with files.

use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::*;

fn request(subject: &str, names: &[&str]) -> Request {
    Request { subject: subject.into(), names: names.iter().map(ToString::to_string).collect(), days: 30 }
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

#[test]
fn a_ca_is_a_ca_and_its_certificates_name_it() {
    let (authority, ca) = Authority::create(&request("CN=CA,O=example", &[])).unwrap();
    let client = authority.sign(&request("CN=app,OU=clients,O=example", &[]), Purpose::Client).unwrap();
    let (ca, client) = (der(&ca.certificate), der(&client.joined()));
    let (ca, client) = (X509Certificate::from_der(&ca).unwrap().1, X509Certificate::from_der(&client).unwrap().1);
    assert!(ca.is_ca() && !client.is_ca());
    assert_eq!(client.subject().to_string(), "O=example, OU=clients, CN=app");
    assert_eq!(client.issuer(), ca.subject());
    let days = client.validity().time_to_expiration().unwrap().whole_days();
    assert!((29..=30).contains(&days), "{days}");
}

#[test]
fn each_purpose_has_its_extended_key_usage_and_names_are_there() {
    let (authority, _) = Authority::create(&request("CN=CA", &[])).unwrap();
    for (purpose, server, client) in
        [(Purpose::Server, true, false), (Purpose::Member, true, true), (Purpose::Client, false, true)]
    {
        let pair = authority.sign(&request("CN=x", &["localhost", "127.0.0.1", "::1"]), purpose).unwrap();
        let der = der(&pair.certificate);
        let certificate = X509Certificate::from_der(&der).unwrap().1;
        let usage = certificate.extended_key_usage().unwrap().unwrap().value;
        assert_eq!((usage.server_auth, usage.client_auth), (server, client), "{purpose:?}");
        let names = &certificate.subject_alternative_name().unwrap().unwrap().value.general_names;
        assert!(matches!(
            names[..],
            [GeneralName::DNSName("localhost"), GeneralName::IPAddress([127, 0, 0, 1]), GeneralName::IPAddress(_)]
        ));
    }
}

#[test]
fn a_ca_that_was_read_back_signs_as_before() {
    let (_, pair) = Authority::create(&request("CN=CA,O=example", &[])).unwrap();
    let again = Authority::from_pem(&pair).unwrap();
    let signed = der(&again.sign(&request("CN=x", &[]), Purpose::Client).unwrap().certificate);
    let (ca, signed) = (der(&pair.certificate), X509Certificate::from_der(&signed).unwrap().1);
    let ca = X509Certificate::from_der(&ca).unwrap().1;
    assert_eq!(signed.issuer(), ca.subject());
    assert!(
        signed
            .extensions()
            .iter()
            .any(|extension| extension.oid == x509_parser::oid_registry::OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER)
    );
}

#[test]
fn the_command_makes_private_files_and_overwrites_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let run = |arguments: &[&str]| main(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>());
    let ca = ["ca", "--out", &path("ca.pem"), "--key-out", &path("ca-key.pem")];
    let server =
        ["server", "--subject", "CN=s", "--ca", &path("ca.pem"), "--ca-key", &path("ca-key.pem"), "--out", &path("s.pem")];
    assert_eq!(run(&server), ExitCode::from(2), "there is no CA yet");
    assert_eq!(run(&ca), ExitCode::SUCCESS);
    assert_eq!(run(&server), ExitCode::SUCCESS);
    let before = std::fs::read(path("s.pem")).unwrap();
    assert_eq!(run(&ca), ExitCode::from(2));
    assert_eq!(run(&server), ExitCode::from(2));
    assert_eq!(std::fs::read(path("s.pem")).unwrap(), before);
    for name in ["ca.pem", "ca-key.pem", "s.pem"] {
        assert_eq!(std::fs::metadata(path(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert_eq!(run(&["client", "--subject", "nonsense"]), ExitCode::from(2));
    assert_eq!(run(&["client"]), ExitCode::from(2), "a client needs a subject");
}
