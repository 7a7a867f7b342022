//! `proxy.*`: doorward's own section. Combinations that would open a door are refused. Source: doorward's contract.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;

use super::{Reader, deployments, egress, enforcement, members, security};
use crate::config::cidr::Cidr;
use crate::config::error::{ErrorKind, Warning};
use crate::config::settings::{
    Deployment, Front, Listen, Member, Net, Proxy, ProxyProtocol, Security, Tls, TlsMode, Upstream, UpstreamAddress,
    UpstreamAuthentication, UpstreamTls,
};
use crate::names::HostAndPort;

const ADDRESS: &str = "proxy.upstream.address";
const AUTHENTICATION: &str = "proxy.upstream.authentication";
const POOLING: &str = "proxy.upstream.pooling.maxIdleConnections";
const TLS_MODE: &str = "proxy.upstream.tls.mode";

/// `None` when there is no upstream to speak of; the reason is noted.
pub(super) fn proxy(reader: &mut Reader<'_>, net: &Net, tls: &Tls, security: &Security) -> Option<Proxy> {
    if tls.key_file.is_some() && tls.mode != TlsMode::Disabled && tls.certificate_key_file.is_none() {
        let text = "proxy.tls.keyFile needs the certificate in net.tls.certificateKeyFile";
        reader.error(ErrorKind::Missing, "proxy.tls.keyFile", text, "");
    }
    let admin = admin(reader);
    let upstream_tls = upstream_tls(reader);
    let authentication = authentication(reader, upstream_tls.as_ref(), security);
    let members = members::members(reader);
    let enforcement = enforcement::enforcement(reader, security);
    let address = address(reader);
    let deployments = deployments::deployments(reader);
    let egress = egress::egress(reader, tls, security);
    let fronts = fronts(reader, net, tls, address.as_ref(), (&members, &deployments));
    let proxy_protocol = match reader.word("proxy.upstream.proxyProtocol") {
        Some("v1") => Some(ProxyProtocol::V1),
        Some("v2") => Some(ProxyProtocol::V2),
        _ => None,
    };
    Some(Proxy {
        upstream: Upstream {
            address,
            authentication,
            tls: upstream_tls,
            connect_timeout_ms: reader.unsigned("proxy.upstream.connectTimeoutMS"),
            pooling: pooling(reader, proxy_protocol),
            proxy_protocol,
        },
        fronts: fronts?,
        members,
        enforcement,
        deployments,
        egress,
        proxy_protocol_from: proxy_protocol_from(reader),
        admin,
        load_balanced: reader.switch("proxy.loadBalanced"),
        hide_unknown_users: reader.switch("proxy.hideUnknownUsers"),
        user_cache_seconds: reader.unsigned("proxy.userCacheSeconds"),
        handshake_timeout_seconds: reader.unsigned("proxy.handshakeTimeoutSeconds"),
        drain_seconds: reader.unsigned("proxy.drainSeconds"),
    })
}

/// The fronts: one for each deployment, one for each member that clients reach here, or the one of `net` and
/// `proxy.upstream.address`.
fn fronts(
    reader: &mut Reader<'_>,
    net: &Net,
    tls: &Tls,
    address: Option<&UpstreamAddress>,
    (members, deployments): (&[Member], &[Deployment]),
) -> Option<Vec<Front>> {
    let alone = |listen: Listen, upstream: &UpstreamAddress| {
        vec![Front { listen, upstream: upstream.clone(), server_name: None, certificate_key_file: None }]
    };
    let mut here = members::fronts(members);
    let fronts: Vec<Front> = match (deployments, here.as_mut_slice(), address) {
        ([], [], None) => {
            if reader.non_empty(ADDRESS).is_none() {
                let remedy = "doorward stands in front of a mongod; say where it is, for example\n  --proxyUpstreamAddress \
                              127.0.0.1:27018, or in the file  proxy: {upstream: {address: \"127.0.0.1:27018\"}}";
                reader.error(ErrorKind::Missing, ADDRESS, "proxy.upstream.address is required", remedy);
            }
            return None;
        }
        ([], [], Some(address)) => alone(Listen::Net, address),
        ([], [front], Some(address)) => alone(front.listen.clone(), address),
        ([], _, Some(_)) => {
            let text = "proxy.upstream.address is one mongod, and proxy.members has several with a place to listen";
            let remedy = "leave proxy.upstream.address out: each member is reached by its host";
            reader.error(ErrorKind::Conflict, ADDRESS, text, remedy);
            return None;
        }
        ([], _, None) => here,
        (deployments, _, None) if members.is_empty() => deployments::fronts(deployments),
        _ => {
            let text = "proxy.deployments excludes proxy.upstream.address and proxy.members: each entry names its mongod";
            reader.error(ErrorKind::Conflict, "proxy.deployments", text, "leave them out");
            return None;
        }
    };
    if tls.mode == TlsMode::Disabled && fronts.iter().any(|front| front.server_name.is_some()) {
        let option = if deployments.is_empty() { "proxy.members" } else { "proxy.deployments" };
        let text = format!("{option} has several mongods at one place to listen, and only a TLS hello tells which is meant");
        reader.error(ErrorKind::Conflict, option, text, "let net.tls.mode be requireTLS");
        return None;
    }
    for front in &fronts {
        if fronts.iter().any(|other| is_own(&front.upstream, &other.listen, net)) {
            let option = match address {
                Some(_) => ADDRESS,
                None if deployments.is_empty() => "proxy.members",
                None => "proxy.deployments",
            };
            let text = format!("{option} {} is doorward's own address", front.upstream);
            let remedy = "let the mongod behind listen on another port, and name that port";
            reader.error(ErrorKind::Conflict, option, text, remedy);
            return None;
        }
    }
    Some(fronts)
}

