//! `security.*`, and the rules that bind it to TLS. The order of the checks is mongod's: it decides which text comes first.

use super::{Reader, tls};
use crate::config::cidr::Cidr;
use crate::config::error::{ErrorKind, Warning};
use crate::config::settings::{ClusterAuthMode, Security, Tls, TlsMode};

pub(super) fn security_and_tls(reader: &mut Reader<'_>) -> (Security, Tls) {
    check_noauth(reader);
    let authorization = authorization(reader);
    let mode = cluster_auth_mode(reader);
    let transition = reader.switch("security.transitionToAuth");
    check_transition(reader, transition, mode);
    check_replica_set(reader, authorization, mode);
    let tls = tls::tls(reader);
    check_cluster_tls(reader, &tls, mode, transition);
    let key_file = reader.path("security.keyFile");
    let needs_key = matches!(mode, ClusterAuthMode::KeyFile | ClusterAuthMode::SendKeyFile | ClusterAuthMode::SendX509);
    if needs_key && key_file.is_none() {
        let remedy = "security.keyFile is needed by security.clusterAuthMode keyFile, sendKeyFile and sendX509";
        reader.error(ErrorKind::Missing, "security.keyFile", "Location5579201: Unable to acquire security key[s]", remedy);
    }
    let security = Security {
        access_control: authorization != Some(false) || mode != ClusterAuthMode::Undefined,
        key_file,
        cluster_auth_mode: mode,
        transition_to_auth: transition,
        cluster_ip_source_allowlist: ranges(reader, "security.clusterIpSourceAllowlist"),
    };
    warn(reader, &security);
    (security, tls)
}

fn check_noauth(reader: &mut Reader<'_>) {
    let auth = reader.options.has_flag("auth");
    // In an old file `noauth = false` uses the flag and means the opposite.
    let noauth = reader.options.has_flag("noauth") && (auth || reader.given("security.authorization") == Some("disabled"));
    if !noauth {
        return;
    }
    let conflicts = [
        ("auth", "security.authorization", auth),
        ("security.keyFile", "security.keyFile", reader.given("security.keyFile").is_some()),
        ("security.transitionToAuth", "security.transitionToAuth", reader.switch("security.transitionToAuth")),
    ];
    for (written, option, present) in conflicts {
        if present {
            reader.error(ErrorKind::Conflict, option, format!("{written} is not allowed when noauth is specified"), "");
        }
    }
}

/// `None` when nothing is written, which means enabled: doorward's one deliberate difference from mongod.
fn authorization(reader: &mut Reader<'_>) -> Option<bool> {
    match reader.given("security.authorization")? {
        "enabled" => Some(true),
        "disabled" => Some(false),
        _ => {
            reader.bad("security.authorization", "security.authorization expects either 'enabled' or 'disabled'");
            None
        }
    }
}

fn cluster_auth_mode(reader: &mut Reader<'_>) -> ClusterAuthMode {
    match reader.given("security.clusterAuthMode") {
        None if reader.given("security.keyFile").is_some() => ClusterAuthMode::KeyFile,
        None => ClusterAuthMode::Undefined,
        Some("keyFile") => ClusterAuthMode::KeyFile,
        Some("sendKeyFile") => ClusterAuthMode::SendKeyFile,
        Some("sendX509") => ClusterAuthMode::SendX509,
        Some("x509") => ClusterAuthMode::X509,
        Some(_) => {
            let text = "security.clusterAuthMode expects one of 'keyFile', 'sendKeyFile', 'sendX509', or 'X509'";
            reader.error(ErrorKind::BadValue, "security.clusterAuthMode", text, "the last one is written x509");
            ClusterAuthMode::Undefined
        }
    }
}

fn check_transition(reader: &mut Reader<'_>, transition: bool, mode: ClusterAuthMode) {
    if transition && !matches!(mode, ClusterAuthMode::KeyFile | ClusterAuthMode::X509) {
        let text = "BadValue: --transitionToAuth must be used with keyFile or x509 authentication";
        reader.error(ErrorKind::Missing, "security.transitionToAuth", text, "");
    }
}

