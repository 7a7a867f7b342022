//! `proxy.members`: the members of the replica set behind, and what clients are told instead of their names.

use super::Reader;
use super::deployments::is_server_name;
use crate::config::error::ErrorKind;
use crate::config::raw::Entry;
use crate::config::settings::{Front, Listen, Member, UpstreamAddress};
use crate::names::HostAndPort;

const MEMBERS: &str = "proxy.members";

pub(super) fn members(reader: &mut Reader<'_>) -> Vec<Member> {
    let mut members: Vec<Member> = Vec::new();
    for entry in reader.entries(MEMBERS) {
        match member(entry) {
            Ok(member) => {
                check_others(reader, &members, &member);
                members.push(member);
            }
            Err(text) => reader.error(
                ErrorKind::BadValue,
                MEMBERS,
                text,
                "an entry is {host: \"db1:27018\", listen: \"0.0.0.0:27017\", advertise: \"gate1:27017\"}",
            ),
        }
    }
    members
}

fn member(entry: &Entry) -> Result<Member, String> {
    let field = |name: &str| entry.iter().find(|(field, _)| field == name).map(|(_, text)| text.as_str());
    let address = |name: &str| {
        let text = field(name).ok_or_else(|| format!("an entry of {MEMBERS} has no {name}"))?;
        HostAndPort::parse(text).ok_or_else(|| format!("{MEMBERS}: {name} is no host:port: '{text}'"))
    };
    let listen = field("listen").map(|text| {
        let port = text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse().ok().filter(|port| *port != 0));
        let listen = port.map_or_else(|| HostAndPort::parse(text).map(Listen::Address), |port| port.map(Listen::Port));
        listen.ok_or_else(|| format!("{MEMBERS}: listen is neither a port nor address:port: '{text}'"))
    });
    Ok(Member { host: address("host")?, listen: listen.transpose()?, advertise: address("advertise")? })
}

/// Whether the server name in a TLS hello tells which of two members is meant.
fn told_apart(one: &Member, other: &Member) -> bool {
    let (one, other) = (&one.advertise.host, &other.advertise.host);
    is_server_name(one) && is_server_name(other) && !one.eq_ignore_ascii_case(other)
}

/// The fronts of the members that clients reach here. Where members share a place, the name that clients are told is the one in their
/// TLS hello.
pub(super) fn fronts(members: &[Member]) -> Vec<Front> {
    let front = |member: &Member| {
        let shared = members.iter().filter(|other| other.shares_place(member)).count() > 1;
        Some(Front {
            listen: member.listen.clone()?,
            upstream: UpstreamAddress::Tcp(member.host.clone()),
            server_name: shared.then(|| member.advertise.host.to_ascii_lowercase()),
            certificate_key_file: None,
        })
    };
    members.iter().filter_map(front).collect()
}

/// Two members must not look like one: a driver would take the one for the other.
fn check_others(reader: &mut Reader<'_>, members: &[Member], member: &Member) {
    for other in members {
        let twice = if other.host.is_same(&member.host) {
            format!("the host {}", member.host)
        } else if other.advertise.is_same(&member.advertise) {
            format!("advertise: {}", member.advertise)
        } else if other.shares_place(member) && !told_apart(other, member) {
            format!(
                "listen: {}, and the hosts of their advertise are not two names that a TLS hello can tell apart",
                member.listen.as_ref().map(ToString::to_string).unwrap_or_default()
            )
        } else {
            continue;
        };
        reader.error(ErrorKind::Duplicate, MEMBERS, format!("two entries of {MEMBERS} have {twice}"), "");
    }
}
