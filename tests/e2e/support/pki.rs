//! Certificates made for one run: a CA, servers, members, clients, bad ones, and revocation lists.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, CustomExtension,
    DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::run;

/// The certificates of this run.
pub(crate) fn pki() -> &'static Pki {
    static PKI: LazyLock<Pki> = LazyLock::new(Pki::new);
    &PKI
}

/// A CA and what it issued.
pub(crate) struct Pki {
    authority: CertifiedIssuer<'static, KeyPair>,
    intermediate: CertificateDer<'static>,
    authority_file: PathBuf,
    revocations_file: PathBuf,
    no_revocations_file: PathBuf,
    stale_revocations_file: PathBuf,
    identities: HashMap<&'static str, Identity>,
}

/// A certificate and its key.
pub(crate) struct Identity {
    certificate: CertificateDer<'static>,
    /// What the client sends behind its certificate.
    intermediate: Option<CertificateDer<'static>>,
    key: Vec<u8>,
    /// Certificate and key in one PEM file.
    pub(crate) file: PathBuf,
}

impl Identity {
    /// The chain that a client shows.
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        std::iter::once(&self.certificate).chain(&self.intermediate).cloned().collect()
    }

    /// The private key.
    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()))
    }
}

/// Who signs a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signer {
    Authority,
    /// One that the authority signed.
    Intermediate,
    Stranger,
    Itself,
}

/// What a certificate says.
struct Plan {
    name: &'static str,
    /// The attributes in the order of the certificate, with `/` between them.
    subject: &'static str,
    signer: Signer,
    /// First and last year of validity; it begins and ends on January 1.
    years: (i32, i32),
    usage: &'static [ExtendedKeyUsagePurpose],
    /// Roles in the certificate: DER of the role extension.
    roles: &'static [u8],
}

const CLIENT: &[ExtendedKeyUsagePurpose] = &[ExtendedKeyUsagePurpose::ClientAuth];
const SERVER: &[ExtendedKeyUsagePurpose] = &[ExtendedKeyUsagePurpose::ServerAuth];
const PEER: &[ExtendedKeyUsagePurpose] = &[ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
const VALID: (i32, i32) = (2020, 2099);

/// `SET { SEQUENCE { "read", "app" } }`.
const READ_APP: &[u8] = b"\x31\x0d\x30\x0b\x0c\x04read\x0c\x03app";

const fn plan(name: &'static str, subject: &'static str, usage: &'static [ExtendedKeyUsagePurpose]) -> Plan {
    Plan { name, subject, signer: Signer::Authority, years: VALID, usage, roles: b"" }
}

/// Every certificate by its name in the tests.
const PLANS: &[Plan] = &[
    plan("server", "O=doorward/OU=cluster/CN=server", PEER),
    plan("next server", "O=doorward/OU=cluster/CN=next server", PEER),
    plan("member", "O=doorward/OU=cluster/CN=member", PEER),
    plan("other member", "O=elsewhere/OU=cluster/CN=member", PEER),
    plan("alice", "O=doorward/OU=clients/CN=alice", CLIENT),
    plan("root", "O=doorward/OU=clients/CN=r\u{f6},ot", CLIENT),
    plan("recorded", "CN=alice/OU=Users/O=Lab/C=US", CLIENT), // The client's certificate of the recorded transcripts.
    plan("nobody", "O=doorward/OU=clients/CN=nobody", CLIENT),
    plan("revoked", "O=doorward/OU=clients/CN=alice", CLIENT),
    plan("no extended key usage", "O=doorward/OU=clients/CN=alice", &[]),
    plan("server only", "O=doorward/OU=clients/CN=alice", SERVER),
    plan("empty subject", "", CLIENT),
    Plan { roles: READ_APP, ..plan("with roles", "O=doorward/OU=clients/CN=roles", CLIENT) },
    Plan {
        signer: Signer::Intermediate,
        roles: READ_APP,
        ..plan("with roles, from below", "O=doorward/OU=clients/CN=below", CLIENT)
    },
    Plan { signer: Signer::Stranger, ..plan("foreign", "O=doorward/OU=clients/CN=alice", CLIENT) },
    Plan { signer: Signer::Itself, ..plan("self-signed", "O=doorward/OU=clients/CN=alice", CLIENT) },
    Plan { years: (2020, 2021), ..plan("expired", "O=doorward/OU=clients/CN=alice", CLIENT) },
    Plan { years: (2090, 2099), ..plan("future", "O=doorward/OU=clients/CN=alice", CLIENT) },
];

impl Pki {
    fn new() -> Self {
        let folder = run::folder("pki");
        let authority = certificate_authority("doorward test CA");
        let stranger = certificate_authority("strange CA");
        let intermediate = intermediate_authority("doorward intermediate CA", &authority);
        let signers = Signers { authority: &authority, intermediate: &intermediate, stranger: &stranger };
        let identities: HashMap<_, _> =
            PLANS.iter().enumerate().map(|(serial, plan)| (plan.name, issue(plan, serial, &signers, &folder))).collect();
        let revoked = PLANS.iter().position(|plan| plan.name == "revoked").expect("in the table");
        let list = |name: &str, revoked: &[usize], last_year: i32| {
            let path = folder.join(name);
            run::write_private(&path, revocation_list(&authority, revoked, last_year));
            path
        };
        let authority_file = folder.join("ca.pem");
        run::write_private(&authority_file, authority.pem());
        Self {
            authority_file,
            revocations_file: list("crl.pem", &[revoked], 2099),
            no_revocations_file: list("empty-crl.pem", &[], 2099),
            stale_revocations_file: list("stale-crl.pem", &[revoked], 2021),
            intermediate: intermediate.der().clone(),
            identities,
            authority,
        }
    }

    /// The certificate of this name in the table above.
    pub(crate) fn identity(&self, name: &str) -> &Identity {
        self.identities.get(name).unwrap_or_else(|| panic!("no certificate {name}"))
    }

    /// The file of certificate and key of this name.
    pub(crate) fn file(&self, name: &str) -> String {
        text(&self.identity(name).file)
    }

    /// The CA's certificate file.
    pub(crate) fn ca_file(&self) -> String {
        text(&self.authority_file)
    }

    /// A revocation list that names `revoked`.
    pub(crate) fn crl_file(&self) -> String {
        text(&self.revocations_file)
    }

    /// A revocation list that names nobody.
    pub(crate) fn empty_crl_file(&self) -> String {
        text(&self.no_revocations_file)
    }

    /// A revocation list whose time is over.
    pub(crate) fn stale_crl_file(&self) -> String {
        text(&self.stale_revocations_file)
    }

    /// The CA's certificate.
    pub(crate) fn authority_der(&self) -> CertificateDer<'static> {
        self.authority.der().clone()
    }

    /// The intermediate CA's certificate.
    pub(crate) fn intermediate_der(&self) -> CertificateDer<'static> {
        self.intermediate.clone()
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

/// The CAs.
struct Signers<'a> {
    authority: &'a CertifiedIssuer<'static, KeyPair>,
    intermediate: &'a CertifiedIssuer<'static, KeyPair>,
    stranger: &'a CertifiedIssuer<'static, KeyPair>,
}

