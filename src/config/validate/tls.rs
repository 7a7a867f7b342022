//! `net.tls.*`. Source: fact sheet sections 5.1, 7.1 and 7.5, and a measured mongod 6.0.5.

use super::Reader;
use crate::config::error::{ErrorKind, Warning};
use crate::config::settings::{Tls, TlsMode};

/// Options that are refused while TLS is off, as on mongod. (`allowInvalid…` and `logVersions` are not among them.)
const NEED_TLS: [&str; 9] = [
    "net.tls.certificateKeyFile",
    "net.tls.certificateKeyFilePassword",
    "net.tls.clusterFile",
    "net.tls.clusterPassword",
    "net.tls.CAFile",
    "net.tls.clusterCAFile",
    "net.tls.CRLFile",
    "net.tls.disabledProtocols",
    "net.tls.allowConnectionsWithoutCertificates",
];

pub(super) fn tls(reader: &mut Reader<'_>) -> Tls {
    let mode = mode(reader);
    let (tls12, tls13) = protocols(reader);
    check_log_versions(reader);
    let tls = Tls {
        mode: mode.unwrap_or(TlsMode::Disabled),
        certificate_key_file: reader.path("net.tls.certificateKeyFile"),
        key_file: reader.path("proxy.tls.keyFile"),
        certificate_key_file_password: reader.password("net.tls.certificateKeyFilePassword"),
        cluster_file: reader.path("net.tls.clusterFile"),
        cluster_password: reader.password("net.tls.clusterPassword"),
        ca_file: reader.path("net.tls.CAFile"),
        cluster_ca_file: reader.path("net.tls.clusterCAFile"),
        crl_file: reader.path("net.tls.CRLFile"),
        allow_connections_without_certificates: reader.switch("net.tls.allowConnectionsWithoutCertificates"),
        allow_invalid_certificates: reader.switch("net.tls.allowInvalidCertificates"),
        allow_invalid_hostnames: reader.switch("net.tls.allowInvalidHostnames"),
        tls12,
        tls13,
        cluster_auth_x509_attributes: reader.non_empty("net.tls.clusterAuthX509.attributes").map(str::to_owned),
        cluster_auth_x509_extension_value: reader.non_empty("net.tls.clusterAuthX509.extensionValue").map(str::to_owned),
    };
    match mode {
        Some(TlsMode::Disabled) => check_off(reader),
        Some(_) => check_on(reader, &tls),
        None => {}
    }
    if tls.mode != TlsMode::Disabled {
        warn(reader, &tls);
    }
    tls
}

/// `None` after a mistake, so that no more are found that only follow from it.
fn mode(reader: &mut Reader<'_>) -> Option<TlsMode> {
    let normal_ports = reader.switch("net.tls.tlsOnNormalPorts");
    let (given, old) = (reader.given("net.tls.mode"), reader.given("net.ssl.mode"));
    if normal_ports && (given.is_some() || old.is_some()) {
        let text = "net.tls.mode is not allowed when net.tls.tlsOnNormalPorts is specified";
        reader.error(ErrorKind::Conflict, "net.tls.mode", text, "");
        return None;
    }
    if given.is_some() && old.is_some() {
        reader.error(ErrorKind::Conflict, "net.ssl.mode", "net.ssl.mode is not allowed when net.tls.mode is specified", "");
        return None;
    }
    let (name, text) = match (given, old) {
        _ if normal_ports => return Some(TlsMode::RequireTls),
        (Some(text), _) => ("net.tls.mode", text),
        (None, Some(text)) => ("net.ssl.mode", text),
        (None, None) => return Some(TlsMode::Disabled),
    };
    let old_word = name == "net.ssl.mode";
    match text {
        "disabled" => Some(TlsMode::Disabled),
        "allowTLS" => Some(TlsMode::AllowTls),
        "preferTLS" => Some(TlsMode::PreferTls),
        "requireTLS" => Some(TlsMode::RequireTls),
        "allowSSL" if old_word => Some(TlsMode::AllowTls),
        "preferSSL" if old_word => Some(TlsMode::PreferTls),
        "requireSSL" if old_word => Some(TlsMode::RequireTls),
        _ => {
            reader.error(
                ErrorKind::BadValue,
                name,
                format!("unsupported value for tlsMode {text}"),
                "it is one of disabled, allowTLS, preferTLS, requireTLS",
            );
            None
        }
    }
}

