//! `net.*` without TLS.

use super::Reader;
use crate::config::error::{ErrorKind, Origin};
use crate::config::settings::{Net, UnixDomainSocket};

const COMPRESSORS: [&str; 3] = ["snappy", "zstd", "zlib"];

pub(super) fn net(reader: &mut Reader<'_>) -> Net {
    let ipv6 = reader.switch("net.ipv6");
    Net {
        port: port(reader),
        bind_ip: bind_ip(reader, ipv6),
        ipv6,
        max_incoming_connections: max_incoming_connections(reader),
        unix_domain_socket: unix_domain_socket(reader),
        compressors: compressors(reader),
        listen_backlog: u32::try_from(reader.integer("net.listenBacklog")).ok().filter(|backlog| *backlog > 0).unwrap_or(4096),
    }
}

/// A member of a sharded cluster has another default, as on mongod; clients expect it there.
fn port(reader: &mut Reader<'_>) -> u16 {
    match (reader.given("net.port"), reader.given("sharding.clusterRole")) {
        (None, Some("shardsvr")) => return 27018,
        (None, Some("configsvr")) => return 27019,
        _ => {}
    }
    u16::try_from(reader.integer("net.port")).unwrap_or_else(|_| {
        reader.bad("net.port", "BadValue: bad --port number");
        0
    })
}

fn bind_ip(reader: &mut Reader<'_>, ipv6: bool) -> Vec<String> {
    let all = reader.switch("net.bindIpAll");
    if all && matches!(reader.origin("net.bindIp"), Some(Origin::File { .. })) {
        reader.error(ErrorKind::Duplicate, "net.bindIp", "Error parsing YAML config: duplicate key: net.bindIp", "");
    }
    let text = if all && reader.given("net.bindIp").is_none() { "*" } else { reader.text("net.bindIp") };
    let mut addresses = Vec::new();
    for address in text.split(',').map(str::trim).filter(|address| !address.is_empty()) {
        if address == "*" {
            addresses.push("0.0.0.0".to_owned());
            addresses.extend(ipv6.then(|| "::".to_owned()));
        } else {
            addresses.push(address.to_owned());
        }
    }
    addresses
}

fn max_incoming_connections(reader: &mut Reader<'_>) -> usize {
    let number = usize::try_from(reader.integer("net.maxIncomingConnections")).unwrap_or_default();
    if number < 5 {
        reader.bad("net.maxIncomingConnections", "BadValue: maxConns has to be at least 5");
    }
    number
}

fn unix_domain_socket(reader: &mut Reader<'_>) -> Option<UnixDomainSocket> {
    let file_permissions = reader.integer("net.unixDomainSocket.filePermissions");
    if !(0..=0o7777).contains(&file_permissions) {
        reader.bad("net.unixDomainSocket.filePermissions", "BadValue: filePermissions must be from 0 to 07777");
    }
    reader.switch("net.unixDomainSocket.enabled").then(|| UnixDomainSocket {
        path_prefix: reader.text("net.unixDomainSocket.pathPrefix").into(),
        file_permissions: u32::try_from(file_permissions).unwrap_or(0o700),
    })
}

fn compressors(reader: &mut Reader<'_>) -> Vec<String> {
    let text = reader.text("net.compression.compressors");
    if text == "disabled" {
        return Vec::new();
    }
    let mut names = Vec::new();
    for name in text.split(',') {
        if !COMPRESSORS.contains(&name) {
            let text = format!("Invalid network message compressor specified in configuration: {}", name.trim());
            reader.bad("net.compression.compressors", text);
        } else if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}