/// Only for an authorization that is written out: doorward's own default must not refuse a configuration that mongod takes.
fn check_replica_set(reader: &mut Reader<'_>, authorization: Option<bool>, mode: ClusterAuthMode) {
    let member = reader.non_empty("replication.replSet").or_else(|| reader.non_empty("replication.replSetName")).is_some();
    if member && authorization == Some(true) && mode == ClusterAuthMode::Undefined {
        let text = "BadValue: security.keyFile is required when authorization is enabled with replica sets";
        reader.error(ErrorKind::Missing, "security.keyFile", text, "");
    }
}

fn check_cluster_tls(reader: &mut Reader<'_>, tls: &Tls, mode: ClusterAuthMode, transition: bool) {
    const MODE: &str = "security.clusterAuthMode";
    let by_certificate = matches!(mode, ClusterAuthMode::SendKeyFile | ClusterAuthMode::SendX509 | ClusterAuthMode::X509);
    check_membership_options(reader, by_certificate);
    if !by_certificate {
        return;
    }
    if tls.mode == TlsMode::Disabled {
        return reader.error(ErrorKind::Conflict, MODE, "need to enable TLS via the tlsMode flag", "");
    }
    let sends = mode == ClusterAuthMode::SendX509 || mode == ClusterAuthMode::X509 && !transition;
    if sends && tls.mode == TlsMode::AllowTls {
        reader.error(ErrorKind::Conflict, MODE, "cannot have x.509 cluster authentication in allowTLS mode", "");
    }
    if tls.ca_file.is_none() {
        let text = "No TLS certificate validation can be performed since no CA file has been provided; please specify an tlsCAFile \
                    parameter";
        reader.error(ErrorKind::Missing, "net.tls.CAFile", text, "");
    }
    if !reader.switch("setParameter.enforceUserClusterSeparation") {
        let text = "cannot have have x.509 cluster authentication while not enforcing user cluster separation";
        reader.error(ErrorKind::Conflict, "setParameter.enforceUserClusterSeparation", text, "");
    }
}

/// The membership options of newer servers: fact sheet section 4.3.
fn check_membership_options(reader: &mut Reader<'_>, by_certificate: bool) {
    const ATTRIBUTES: &str = "net.tls.clusterAuthX509.attributes";
    const EXTENSION: &str = "net.tls.clusterAuthX509.extensionValue";
    let (attributes, extension) = (reader.non_empty(ATTRIBUTES).is_some(), reader.non_empty(EXTENSION).is_some());
    if attributes && !by_certificate {
        let text = "BadValue: Cannot set clusterAuthX509.attributes when clusterAuthMode does not allow X.509";
        reader.error(ErrorKind::Conflict, ATTRIBUTES, text, "");
    }
    if extension && !by_certificate {
        let text = "BadValue: net.tls.clusterAuthX509.extensionValue requires a clusterAuthMode which allows for usage of X509";
        reader.error(ErrorKind::Conflict, EXTENSION, text, "");
    }
    if attributes && extension {
        let text = format!("{EXTENSION} is not allowed when {ATTRIBUTES} is specified");
        reader.error(ErrorKind::Conflict, EXTENSION, text, "");
    }
}

/// A list of address ranges; `None` when it was not given.
pub(super) fn ranges(reader: &mut Reader<'_>, name: &str) -> Option<Vec<Cidr>> {
    let mut ranges = Vec::new();
    for range in reader.list(name)?.iter().filter(|item| !item.is_empty()).flat_map(|item| item.split(',')) {
        match range.parse::<Cidr>() {
            Ok(range) => ranges.push(range),
            Err(error) => reader.error(ErrorKind::BadValue, name, error.to_string(), &format!("found '{range}'")),
        }
    }
    Some(ranges)
}

fn warn(reader: &mut Reader<'_>, security: &Security) {
    if !security.access_control {
        let text =
            "Access control is not enabled for the database. Read and write access to data and configuration is unrestricted";
        reader.warnings.push(Warning::new(22120, "CONTROL", text));
    } else if security.transition_to_auth {
        let text = "security.transitionToAuth is on: clients are let in with or without logging in, unrestricted; 'doorward readiness' tells who would break without it";
        reader.warnings.push(Warning::new(None, "ACCESS", text));
    }
}
