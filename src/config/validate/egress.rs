//! `proxy.egress`: ways out for a member behind that sends no credentials. Whoever reaches one is `__system` at the other end, so that
//! one that strangers could reach is refused.

use super::{Reader, proxy};
use crate::config::cidr::Cidr;
use crate::config::error::ErrorKind;
use crate::config::raw::Entry;
use crate::config::settings::{ClusterAuthMode, Egress, Security, Tls, TlsMode};
use crate::names::HostAndPort;

const EGRESS: &str = "proxy.egress";

pub(super) fn egress(reader: &mut Reader<'_>, tls: &Tls, security: &Security) -> Vec<Egress> {
    let mut all: Vec<Egress> = Vec::new();
    for entry in reader.entries(EGRESS) {
        match read(entry) {
            Ok(egress) => {
                check(reader, &all, &egress);
                all.push(egress);
            }
            Err(text) => {
                reader.error(ErrorKind::BadValue, EGRESS, text, "an entry is {listen: \"127.0.0.2:27017\", to: \"db2:27017\"}");
            }
        }
    }
    // Without access control nobody logs in, members included: this is how a set is before it gets a keyfile.
    if !all.is_empty() && security.access_control && security.cluster_auth_mode == ClusterAuthMode::Undefined {
        let text = "proxy.egress logs in as a member, and nothing says how members do that";
        let remedy = "set security.keyFile or security.clusterAuthMode, as the other members have it";
        reader.error(ErrorKind::Missing, EGRESS, text, remedy);
    }
    let speaks_tls = matches!(tls.mode, TlsMode::PreferTls | TlsMode::RequireTls);
    if !all.is_empty() && speaks_tls && tls.ca_file.is_none() && !tls.allow_invalid_certificates {
        let text = "proxy.egress needs net.tls.CAFile to know the other members by their certificates";
        reader.error(ErrorKind::Missing, "net.tls.CAFile", text, "");
    }
    if let Some(Egress { listen, to, .. }) = all.iter().find(|egress| all.iter().any(|other| other.listen.is_same(&egress.to))) {
        let text = format!("{EGRESS}: from {listen} to {to} is a way to doorward itself");
        reader.error(ErrorKind::Conflict, EGRESS, text, "let `to` be the address of the other member's doorward");
    }
    all
}

fn read(entry: &Entry) -> Result<Egress, String> {
    let field = |name: &str| entry.iter().find(|(field, _)| field == name).map(|(_, text)| text.as_str());
    let address = |name: &str| {
        let text = field(name).ok_or_else(|| format!("an entry of {EGRESS} has no {name}"))?;
        HostAndPort::parse(text).ok_or_else(|| format!("{EGRESS}: {name} is no host:port: '{text}'"))
    };
    let ranges = field("from").unwrap_or_default().split(',').filter(|range| !range.trim().is_empty());
    let from = ranges.map(|range| range.trim().parse::<Cidr>().map_err(|error| format!("{EGRESS}: from '{range}': {error}")));
    Ok(Egress { listen: address("listen")?, to: address("to")?, from: from.collect::<Result<_, _>>()? })
}

fn check(reader: &mut Reader<'_>, others: &[Egress], egress: &Egress) {
    let Egress { listen, from, .. } = egress;
    if others.iter().any(|other| other.listen.is_same(listen)) {
        reader.error(ErrorKind::Duplicate, EGRESS, format!("two entries of {EGRESS} have listen: {listen}"), "");
    }
    if from.is_empty() && !proxy::is_loopback(&listen.host) {
        let text = format!("{EGRESS}: whoever reaches {listen} would be a member of the replica set at {}", egress.to);
        let remedy = "let listen be an address of the loopback (127.0.0.0/8, ::1, localhost), or name with from: the address of the \
                      mongod behind";
        reader.error(ErrorKind::Conflict, EGRESS, text, remedy);
    }
    if from.iter().any(Cidr::is_everything) {
        let text = format!("{EGRESS}: from is everybody: whoever reaches {listen} would be a member of the replica set");
        reader.error(ErrorKind::Conflict, EGRESS, text, "name the address of the mongod behind");
    }
}
