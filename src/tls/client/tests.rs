use std::net::IpAddr;
use std::sync::Mutex;

use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};

use super::*;
use crate::tls::pki::{Authority, DAY, Key, Kind, Template, alternative, extended, no_ca, pem};
use crate::tls::testing::{Files, NOW, handshake};

/// The clock of the library stands still at [`NOW`].
#[derive(Debug)]
struct Now;

impl TimeProvider for Now {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(NOW.unsigned_abs())))
    }
}

struct World {
    root: Authority,
    key: Key,
    tls: UpstreamTls,
    files: Files,
}

fn world() -> World {
    let files = Files::new();
    let root = Authority::ordinary("root", Kind::P256, NOW);
    let tls = UpstreamTls {
        ca_file: Some(files.write("ca.pem", &pem("CERTIFICATE", &root.der))),
        certificate_key_file: None,
        certificate_key_file_password: None,
        allow_invalid_hostnames: false,
        allow_invalid_certificates: false,
    };
    World { root, key: Key::new(Kind::P256), tls, files }
}

impl World {
    fn config(&self) -> Arc<ClientConfig> {
        let mut config = (*ClientTls::load(&self.tls, NOW).unwrap().config).clone();
        config.time_provider = Arc::new(Now);
        Arc::new(config)
    }

    fn server(&self, template: &Template, key: &Key) -> Arc<ServerConfig> {
        server(&[self.root.issue(template, &self.key)], key, &[&TLS12, &TLS13])
    }

    /// What a connection to `host` says of a server with this certificate.
    fn connect(&self, template: &Template, host: &str) -> Result<(), UpstreamCertificateError> {
        let result = handshake(&self.config(), &self.server(template, &self.key), host).2;
        result.map_err(|error| UpstreamCertificateError::of(&error).unwrap_or_else(|| panic!("{error}")).clone())
    }
}

fn server(chain: &[Vec<u8>], key: &Key, versions: &[&'static rustls::SupportedProtocolVersion]) -> Arc<ServerConfig> {
    let chain = chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
    let key = Arc::new(CertifiedKey::new(chain, Arc::clone(&key.signer)));
    let config = ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions).unwrap();
    let resolver = rustls::sign::SingleCertAndKey::from(key);
    Arc::new(config.with_no_client_auth().with_cert_resolver(Arc::new(resolver)))
}

fn localhost() -> Template {
    Template::new("localhost", NOW)
}

