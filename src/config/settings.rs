//! The validated settings: complete and consistent, immutable, with paths and never contents.

mod proxy;

use std::path::PathBuf;

pub use self::proxy::{
    Deployment, Egress, EnforcementRule, Front, Listen, Member, Proxy, ProxyProtocol, Upstream, UpstreamAddress,
    UpstreamAuthentication, UpstreamTls,
};
use super::cidr::Cidr;

/// Everything that doorward was told, validated.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `net.*`.
    pub net: Net,
    /// `net.tls.*`.
    pub tls: Tls,
    /// `security.*`.
    pub security: Security,
    /// `setParameter.*`.
    pub parameters: Parameters,
    /// `systemLog.*`.
    pub log: SystemLog,
    /// `processManagement.*`.
    pub process: ProcessManagement,
    /// `proxy.*`.
    pub proxy: Proxy,
    /// Names of options that concern only a database (`storage.*` and the like): accepted, listed at start.
    pub ignored: Vec<String>,
}

impl Settings {
    /// Takes over from `old` what can not change while doorward runs: where it listens and where it logs.
    pub fn keep_until_restart(&mut self, old: &Self) {
        let Net { max_incoming_connections, compressors, .. } = std::mem::replace(&mut self.net, old.net.clone());
        (self.net.max_incoming_connections, self.net.compressors) = (max_incoming_connections, compressors);
        self.log.path.clone_from(&old.log.path);
        self.log.append = old.log.append;
        self.process.clone_from(&old.process);
        self.proxy.admin = old.proxy.admin;
        // Which mongod is behind may change at any time, but not how many there are and where their clients come in.
        if self.proxy.members != old.proxy.members || !self.proxy.has_fronts_of(&old.proxy) {
            self.proxy.upstream.address.clone_from(&old.proxy.upstream.address);
            self.proxy.fronts.clone_from(&old.proxy.fronts);
            self.proxy.members.clone_from(&old.proxy.members);
            self.proxy.deployments.clone_from(&old.proxy.deployments);
        }
        // Where a way out leads to may change, but not where it begins.
        if !self.proxy.egress.iter().map(|egress| &egress.listen).eq(old.proxy.egress.iter().map(|egress| &egress.listen)) {
            self.proxy.egress.clone_from(&old.proxy.egress);
        }
    }
}

/// `net.*`: where doorward listens.
#[derive(Clone, Debug)]
pub struct Net {
    /// `net.port`, default 27017.
    pub port: u16,
    /// `net.bindIp`, split at commas, default `localhost` (or everything with `net.bindIpAll`). Entries with a `/` are unix sockets.
    pub bind_ip: Vec<String>,
    /// `net.ipv6`.
    pub ipv6: bool,
    /// `net.maxIncomingConnections`, default 1000000 as in mongod, at least 5.
    pub max_incoming_connections: usize,
    /// `net.unixDomainSocket`; `None` when not enabled.
    pub unix_domain_socket: Option<UnixDomainSocket>,
    /// `net.compression.compressors` in the order given (default snappy, zstd, zlib); empty for `disabled`.
    pub compressors: Vec<String>,
    /// `net.listenBacklog`.
    pub listen_backlog: u32,
}

/// `net.unixDomainSocket.*`.
#[derive(Clone, Debug)]
pub struct UnixDomainSocket {
    /// The folder of `mongodb-<port>.sock`, default `/tmp`.
    pub path_prefix: PathBuf,
    /// File permissions of the socket, default 0700.
    pub file_permissions: u32,
}

/// `net.tls.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are mongod's own")]
pub enum TlsMode {
    Disabled,
    AllowTls,
    PreferTls,
    RequireTls,
}