/// Whether TLS 1.2 and TLS 1.3 are on. TLS 1.0 and 1.1 never are: no client needs them, and the library has neither.
fn protocols(reader: &mut Reader<'_>) -> (bool, bool) {
    const NAME: &str = "net.tls.disabledProtocols";
    let (mut tls12, mut tls13) = (true, true);
    for token in reader.text(NAME).split(',').filter(|token| !token.is_empty()) {
        match token {
            "TLS1_2" => tls12 = false,
            "TLS1_3" => tls13 = false,
            "TLS1_0" | "TLS1_1" | "none" | "noTLS1_0" | "noTLS1_1" | "noTLS1_2" | "noTLS1_3" => {}
            _ => reader.bad(NAME, format!("Unrecognized disabledProtocols '{token}'")),
        }
    }
    if !tls12 && !tls13 {
        let text = "net.tls.disabledProtocols leaves no TLS version: nobody could connect";
        reader.error(ErrorKind::Conflict, NAME, text, "leave TLS1_2 or TLS1_3 out of it");
    }
    (tls12, tls13)
}

fn check_log_versions(reader: &mut Reader<'_>) {
    for token in reader.text("net.tls.logVersions").split(',').filter(|token| !token.is_empty()) {
        if !matches!(token, "TLS1_0" | "TLS1_1" | "TLS1_2" | "TLS1_3") {
            reader.bad("net.tls.logVersions", format!("Unrecognized tlsLogVersions '{token}'"));
        }
    }
}

fn check_on(reader: &mut Reader<'_>, tls: &Tls) {
    if tls.certificate_key_file.is_none() {
        let text = "need tlsCertificateKeyFile or certificateSelector when TLS is enabled";
        reader.error(ErrorKind::Missing, "net.tls.certificateKeyFile", text, "doorward has tlsCertificateKeyFile only");
    }
    if tls.crl_file.is_some() && tls.ca_file.is_none() {
        reader.error(ErrorKind::Missing, "net.tls.CAFile", "need tlsCAFile with tlsCRLFile", "");
    }
}

fn check_off(reader: &mut Reader<'_>) {
    const TEXT: &str = "need to enable TLS via the sslMode/tlsMode flag when using TLS configuration parameters";
    let is_used = |name: &&str| match reader.given(name) {
        Some("") => false,
        Some(text) => text != "false",
        None => false,
    };
    if let Some(name) = NEED_TLS.iter().find(|name| is_used(name)) {
        reader.error(ErrorKind::Conflict, name, TEXT, "");
    } else if reader.non_empty("proxy.tls.keyFile").is_some() {
        reader.error(ErrorKind::Conflict, "proxy.tls.keyFile", TEXT, "");
    }
}

fn warn(reader: &mut Reader<'_>, tls: &Tls) {
    let mut warn = |id: u32, text: &str| reader.warnings.push(Warning::new(id, "NETWORK", text));
    if tls.ca_file.is_none() {
        warn(
            22133,
            "No client certificate validation can be performed since no CA file has been provided. Please specify an sslCAFile parameter",
        );
    }
    if tls.allow_invalid_certificates {
        warn(
            22124,
            "While invalid X509 certificates may be used to connect to this server, they will not be considered permissible for \
             authentication",
        );
    }
    if tls.allow_invalid_hostnames {
        warn(
            22128,
            "This server will not perform X.509 hostname validation. This may allow your server to make or accept connections to \
             untrusted parties",
        );
    }
}
