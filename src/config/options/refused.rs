//! Options that would change security or what runs, and that doorward can not honour: an error that names them, with the reason.
//! Silently dropping one would leave people believing in a protection that is not there.

use super::{
    Flag,
    Kind::{List, Path, Switch, Text},
    OptionSpec,
};

const LDAP: &str = "doorward has no LDAP authentication or authorization";
const KMIP: &str = "encryption at rest belongs to the database: set it on the mongod behind doorward";
const AUDIT: &str = "doorward writes no audit log yet";
const SASL: &str = "it serves Kerberos and PLAIN only, which doorward does not have";
const CIPHERS: &str = "doorward's TLS library has a fixed list of safe cipher suites";
const SELECTOR: &str = "certificate stores of the operating system are not read; use net.tls.certificateKeyFile";
const FIPS: &str = "this build of doorward has no FIPS module";
const PARAMETER: &str = "it is a parameter: write it under setParameter";
const DATABASE_WORK: &str = "it starts, stops or repairs a database; run it on the mongod behind doorward";

const fn row(name: &'static str, kind: super::Kind, flags: &'static [Flag], reason: &'static str) -> OptionSpec {
    OptionSpec::new(name, kind, flags, "Not supported.").refused(reason)
}

const fn command(name: &'static str, flags: &'static [Flag]) -> OptionSpec {
    row(name, Switch, flags, DATABASE_WORK).command_line_only()
}

