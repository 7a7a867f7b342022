//! The settings of `proxy.*`, doorward's own section.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use super::Password;
use crate::config::cidr::Cidr;
use crate::names::{HostAndPort, UserName};

/// `proxy.*`.
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
    pub(super) fn has_fronts_of(&self, other: &Self) -> bool {
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
    /// `pooling.maxIdleConnections`; `None` when each client has a connection of its own.
    pub pooling: Option<NonZeroU32>,
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
