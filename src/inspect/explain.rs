//! `doorward explain CERT.pem`: what MongoDB sees in a certificate.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, Command, value_parser};
use rustls::pki_types::CertificateDer;

use super::{check, date, facts, left, print, printable, refuse, say};
use crate::config;
use crate::names::RoleName;
use crate::server::snapshot::Snapshot;
use crate::tls::description::{Description, read_certificates};
use crate::tls::server::Judgement;
use crate::x509::peer::{PeerIdentity, PeerIdentityError};
use crate::x509::{ca_trusts, membership};

/// Without a configuration, mongod's default of `tlsX509ExpirationWarningThresholdDays`.
const WARNING_DAYS: i64 = 30;
const NO_SUBJECT: &str = "No verified subject name available from client";

/// `doorward explain WORDS`. Exit status 2 when the certificate can not be read or the configuration is refused; a certificate that
/// is read is explained, whatever is wrong with it.
#[must_use]
pub fn explain(words: &[String]) -> ExitCode {
    let path = |name: &'static str| Arg::new(name).value_name("FILE").value_parser(value_parser!(PathBuf));
    let matches = Command::new("doorward explain")
        .no_binary_name(true)
        .about("Tells what MongoDB sees in a certificate.")
        .arg(path("certificate").value_name("CERT.pem").required(true).help("the certificate, perhaps with its chain behind it"))
        .arg(path("config").long("config").short('f').help("judge it as a doorward or mongod with this configuration does"))
        .try_get_matches_from(words);
    let matches = match matches {
        Ok(matches) => matches,
        Err(message) => return say(&message),
    };
    let now = crate::server::unix_now();
    let file = matches.get_one::<PathBuf>("certificate").cloned().unwrap_or_default();
    let certificates = match read_certificates("CERT.pem", &file) {
        Ok(certificates) => certificates,
        Err(error) => return refuse(&error),
    };
    let snapshot = match matches.get_one::<PathBuf>("config").map(|path| load(path, now)).transpose() {
        Ok(snapshot) => snapshot,
        Err(message) => return refuse(&message),
    };
    match Explanation::of(&certificates, snapshot.as_ref(), now) {
        Some(explanation) => print(&format!("{}\n{}", file.display(), explanation.report())),
        None => refuse(&format!("CERT.pem: {}: the certificate can not be decoded", file.display())),
    }
}

fn load(path: &Path, now: i64) -> Result<Snapshot, String> {
    let words = ["--config".to_owned(), path.display().to_string()];
    let loaded = config::load(&words, |path: &Path| std::fs::read(path)).map_err(|errors| errors.to_string())?;
    check::load(&loaded.settings, now)
}

/// A certificate, what it is judged by, and when.
struct Explanation<'a> {
    sent: &'a [CertificateDer<'static>],
    description: Description,
    identity: Result<PeerIdentity, PeerIdentityError>,
    snapshot: Option<&'a Snapshot>,
    now: i64,
}