pub(super) const OPTIONS: &[OptionSpec] = &[
    row("net.tls.FIPSMode", Switch, &[Flag::switch("tlsFIPSMode"), Flag::switch("sslFIPSMode").legacy("tlsFIPSMode")], FIPS)
        .legacy(&["net.ssl.FIPSMode"]),
    row(
        "net.tls.certificateSelector",
        Text,
        &[Flag::value("tlsCertificateSelector"), Flag::value("sslCertificateSelector").legacy("tlsCertificateSelector")],
        SELECTOR,
    )
    .legacy(&["net.ssl.certificateSelector"]),
    row(
        "net.tls.clusterCertificateSelector",
        Text,
        &[
            Flag::value("tlsClusterCertificateSelector"),
            Flag::value("sslClusterCertificateSelector").legacy("tlsClusterCertificateSelector"),
        ],
        SELECTOR,
    )
    .legacy(&["net.ssl.clusterCertificateSelector"]),
    row(
        "net.tls.tlsCipherConfig",
        Text,
        &[Flag::value("tlsCipherConfig"), Flag::value("sslCipherConfig").legacy("tlsCipherConfig")],
        CIPHERS,
    )
    .legacy(&["net.ssl.sslCipherConfig"]),
    row("security.enableLocalhostAuthBypass", Text, &[], PARAMETER),
    row("security.authenticationMechanisms", List, &[], PARAMETER),
    row("security.authSchemaVersion", Text, &[], PARAMETER),
    row("security.sasl.hostName", Text, &[], SASL),
    row("security.sasl.serviceName", Text, &[], SASL),
    row("security.sasl.saslauthdSocketPath", Path, &[], SASL),
    row("security.redactClientLogData", Switch, &[Flag::switch("redactClientLogData")], "it belongs to the enterprise server"),
    row("security.enableEncryption", Switch, &[Flag::switch("enableEncryption")], KMIP),
    row("security.encryptionCipherMode", Text, &[Flag::value("encryptionCipherMode")], KMIP),
    row("security.encryptionKeyFile", Path, &[Flag::value("encryptionKeyFile")], KMIP),
    row("security.kmip.serverName", Text, &[Flag::value("kmipServerName")], KMIP),
    row("security.kmip.port", Text, &[Flag::value("kmipPort")], KMIP),
    row("security.kmip.keyIdentifier", Text, &[Flag::value("kmipKeyIdentifier")], KMIP),
    row("security.kmip.rotateMasterKey", Switch, &[Flag::switch("kmipRotateMasterKey")], KMIP),
    row("security.kmip.clientCertificateFile", Path, &[Flag::value("kmipClientCertificateFile")], KMIP),
    row("security.kmip.clientCertificatePassword", Text, &[Flag::value("kmipClientCertificatePassword")], KMIP).secret(),
    row("security.kmip.clientCertificateSelector", Text, &[Flag::value("kmipClientCertificateSelector")], KMIP),
    row("security.kmip.serverCAFile", Path, &[Flag::value("kmipServerCAFile")], KMIP),
    row("security.kmip.connectRetries", Text, &[Flag::value("kmipConnectRetries")], KMIP),
    row("security.kmip.connectTimeoutMS", Text, &[Flag::value("kmipConnectTimeoutMS")], KMIP),
    row("security.kmip.activateKeys", Text, &[Flag::value("kmipActivateKeys")], KMIP),
    row("security.kmip.keyStatePollingSeconds", Text, &[Flag::value("kmipKeyStatePollingSeconds")], KMIP),
    row("security.kmip.useLegacyProtocol", Text, &[Flag::value("kmipUseLegacyProtocol")], KMIP),
    row("security.ldap.servers", Text, &[Flag::value("ldapServers")], LDAP),
    row("security.ldap.bind.method", Text, &[Flag::value("ldapBindMethod")], LDAP),
    row("security.ldap.bind.saslMechanisms", Text, &[Flag::value("ldapBindSaslMechanisms")], LDAP),
    row("security.ldap.bind.queryUser", Text, &[Flag::value("ldapQueryUser")], LDAP),
    row("security.ldap.bind.queryPassword", List, &[Flag::value("ldapQueryPassword")], LDAP).secret(),
    row("security.ldap.bind.useOSDefaults", Switch, &[Flag::switch("ldapBindWithOSDefaults")], LDAP),
    row("security.ldap.transportSecurity", Text, &[Flag::value("ldapTransportSecurity")], LDAP),
    row("security.ldap.timeoutMS", Text, &[Flag::value("ldapTimeoutMS")], LDAP),
    row("security.ldap.retryCount", Text, &[Flag::value("ldapRetryCount")], LDAP),
    row("security.ldap.userToDNMapping", Text, &[Flag::value("ldapUserToDNMapping")], LDAP),
    row("security.ldap.authz.queryTemplate", Text, &[Flag::value("ldapAuthzQueryTemplate")], LDAP),
    row("security.ldap.validateLDAPServerConfig", Switch, &[Flag::value("ldapValidateLDAPServerConfig")], LDAP),
    row("auditLog.destination", Text, &[Flag::value("auditDestination")], AUDIT),
    row("auditLog.format", Text, &[Flag::value("auditFormat")], AUDIT),
    row("auditLog.path", Path, &[Flag::value("auditPath")], AUDIT),
    row("auditLog.filter", Text, &[Flag::value("auditFilter")], AUDIT),
    row("auditLog.schema", Text, &[Flag::value("auditSchema")], AUDIT),
    row("auditLog.runtimeConfiguration", Switch, &[Flag::switch("auditRuntimeConfiguration")], AUDIT),
    row("auditLog.auditEncryptionKeyIdentifier", Text, &[Flag::value("auditEncryptionKeyUID")], AUDIT),
    row("auditLog.compressionMode", Text, &[Flag::value("auditCompressionMode")], AUDIT),
    row("auditLog.localAuditKeyFile", Path, &[Flag::value("auditLocalKeyFile")], AUDIT),
    row("awsIamSessionToken", Text, &[Flag::value("awsIamSessionToken")], "doorward has no AWS IAM authentication")
        .secret()
        .command_line_only(),
    row(
        "systemLog.syslogFacility",
        Text,
        &[Flag::value("syslogFacility")],
        "doorward does not write to syslog; use standard output or a file",
    ),
    command("shutdown", &[Flag::switch("shutdown")]),
    command("repair", &[Flag::switch("repair")]),
    command("restore", &[Flag::switch("restore")]),
    command("sysinfo", &[Flag::switch("sysinfo")]),
];