/// `net.tls.*`.
#[derive(Clone, Debug)]
pub struct Tls {
    /// `mode`.
    pub mode: TlsMode,
    /// `certificateKeyFile`: certificate, chain and key in one file; or only the certificate and chain when `key_file` is set.
    pub certificate_key_file: Option<PathBuf>,
    /// `proxy.tls.keyFile`: the private key on its own, as Kubernetes secrets have it.
    pub key_file: Option<PathBuf>,
    /// `certificateKeyFilePassword`.
    pub certificate_key_file_password: Option<Password>,
    /// `clusterFile`.
    pub cluster_file: Option<PathBuf>,
    /// `clusterPassword`.
    pub cluster_password: Option<Password>,
    /// `CAFile`.
    pub ca_file: Option<PathBuf>,
    /// `clusterCAFile`.
    pub cluster_ca_file: Option<PathBuf>,
    /// `CRLFile`.
    pub crl_file: Option<PathBuf>,
    /// `allowConnectionsWithoutCertificates`.
    pub allow_connections_without_certificates: bool,
    /// `allowInvalidCertificates`.
    pub allow_invalid_certificates: bool,
    /// `allowInvalidHostnames`.
    pub allow_invalid_hostnames: bool,
    /// Whether TLS 1.2 is offered (`disabledProtocols`).
    pub tls12: bool,
    /// Whether TLS 1.3 is offered (`disabledProtocols`).
    pub tls13: bool,
    /// `clusterAuthX509.attributes`.
    pub cluster_auth_x509_attributes: Option<String>,
    /// `clusterAuthX509.extensionValue`.
    pub cluster_auth_x509_extension_value: Option<String>,
}

/// A password from the configuration: printed as `<password>`.
#[derive(Clone)]
pub struct Password(pub(crate) std::sync::Arc<crate::secret::Secret>);

impl Password {
    /// The password's bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("<password>")
    }
}

/// `security.clusterAuthMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are mongod's own")]
pub enum ClusterAuthMode {
    /// Neither the option nor a keyfile was given.
    Undefined,
    KeyFile,
    SendKeyFile,
    SendX509,
    X509,
}

/// `security.*`.
#[derive(Clone, Debug)]
pub struct Security {
    /// Whether clients must authenticate. On unless `security.authorization: disabled` (or `--noauth`) is written out and no
    /// keyFile and no clusterAuthMode turns it on, as they do on mongod.
    pub access_control: bool,
    /// `security.keyFile`.
    pub key_file: Option<PathBuf>,
    /// `security.clusterAuthMode`.
    pub cluster_auth_mode: ClusterAuthMode,
    /// `security.transitionToAuth`.
    pub transition_to_auth: bool,
    /// `security.clusterIpSourceAllowlist`; `None` when not given.
    pub cluster_ip_source_allowlist: Option<Vec<Cidr>>,
}

/// `setParameter.*`, those that doorward honours.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// `authenticationMechanisms`.
    pub authentication_mechanisms: Vec<String>,
    /// `scramIterationCount`, default 10000.
    pub scram_iteration_count: u32,
    /// `scramSHA256IterationCount`, default 15000.
    pub scram_sha256_iteration_count: u32,
    /// `tlsX509ClusterAuthDNOverride`; empty is unset.
    pub tls_x509_cluster_auth_dn_override: Option<String>,
    /// `enforceUserClusterSeparation`, default true.
    pub enforce_user_cluster_separation: bool,
    /// `allowRolesFromX509Certificates`, default true.
    pub allow_roles_from_x509_certificates: bool,
    /// `tlsX509ExpirationWarningThresholdDays`, default 30; 0 is off.
    pub tls_x509_expiration_warning_threshold_days: u32,
    /// `enableLocalhostAuthBypass`, default true.
    pub enable_localhost_auth_bypass: bool,
    /// `preAuthMaximumMessageSizeBytes`, default 16384 as in newer servers: the largest message before authentication.
    pub pre_auth_maximum_message_size_bytes: u32,
    /// `disableNonTLSConnectionLogging`.
    pub disable_non_tls_connection_logging: bool,
    /// `tlsWithholdClientCertificate`.
    pub tls_withhold_client_certificate: bool,
    /// `tlsCATrusts`, as its JSON text.
    pub tls_ca_trusts: Option<String>,
}

/// `systemLog.*`.
#[derive(Clone, Debug)]
pub struct SystemLog {
    /// `destination: file` and `path`; `None` is standard output.
    pub path: Option<PathBuf>,
    /// `logAppend`.
    pub append: bool,
    /// `verbosity` (0 to 5), `-v`.
    pub verbosity: u8,
    /// `quiet`.
    pub quiet: bool,
}

/// `processManagement.*`.
#[derive(Clone, Debug)]
pub struct ProcessManagement {
    /// `pidFilePath`.
    pub pid_file_path: Option<PathBuf>,
}