impl<'a> Explanation<'a> {
    fn of(sent: &'a [CertificateDer<'static>], snapshot: Option<&'a Snapshot>, now: i64) -> Option<Self> {
        let der = sent.first()?;
        let allow_roles = snapshot.is_none_or(|snapshot| snapshot.settings.parameters.allow_roles_from_x509_certificates);
        let identity = PeerIdentity::from_der(der, allow_roles);
        Some(Self { sent, description: Description::of(der)?, identity, snapshot, now })
    }

    fn report(&self) -> String {
        let mut text = facts(&self.description, self.now, "  ");
        let _ = writeln!(text, "  version: {}", self.description.version);
        if self.sent.len() > 1 {
            let _ = writeln!(text, "  further certificates in the file: {}", self.sent.len().saturating_sub(1));
        }
        text.push_str("\nAs a client of MongoDB\n");
        if let Ok(identity) = &self.identity {
            text.push_str(&self.user(identity));
            let _ = writeln!(text, "  roles in the certificate: {}", roles(&identity.roles));
            let _ = writeln!(text, "  member or client: {}", self.member_or_client(identity));
        }
        let suits = |suits: bool| if suits { "yes" } else { "no" };
        let (client, server) = (suits(self.description.suits_client), suits(self.description.suits_server));
        let _ = writeln!(text, "  key usages allow: client {client}, server {server}");
        let _ = writeln!(text, "  accepted: {}", self.verdict());
        let problems = self.problems();
        text.push_str(if problems.is_empty() { "\nNo problems found\n" } else { "\nProblems\n" });
        for problem in problems {
            let _ = writeln!(text, "  - {problem}");
        }
        text
    }

    /// The user name, and how to create the user.
    fn user(&self, identity: &PeerIdentity) -> String {
        if identity.subject.is_empty() {
            return "  user name: none\n".to_owned();
        }
        let name = identity.subject.as_str();
        // A JSON string is a string of the shell's language too.
        let quoted = serde_json::Value::from(name).to_string();
        let mut text = format!("  user name: {}\n", printable(name));
        if self.can_not_be_created(name) {
            text.push_str("  no user can be created: createUser refuses the name of a cluster member\n");
        } else if identity.roles.is_empty() {
            let command = format!("db.getSiblingDB(\"$external\").runCommand({{createUser: {quoted}, roles: []}})");
            let _ = writeln!(text, "  create the user (with the roles that it shall have):\n    {command}");
        } else {
            text.push_str(
                "  no user has to be created: the roles in the certificate count, and stored roles of that name do not\n",
            );
        }
        text
    }

    /// Whether `createUser` refuses the name.
    fn can_not_be_created(&self, name: &str) -> bool {
        self.snapshot.is_some_and(|snapshot| {
            let is_members = snapshot.policy.membership.as_ref().is_some_and(|rule| rule.is_member_name(name));
            is_members && snapshot.settings.parameters.enforce_user_cluster_separation
        })
    }

    /// Whether the configuration makes it a cluster member.
    fn is_member(&self) -> bool {
        let rule = self.snapshot.and_then(|snapshot| snapshot.policy.membership.as_ref());
        rule.zip(self.identity.as_ref().ok()).is_some_and(|(rule, identity)| rule.is_member(identity))
    }

    fn member_or_client(&self, identity: &PeerIdentity) -> String {
        let own = printable(&membership::cluster_attributes_text(&identity.subject));
        let Some(snapshot) = self.snapshot else {
            return if own.is_empty() {
                "client, because its subject has neither O nor OU nor DC (as long as the usual rule is in force; --config tells)"
                    .to_owned()
            } else {
                format!(
                    "a member of servers whose certificate has exactly the same O, OU and DC ({own}), else a client; --config tells"
                )
            };
        };
        let Some(rule) = &snapshot.policy.membership else {
            return "neither, because TLS is disabled (net.tls.mode)".to_owned();
        };
        let words = printable(&rule.in_words());
        if rule.is_member(identity) {
            format!("CLUSTER MEMBER; a member is {words}\n    {}", check::member_outcome(&snapshot.settings))
        } else {
            format!("client; a member is {words}")
        }
    }

    /// What becomes of the connection.
    fn verdict(&self) -> String {
        let Some(snapshot) = self.snapshot else { return "not judged; --config names the CA".to_owned() };
        let Some(tls) = &snapshot.tls else { return "no, because TLS is disabled (net.tls.mode)".to_owned() };
        if !tls.has_authority() {
            return "the connection yes, the certificate never: there is no net.tls.CAFile".to_owned();
        }
        match tls.judge(Some(self.sent), self.now) {
            Judgement::Accept { verified: Some(verified) } => {
                if let Some(refusal) = self.ca_trusts_refusal() {
                    return format!("no, the connection is closed: {refusal}");
                }
                let anchor = Description::of(&verified.anchor).map(|anchor| super::name(&anchor.subject));
                let hash = ca_trusts::sha256_hex(&verified.anchor);
                format!("yes, by the CA {} (sha256 {hash})", anchor.unwrap_or_default())
            }
            Judgement::Accept { verified: None } => "the connection yes, the certificate no".to_owned(),
            Judgement::AcceptUnverified { reason } => {
                format!("the connection yes (net.tls.allowInvalidCertificates), the certificate no: {reason}")
            }
            Judgement::Reject { reason } => format!("no, the connection is closed: {reason}"),
        }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut add = |is_so: bool, text: &str| {
            if is_so {
                problems.push(text.to_owned());
            }
        };
        let description = &self.description;
        add(
            description.subject.as_ref().is_ok_and(crate::x509::DistinguishedName::is_empty),
            &format!("the subject is empty: authenticate fails with error 18 AuthenticationFailed \"{NO_SUBJECT}\""),
        );
        if let Err(error) = &self.identity {
            add(true, &format!("the connection is closed after the handshake, before any command: {error}"));
        }
        let purpose = "the connection is closed: SSL peer certificate validation failed: unsuitable certificate purpose";
        let has_client_usage =
            description.extended_key_usage.as_ref().is_none_or(|usages| usages.iter().any(|usage| usage == "clientAuth"));
        add(!has_client_usage, &format!("the extended key usage does not include clientAuth; {purpose}"));
        let text = format!("the key usage includes neither digitalSignature nor keyAgreement; {purpose}");
        add(!description.suits_client && has_client_usage, &text);
        let validity = "SSL peer certificate validation failed: certificate";
        add(description.not_after <= self.now, &format!("the connection is closed: {validity} has expired"));
        add(description.not_before > self.now, &format!("the connection is closed: {validity} is not yet valid"));
        let threshold = self
            .snapshot
            .map_or(WARNING_DAYS, |snapshot| i64::from(snapshot.settings.parameters.tls_x509_expiration_warning_threshold_days));
        let days = description.not_after.saturating_sub(self.now) / 86_400;
        let soon = description.not_after > self.now && days < threshold;
        add(soon, &format!("it ends soon, at {}: {}", date(description.not_after), left(description.not_after, self.now)));
        add(
            description.has_unknown_critical_extension,
            "a critical extension is not known; the connection is closed: unhandled critical extension",
        );
        add(description.has_broken_extension, "an extension is malformed or there twice");
        add(
            description.version < 3,
            "it is an old certificate (version 1, without extensions): MongoDB and doorward take it, other software may not",
        );
        if let Some(refusal) = self.ca_trusts_refusal() {
            add(true, &format!("the connection is closed: {refusal}"));
        }
        add(
            self.is_member() && !description.suits_server,
            "a member is also a server, and the key usages do not allow that (extended key usage serverAuth)",
        );
        problems
    }

    /// Why the roles in the certificate close the connection.
    fn ca_trusts_refusal(&self) -> Option<String> {
        let (snapshot, identity) = (self.snapshot?, self.identity.as_ref().ok()?);
        let Judgement::Accept { verified: Some(verified) } = snapshot.tls.as_ref()?.judge(Some(self.sent), self.now) else {
            return None;
        };
        let ca = ca_trusts::sha256_hex(&verified.anchor);
        snapshot.ca_trusts.as_ref()?.judge(&ca, &identity.roles).err().map(|refusal| printable(&refusal.to_string()))
    }
}

fn roles(roles: &[RoleName]) -> String {
    let texts: Vec<String> = roles.iter().map(|role| printable(&format!("{}@{}", role.role, role.database))).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}