fn proxy_protocol_from(reader: &mut Reader<'_>) -> Vec<Cidr> {
    const NAME: &str = "proxy.proxyProtocol.from";
    let ranges = security::ranges(reader, NAME).unwrap_or_default();
    if ranges.iter().any(Cidr::is_everything) {
        let text = "proxy.proxyProtocol.from is everybody: whoever reaches doorward's port can claim any address";
        reader.warnings.push(Warning::new(None, "NETWORK", text));
    }
    ranges
}

fn address(reader: &mut Reader<'_>) -> Option<UpstreamAddress> {
    let text = reader.non_empty(ADDRESS)?;
    let address = parse_address(text);
    if address.is_none() {
        let remedy = "it is host:port, [IPv6]:port, or unix:/path/to/mongodb-27018.sock";
        reader.error(ErrorKind::BadValue, ADDRESS, format!("proxy.upstream.address can not be read: '{text}'"), remedy);
    }
    address
}

pub(super) fn parse_address(text: &str) -> Option<UpstreamAddress> {
    match text.strip_prefix("unix:") {
        Some(path) => path.starts_with('/').then(|| UpstreamAddress::Unix(PathBuf::from(path))),
        None => HostAndPort::parse(text).map(UpstreamAddress::Tcp),
    }
}

/// Whether doorward would connect to itself, as far as the texts tell.
fn is_own(address: &UpstreamAddress, listen: &Listen, net: &Net) -> bool {
    let (bound, listening) = match listen {
        Listen::Net => (net.bind_ip.clone(), net.port),
        Listen::Port(port) => (net.bind_ip.clone(), *port),
        Listen::Address(address) => (vec![address.host.clone()], address.port),
    };
    match address {
        UpstreamAddress::Tcp(HostAndPort { host, port }) => {
            let local = is_loopback(host);
            *port == listening
                && bound.iter().any(|bound| {
                    let everything = bound.parse::<IpAddr>().is_ok_and(|bound| bound.is_unspecified());
                    bound == host || local && (everything || is_loopback(bound) && (bound == "localhost" || host == "localhost"))
                })
        }
        UpstreamAddress::Unix(path) => {
            *listen == Listen::Net
                && (net
                    .unix_domain_socket
                    .as_ref()
                    .is_some_and(|socket| *path == socket.path_prefix.join(format!("mongodb-{}.sock", net.port)))
                    || net.bind_ip.iter().any(|bound| path.as_os_str() == bound.as_str()))
        }
    }
}

pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn authentication(reader: &mut Reader<'_>, tls: Option<&UpstreamTls>, security: &Security) -> UpstreamAuthentication {
    let chosen = match reader.word(AUTHENTICATION) {
        Some("keyFile") => UpstreamAuthentication::KeyFile,
        Some("x509") => UpstreamAuthentication::X509,
        Some(word @ ("passthrough" | "impersonate")) => {
            let text = format!("proxy.upstream.authentication {word} is not built yet");
            reader.error(ErrorKind::Unsupported, AUTHENTICATION, text, "use none, keyFile or x509");
            UpstreamAuthentication::None
        }
        _ => UpstreamAuthentication::None,
    };
    if chosen == UpstreamAuthentication::KeyFile && security.key_file.is_none() {
        let text = "proxy.upstream.authentication keyFile needs security.keyFile, the key file of the mongod behind";
        reader.error(ErrorKind::Missing, AUTHENTICATION, text, "");
    }
    if chosen == UpstreamAuthentication::X509 && tls.is_none_or(|tls| tls.certificate_key_file.is_none()) {
        let text = "proxy.upstream.authentication x509 needs proxy.upstream.tls.mode requireTLS and \
                    proxy.upstream.tls.certificateKeyFile";
        reader.error(ErrorKind::Missing, AUTHENTICATION, text, "");
    }
    if chosen != UpstreamAuthentication::None && !security.access_control {
        let text = "security.authorization disabled would give every client the rights of __system";
        let remedy = "enable authorization, or let proxy.upstream.authentication be none";
        reader.error(ErrorKind::Conflict, AUTHENTICATION, text, remedy);
    }
    chosen
}

/// How many connections may wait for their next operation. A connection that bears a client's name can not serve another: neither with
/// a header, nor with `passthrough` and `impersonate`, which are refused anyway.
fn pooling(reader: &mut Reader<'_>, proxy_protocol: Option<ProxyProtocol>) -> Option<NonZeroU32> {
    let pooling = NonZeroU32::new(reader.unsigned(POOLING))?;
    if proxy_protocol.is_some() {
        let text = "proxy.upstream.pooling excludes proxy.upstream.proxyProtocol, whose header makes a connection one client's";
        reader.error(ErrorKind::Conflict, POOLING, text, "leave one of them out");
    }
    Some(pooling)
}

fn upstream_tls(reader: &mut Reader<'_>) -> Option<UpstreamTls> {
    let on = reader.word(TLS_MODE)? == "requireTLS";
    let tls = UpstreamTls {
        ca_file: reader.path("proxy.upstream.tls.CAFile"),
        certificate_key_file: reader.path("proxy.upstream.tls.certificateKeyFile"),
        certificate_key_file_password: reader.password("proxy.upstream.tls.certificateKeyFilePassword"),
        allow_invalid_hostnames: reader.switch("proxy.upstream.tls.allowInvalidHostnames"),
        allow_invalid_certificates: reader.switch("proxy.upstream.tls.allowInvalidCertificates"),
    };
    if !on {
        let stray =
            ["CAFile", "certificateKeyFile", "certificateKeyFilePassword"].map(|name| format!("proxy.upstream.tls.{name}"));
        if let Some(name) = stray.iter().find(|name| reader.non_empty(name).is_some()) {
            let text = format!("{name} needs proxy.upstream.tls.mode requireTLS");
            reader.error(ErrorKind::Conflict, name, text, "");
        }
        return None;
    }
    if tls.ca_file.is_none() && !tls.allow_invalid_certificates {
        let text = "proxy.upstream.tls.CAFile is needed to know the mongod behind by its certificate";
        let remedy = "name the authority, or say proxy.upstream.tls.allowInvalidCertificates: true to trust anyone";
        reader.error(ErrorKind::Missing, "proxy.upstream.tls.CAFile", text, remedy);
    }
    if tls.allow_invalid_certificates {
        let text =
            "proxy.upstream.tls.allowInvalidCertificates is on: anyone between doorward and the mongod behind can pose as it";
        reader.warnings.push(Warning::new(None, "NETWORK", text));
    }
    Some(tls)
}

fn admin(reader: &mut Reader<'_>) -> Option<SocketAddr> {
    let port = u16::try_from(reader.integer("proxy.admin.port")).unwrap_or_default();
    let text = reader.text("proxy.admin.bindIp");
    let address = match text {
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        text => text.trim_start_matches('[').trim_end_matches(']').parse().ok(),
    };
    let Some(address) = address else {
        let text = format!("proxy.admin.bindIp is no address: '{text}'");
        reader.error(ErrorKind::BadValue, "proxy.admin.bindIp", text, "for example 127.0.0.1, 0.0.0.0 or ::1");
        return None;
    };
    (port != 0).then(|| SocketAddr::new(address, port))
}
