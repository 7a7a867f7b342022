//! The validated settings: complete and consistent, immutable, with paths and never contents.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::cidr::Cidr;
use crate::names::{HostAndPort, UserName};

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

/// `proxy.*`: doorward's own section.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// `upstream`.
    pub upstream: Upstream,
    /// Where clients come in and which mongod they reach there; at least one.
    pub fronts: Vec<Front>,
    /// `members`.
    pub members: Vec<Member>,
    /// `enforcement`: for whom authentication is enforced already in transition.
    pub enforcement: Vec<EnforcementRule>,
    /// `deployments`.
    pub deployments: Vec<Deployment>,
    /// `egress`: ways out for a member behind that sends no credentials.
    pub egress: Vec<Egress>,
    /// `proxyProtocol.from`: who sends a PROXY header in front of each connection.
    pub proxy_protocol_from: Vec<Cidr>,
    /// `admin.bindIp` and `admin.port`; `None` when the port is 0.
    pub admin: Option<SocketAddr>,
    /// `loadBalanced`: whether clients that say so are told which server a balancer brought them to, default false.
    pub load_balanced: bool,
    /// `hideUnknownUsers`, default false.
    pub hide_unknown_users: bool,
    /// `userCacheSeconds`: the greatest age of what is known of a user, default 10.
    pub user_cache_seconds: u32,
    /// `handshakeTimeoutSeconds`: within this a connection must have sent its first whole command, default 30.
    pub handshake_timeout_seconds: u32,
    /// `drainSeconds`: how long SIGTERM waits for running operations, default 15.
    pub drain_seconds: u32,
}

/// An entry of `proxy.enforcement`; all that is given must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnforcementRule {
    /// `source`: the client's address is in this range.
    pub source: Option<Cidr>,
    /// `application`: the name that the client gives itself; empty for those that give none.
    pub application: Option<String>,
    /// `user`: this user is authenticated.
    pub user: Option<UserName>,
    /// `percentage`: the client is among so many of a hundred.
    pub percentage: Option<u8>,
}

impl Proxy {
    /// Whether clients come in at the same places by the same names.
    fn has_fronts_of(&self, other: &Self) -> bool {
        let entry = |front: &Front| (front.listen.clone(), front.server_name.clone());
        self.fronts.iter().map(entry).eq(other.fronts.iter().map(entry))
    }
}

/// Where clients come in, and the mongod that they reach there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Front {
    /// Where doorward listens.
    pub listen: Listen,
    /// The mongod behind.
    pub upstream: UpstreamAddress,
    /// The server name in the TLS hello by which clients mean this one; `None` where no other front has the same place. Fronts of one
    /// place all have different ones.
    pub server_name: Option<String>,
    /// The certificate that it shows; `None` is that of `net.tls`.
    pub certificate_key_file: Option<PathBuf>,
}

/// An entry of `proxy.deployments`: one of several mongods behind one address and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// `serverName`: the server name in the TLS hello.
    pub server_name: String,
    /// `address`.
    pub address: UpstreamAddress,
    /// `certificateKeyFile`; `None` is that of `net.tls`.
    pub certificate_key_file: Option<PathBuf>,
}

/// An entry of `proxy.egress`: a way from the member behind to another, on which doorward logs in for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Egress {
    /// `listen`: where the member behind connects to.
    pub listen: HostAndPort,
    /// `to`: the other member, or the doorward in front of it.
    pub to: HostAndPort,
    /// `from`: who may connect. Empty is everybody on this host, and then `listen` is an address of its loopback.
    pub from: Vec<Cidr>,
}

/// Where doorward listens for a front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `net.bindIp`, `net.port` and the unix socket.
    Net,
    /// `net.bindIp` with another port.
    Port(u16),
    /// This address.
    Address(HostAndPort),
}

/// An entry of `proxy.members`: a member of the replica set behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// `host`: its name in the configuration of the replica set, by which doorward reaches it too.
    pub host: HostAndPort,
    /// `listen`; `None` when another doorward stands in front of it.
    pub listen: Option<Listen>,
    /// `advertise`: what clients are told instead of `host`.
    pub advertise: HostAndPort,
}

impl Member {
    /// Whether clients of both come in at one place.
    pub(crate) fn shares_place(&self, other: &Self) -> bool {
        self.listen.is_some() && self.listen == other.listen
    }
}

/// `proxy.upstream.*`.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// `address`; `None` where `proxy.members` names every mongod.
    pub address: Option<UpstreamAddress>,
    /// `authentication`.
    pub authentication: UpstreamAuthentication,
    /// `tls`; `None` when its mode is disabled.
    pub tls: Option<UpstreamTls>,
    /// `connectTimeoutMS`, default 10000.
    pub connect_timeout_ms: u32,
    /// `proxyProtocol`; `None` when no header is sent.
    pub proxy_protocol: Option<ProxyProtocol>,
}

/// `proxy.upstream.proxyProtocol`: the version of the PROXY header that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the protocol's")]
pub enum ProxyProtocol {
    V1,
    V2,
}

/// Where the upstream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamAddress {
    /// `host:port`.
    Tcp(HostAndPort),
    /// `unix:/path`.
    Unix(PathBuf),
}

impl std::fmt::Display for UpstreamAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(formatter, "{address}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Net => formatter.write_str("net.port"),
            Self::Port(port) => write!(formatter, "{port}"),
            Self::Address(address) => write!(formatter, "{address}"),
        }
    }
}

/// `proxy.upstream.authentication`, see the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the contract's")]
pub enum UpstreamAuthentication {
    None,
    KeyFile,
    X509,
}

/// `proxy.upstream.tls.*`.
#[derive(Clone, Debug)]
pub struct UpstreamTls {
    /// `CAFile`.
    pub ca_file: Option<PathBuf>,
    /// `certificateKeyFile`.
    pub certificate_key_file: Option<PathBuf>,
    /// `certificateKeyFilePassword`.
    pub certificate_key_file_password: Option<Password>,
    /// `allowInvalidHostnames`.
    pub allow_invalid_hostnames: bool,
    /// `allowInvalidCertificates`.
    pub allow_invalid_certificates: bool,
}