fn ip(text: &str) -> Vec<u8> {
    match text.parse().unwrap() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

#[test]
fn a_server_is_checked_as_mongod_checks_its_peers() {
    use InvalidCertificate as I;
    let world = world();
    let invalid = |reason| Err(UpstreamCertificateError::Invalid(reason));
    for (name, template, expected) in [
        ("plain", localhost(), Ok(())),
        ("version 1", localhost().version_1(), Ok(())),
        ("for servers", localhost().with(extended(&[1])), Ok(())),
        ("for clients", localhost().with(extended(&[2])), invalid(I::UnsuitablePurpose)),
        ("expired", localhost().dates(NOW - 2 * DAY, NOW - DAY), invalid(I::Expired)),
        ("no authority", localhost().with(no_ca()), Ok(())),
    ] {
        assert_eq!(world.connect(&template, "localhost"), expected, "{name}");
    }
}

#[test]
fn the_host_is_looked_for_in_the_alternative_names_and_only_then_in_the_common_name() {
    let world = world();
    let dns = |host: &'static [u8]| localhost().with(alternative(&[(0x82, host)], false));
    let address = |text: &str| localhost().with(alternative(&[(0x87, &ip(text))], false));
    for (template, host, matches) in [
        (localhost(), "localhost", true),
        (localhost(), "LocalHost", true),
        (localhost(), "127.0.0.1", false),
        (dns(b"other"), "localhost", false),
        (dns(b"other"), "other", true),
        (dns(b"127.0.0.1"), "127.0.0.1", true),
        (dns(b"*.example.com"), "a.example.com", true),
        (address("127.0.0.1"), "127.0.0.1", true),
        (address("127.0.0.1"), "localhost", false),
        (address("::1"), "::1", true),
        (localhost().with(alternative(&[(0x86, b"spiffe://x/y")], false)), "localhost", false),
    ] {
        assert_eq!(world.connect(&template, host).is_ok(), matches, "{host}");
    }
    let error = world.connect(&dns(b"other"), "localhost").unwrap_err();
    let text =
        "The server certificate does not match the host name. Hostname: localhost does not match SAN(s): other, CN: localhost";
    assert_eq!(error.to_string(), text);
}

#[test]
fn the_two_options_waive_what_mongods_waive() {
    let mut world = world();
    let foreign = Template::new("other", NOW);
    let expired = Template::new("other", NOW).dates(NOW - 2 * DAY, NOW - DAY);
    world.tls.allow_invalid_hostnames = true;
    assert_eq!(world.connect(&foreign, "localhost"), Ok(()));
    assert_eq!(world.connect(&expired, "localhost"), Err(UpstreamCertificateError::Invalid(InvalidCertificate::Expired)));
    world.tls.allow_invalid_hostnames = false;
    world.tls.allow_invalid_certificates = true;
    assert_eq!(world.connect(&expired, "localhost"), Ok(()));
}

#[test]
fn without_an_authority_file_no_server_is_believed() {
    let mut world = world();
    world.tls.ca_file = None;
    assert!(world.connect(&localhost(), "localhost").is_err());
}

#[test]
fn a_server_that_does_not_hold_its_key_is_refused_even_if_invalid_certificates_are_allowed() {
    let mut world = world();
    world.tls.allow_invalid_certificates = true;
    for versions in [[&TLS12], [&TLS13]] {
        for template in [localhost(), localhost().version_1()] {
            let chain = [world.root.issue(&template, &world.key)];
            let thief = server(&chain, &Key::new(Kind::P256), &versions);
            assert!(handshake(&world.config(), &thief, "localhost").2.is_err());
            let owner = server(&chain, &world.key, &versions);
            handshake(&world.config(), &owner, "localhost").2.unwrap();
        }
    }
}

#[test]
fn the_client_certificate_is_shown_whatever_authorities_the_server_names() {
    let mut world = world();
    let own = Authority::root(&Template::new("doorward", NOW).with(no_ca()), Key::new(Kind::P256));
    let path = world.files.write("client.pem", &(pem("CERTIFICATE", &own.der) + &own.key.pem()));
    world.tls.certificate_key_file = Some(path.clone());
    let loaded = ClientTls::load(&world.tls, NOW).unwrap();
    assert_eq!(loaded.certificate().map(AsRef::as_ref), Some(own.der.as_slice()));
    let shown = loaded.materials().last().unwrap();
    assert_eq!((shown.option, &shown.path, shown.not_after), (CERTIFICATE_KEY_FILE, &path, NOW + 10 * DAY));
    assert_eq!(shown.certificate.as_deref(), Some(own.der.as_slice()));
    // A server that names an authority that is not the client's, and looks at what it gets.
    let seen = Arc::new(Mutex::new(None));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(world.root.der.clone())).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build().unwrap();
    let certificate = CertificateDer::from(world.root.issue(&localhost(), &world.key));
    let key = Arc::new(CertifiedKey::new(vec![certificate], Arc::clone(&world.key.signer)));
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(Arc::new(Recorder(verifier, Arc::clone(&seen))))
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)));
    let _ = handshake(&world.config(), &Arc::new(server), "localhost");
    assert_eq!(seen.lock().unwrap().clone(), Some(own.der));
}

/// Notes the certificate that it is asked about, and refuses it.
#[derive(Debug)]
struct Recorder(Arc<dyn rustls::server::danger::ClientCertVerifier>, Arc<Mutex<Option<Vec<u8>>>>);

impl rustls::server::danger::ClientCertVerifier for Recorder {
    fn root_hint_subjects(&self) -> &[rustls::DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<rustls::server::danger::ClientCertVerified, Error> {
        *self.1.lock().unwrap() = Some(end_entity.to_vec());
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[test]
fn each_bad_file_is_named_with_its_option() {
    let world = world();
    let missing = world.files.missing();
    let mut tls = world.tls.clone();
    tls.ca_file = Some(missing.clone());
    let error = ClientTls::load(&tls, NOW).unwrap_err();
    assert_eq!((error.option, &error.path), (CA_FILE, &missing));
    let mut tls = world.tls;
    tls.certificate_key_file = Some(missing.clone());
    let error = ClientTls::load(&tls, NOW).unwrap_err();
    assert_eq!((error.option, &error.path), (CERTIFICATE_KEY_FILE, &missing));
}
