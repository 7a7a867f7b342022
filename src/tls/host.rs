//! Whether a server's certificate is for the host that we connect to, as mongod sees it.
//!
//! With a subject alternative name that has any entry the common name does not count. An address may stand as a DNS entry.
//! Source: fact sheet section 4.5.

use std::net::IpAddr;

use super::certificate::{Certificate, GeneralName};

/// Checks that `certificate` is for `host`, a name or an address.
///
/// # Errors
/// mongod's text about it.
pub(crate) fn check(certificate: &Certificate, host: &str) -> Result<(), String> {
    let names = &certificate.alternative_names;
    let common_names = &certificate.subject.common_names;
    let matches = if names.is_empty() {
        common_names.iter().any(|name| name_matches(name, host))
    } else {
        names.iter().any(|name| match name {
            GeneralName::Dns(name) => std::str::from_utf8(name).is_ok_and(|name| name_matches(name, host)),
            GeneralName::Ip(bytes) => address(bytes).is_some_and(|address| host.parse() == Ok(address)),
            _ => false,
        })
    };
    if matches {
        return Ok(());
    }
    let mut listed = Vec::new();
    if !names.is_empty() {
        let shown: Vec<String> = names.iter().filter_map(shown).collect();
        listed.push(format!("SAN(s): {}", shown.join(" ")));
    }
    listed.extend(common_names.first().map(|name| format!("CN: {}", name.escape_debug())));
    if listed.is_empty() {
        listed.push("No Common Name (CN) or Subject Alternate Names (SAN) found".to_owned());
    }
    Err(format!("The server certificate does not match the host name. Hostname: {host} does not match {}", listed.join(", ")))
}

/// Names are compared without case and without a dot at the end; `*.` stands for exactly one label.
fn name_matches(name: &str, host: &str) -> bool {
    let (name, host) = (name.strip_suffix('.').unwrap_or(name), host.strip_suffix('.').unwrap_or(host));
    if name.len() < 2 {
        return false;
    }
    match name.strip_prefix("*.") {
        Some(parent) => {
            // An address has no labels that a wildcard could stand for.
            host.parse::<IpAddr>().is_err()
                && host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent))
        }
        None => name.eq_ignore_ascii_case(host),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

fn shown(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::Dns(name) => Some(name.escape_ascii().to_string()),
        GeneralName::Ip(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_mongod() {
        for (name, host, matches) in [
            ("localhost", "LOCALHOST", true),
            ("localhost", "127.0.0.1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("a.example.com.", "a.example.com", true),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.0.0.1", "127.0.0.1", false),
            ("*", "localhost", false),
            ("", "", false),
        ] {
            assert_eq!(name_matches(name, host), matches, "{name} for {host}");
        }
    }
}