fn authority_parameters(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "doorward");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2099, 1, 1));
    params
}

fn certificate_authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    CertifiedIssuer::self_signed(authority_parameters(name), KeyPair::generate().expect("a key")).expect("a CA")
}

fn intermediate_authority(name: &str, authority: &CertifiedIssuer<'static, KeyPair>) -> CertifiedIssuer<'static, KeyPair> {
    CertifiedIssuer::signed_by(authority_parameters(name), KeyPair::generate().expect("a key"), authority).expect("a CA")
}

fn issue(plan: &Plan, serial: usize, signers: &Signers<'_>, folder: &Path) -> Identity {
    let key = KeyPair::generate().expect("a key");
    let params = parameters(plan, serial);
    let certificate: Certificate = match plan.signer {
        Signer::Authority => params.signed_by(&key, signers.authority),
        Signer::Intermediate => params.signed_by(&key, signers.intermediate),
        Signer::Stranger => params.signed_by(&key, signers.stranger),
        Signer::Itself => params.self_signed(&key),
    }
    .expect("a certificate");
    let intermediate = (plan.signer == Signer::Intermediate).then_some(signers.intermediate);
    let chain = intermediate.map(|it| it.pem()).unwrap_or_default();
    let file = folder.join(format!("{}.pem", plan.name.replace(' ', "-")));
    run::write_private(&file, certificate.pem() + &chain + &key.serialize_pem());
    let intermediate = intermediate.map(|it| it.der().clone());
    Identity { certificate: certificate.der().clone(), intermediate, key: key.serialize_der(), file }
}

fn parameters(plan: &Plan, serial: usize) -> CertificateParams {
    let mut params = if plan.usage.contains(&ExtendedKeyUsagePurpose::ServerAuth) {
        CertificateParams::new(["localhost", "127.0.0.1", "*.gate.test"].map(str::to_owned)).expect("names")
    } else {
        CertificateParams::default()
    };
    params.serial_number = Some(serial_number(serial));
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in plan.subject.split('/').filter_map(|attribute| attribute.split_once('=')) {
        let kind = match kind {
            "C" => DnType::CountryName,
            "O" => DnType::OrganizationName,
            "OU" => DnType::OrganizationalUnitName,
            _ => DnType::CommonName,
        };
        params.distinguished_name.push(kind, value);
    }
    params.extended_key_usages = plan.usage.to_vec();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    (params.not_before, params.not_after) = (date_time_ymd(plan.years.0, 1, 1), date_time_ymd(plan.years.1, 1, 1));
    if !plan.roles.is_empty() {
        let oid = [1, 3, 6, 1, 4, 1, 34601, 2, 1, 1];
        params.custom_extensions = vec![CustomExtension::from_oid_content(&oid, plan.roles.to_vec())];
    }
    params
}

fn serial_number(serial: usize) -> SerialNumber {
    SerialNumber::from(u64::try_from(serial).expect("few certificates") + 1000)
}

fn revocation_list(authority: &CertifiedIssuer<'static, KeyPair>, revoked: &[usize], last_year: i32) -> String {
    let revoked_certs = revoked.iter().map(|serial| RevokedCertParams {
        serial_number: serial_number(*serial),
        revocation_time: date_time_ymd(2020, 6, 1),
        reason_code: None,
        invalidity_date: None,
    });
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(last_year, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked_certs.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(authority).expect("a revocation list").pem().expect("PEM")
}
