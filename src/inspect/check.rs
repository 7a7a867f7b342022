//! `doorward check`: the effective settings, and what the files that they name hold.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use super::{complain, date, facts, keyfile, left, name, print, refuse};
use crate::config::settings::{ClusterAuthMode, Settings};
use crate::config::{Loaded, show};
use crate::server::snapshot::{Randomness, Snapshot, SnapshotError, read_keyfile};
use crate::tls::description::Description;
use crate::tls::material::Material;

/// Loads everything as a start would, and tells of it. Settings and findings are printed as one YAML file that doorward accepts: the
/// findings are comments. Warnings go to standard error.
#[must_use]
pub fn check(loaded: &Loaded) -> ExitCode {
    let now = crate::server::unix_now();
    let snapshot = match load(&loaded.settings, now) {
        Ok(snapshot) => snapshot,
        Err(message) => return refuse(&message),
    };
    for warning in &loaded.warnings {
        complain(&format!("warning: {warning}"));
    }
    for warning in warnings(&snapshot, now) {
        complain(&format!("warning: {warning}"));
    }
    let findings = findings(&snapshot, now).lines().fold(String::new(), |mut comments, line| {
        let _ = writeln!(comments, "{}", format!("# {line}").trim_end());
        comments
    });
    print(&format!("{}\n{findings}", show::yaml(&loaded.settings)))
}

/// As a start would.
pub(super) fn load(settings: &Settings, now: i64) -> Result<Snapshot, String> {
    let randomness = Randomness::new().map_err(|error| format!("no randomness: {error}"))?;
    Snapshot::load(settings.clone(), &randomness, 1, now).map_err(|error: SnapshotError| error.to_string())
}

fn findings(snapshot: &Snapshot, now: i64) -> String {
    let mut text = String::from("What the files hold\n");
    let mut last: Option<(&str, &Path)> = None;
    for material in snapshot.materials() {
        let file = (material.option, material.path.as_path());
        let is_first = last.replace(file) != Some(file);
        if is_first {
            let _ = writeln!(text, "{}: {}", material.option, material.path.display());
        }
        let _ = write!(text, "{}", found(material, is_first, now));
    }
    if let Some(path) = &snapshot.settings.security.key_file {
        let keys = read_keyfile(path).map_or_else(|error| error.text_without_key(), |keys| keyfile::in_words(&keys));
        let _ = writeln!(text, "security.keyFile: {}\n  {keys}", path.display());
    }
    if last.is_none() && snapshot.settings.security.key_file.is_none() {
        text.push_str("no certificate, CA, revocation list or key file is named\n");
    }
    let _ = write!(text, "\n{}", members(snapshot));
    text
}

fn found(material: &Material, is_first: bool, now: i64) -> String {
    let Some(der) = &material.certificate else {
        return format!("  revocation list\n    valid until: {}, {}\n", date(material.not_after), left(material.not_after, now));
    };
    let role = match (material.option.ends_with("CAFile"), is_first) {
        (true, _) => "authority",
        (false, true) => "certificate",
        (false, false) => "chain",
    };
    let Some(description) = Description::of(der) else { return format!("  {role}: can not be described\n") };
    format!("  {role}\n{}", facts(&description, now, "    "))
}

/// Who is a cluster member by certificate, and what becomes of them.
fn members(snapshot: &Snapshot) -> String {
    let Some(rule) = &snapshot.policy.membership else {
        return "Cluster members by certificate: nobody, because TLS is disabled\n".to_owned();
    };
    let outcome = member_outcome(&snapshot.settings);
    format!("Cluster members by certificate: {}\n  {outcome}\n", super::printable(&rule.in_words()))
}

/// What becomes of a member's certificate at `authenticate`.
pub(super) fn member_outcome(settings: &Settings) -> &'static str {
    match settings.security.cluster_auth_mode {
        ClusterAuthMode::SendKeyFile | ClusterAuthMode::SendX509 | ClusterAuthMode::X509 => {
            "such a certificate logs in as __system, with all privileges"
        }
        _ if settings.parameters.enforce_user_cluster_separation => {
            "security.clusterAuthMode lets no member in by certificate: such a certificate can not log in at all (error 18)"
        }
        _ => "setParameter.enforceUserClusterSeparation is off: such a certificate logs in as an ordinary user",
    }
}

fn warnings(snapshot: &Snapshot, now: i64) -> Vec<String> {
    let mut warnings = Vec::new();
    if let (Some(tls), Some(own)) = (&snapshot.tls, snapshot.materials().next())
        && !tls.has_alternative_name()
    {
        warnings.push(format!(
            "{}: {}: Server certificate has no compatible Subject Alternative Name. This may prevent TLS clients from connecting",
            own.option,
            own.path.display()
        ));
    }
    let threshold = i64::from(snapshot.settings.parameters.tls_x509_expiration_warning_threshold_days);
    for material in snapshot.materials().filter(|material| threshold > 0 && material.days_left(now) < threshold) {
        let description = material.certificate.as_ref().and_then(|der| Description::of(der));
        let what = description.map_or_else(|| "revocation list".to_owned(), |description| name(&description.subject));
        let (path, left) = (material.path.display(), left(material.not_after, now));
        warnings.push(format!("{}: {path}: {what}: {left}", material.option));
    }
    warnings
}
