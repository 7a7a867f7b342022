//! `setParameter.*`. Ranges and types are checked from the table; here is what needs more than that.

use super::Reader;
use crate::config::error::ErrorKind;
use crate::config::settings::Parameters;

const MECHANISMS: [&str; 3] = ["MONGODB-X509", "SCRAM-SHA-1", "SCRAM-SHA-256"];

pub(super) fn parameters(reader: &mut Reader<'_>) -> Parameters {
    Parameters {
        authentication_mechanisms: authentication_mechanisms(reader),
        scram_iteration_count: reader.unsigned("setParameter.scramIterationCount"),
        scram_sha256_iteration_count: reader.unsigned("setParameter.scramSHA256IterationCount"),
        tls_x509_cluster_auth_dn_override: reader.non_empty("setParameter.tlsX509ClusterAuthDNOverride").map(str::to_owned),
        enforce_user_cluster_separation: reader.switch("setParameter.enforceUserClusterSeparation"),
        allow_roles_from_x509_certificates: reader.switch("setParameter.allowRolesFromX509Certificates"),
        tls_x509_expiration_warning_threshold_days: reader.unsigned("setParameter.tlsX509ExpirationWarningThresholdDays"),
        enable_localhost_auth_bypass: reader.switch("setParameter.enableLocalhostAuthBypass"),
        pre_auth_maximum_message_size_bytes: reader.unsigned("setParameter.preAuthMaximumMessageSizeBytes"),
        disable_non_tls_connection_logging: reader.switch("setParameter.disableNonTLSConnectionLogging"),
        tls_withhold_client_certificate: reader.switch("setParameter.tlsWithholdClientCertificate"),
        tls_ca_trusts: reader.given("setParameter.tlsCATrusts").map(str::to_owned),
    }
}

fn authentication_mechanisms(reader: &mut Reader<'_>) -> Vec<String> {
    const NAME: &str = "setParameter.authenticationMechanisms";
    let mut mechanisms = Vec::new();
    for mechanism in reader.text(NAME).split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if mechanism == "PLAIN" {
            let text = "Unsupported SASL mechanism: PLAIN";
            reader.error(ErrorKind::Unsupported, NAME, text, "doorward asks no LDAP server; it has SCRAM and X.509");
        } else if !MECHANISMS.contains(&mechanism) {
            reader.bad(NAME, format!("Unsupported SASL mechanism: {mechanism}"));
        } else if !mechanisms.iter().any(|known| known == mechanism) {
            mechanisms.push(mechanism.to_owned());
        }
    }
    mechanisms
}
