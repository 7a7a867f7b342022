//! `proxy.deployments`: several mongods behind one address and port, told apart by the server name in the TLS hello.

use std::net::IpAddr;
use std::path::PathBuf;

use super::{Reader, proxy};
use crate::config::error::ErrorKind;
use crate::config::raw::Entry;
use crate::config::settings::{Deployment, Front, Listen};

const DEPLOYMENTS: &str = "proxy.deployments";

pub(super) fn deployments(reader: &mut Reader<'_>) -> Vec<Deployment> {
    let mut deployments: Vec<Deployment> = Vec::new();
    for entry in reader.entries(DEPLOYMENTS) {
        match deployment(entry) {
            Ok(new) => {
                if deployments.iter().any(|other| other.server_name == new.server_name) {
                    let text = format!("two entries of {DEPLOYMENTS} have serverName: {}", new.server_name);
                    reader.error(ErrorKind::Duplicate, DEPLOYMENTS, text, "");
                }
                deployments.push(new);
            }
            Err(text) => {
                let remedy =
                    "an entry is {serverName: one.example.com, address: \"db1:27018\", certificateKeyFile: /etc/one.pem}";
                reader.error(ErrorKind::BadValue, DEPLOYMENTS, text, remedy);
            }
        }
    }
    deployments
}

fn deployment(entry: &Entry) -> Result<Deployment, String> {
    let field = |name: &str| entry.iter().find(|(field, _)| field == name).map(|(_, text)| text.as_str());
    let required = |name: &str| field(name).ok_or_else(|| format!("an entry of {DEPLOYMENTS} has no {name}"));
    let (name, address) = (required("serverName")?, required("address")?);
    if !is_server_name(name) {
        return Err(format!("{DEPLOYMENTS}: serverName is no host name that a TLS hello can have: '{name}'"));
    }
    Ok(Deployment {
        server_name: name.to_ascii_lowercase(),
        address: proxy::parse_address(address).ok_or_else(|| format!("{DEPLOYMENTS}: address can not be read: '{address}'"))?,
        certificate_key_file: field("certificateKeyFile").filter(|path| !path.is_empty()).map(PathBuf::from),
    })
}

/// The fronts of deployments, all on the port of `net`.
pub(super) fn fronts(deployments: &[Deployment]) -> Vec<Front> {
    let front = |deployment: &Deployment| Front {
        listen: Listen::Net,
        upstream: deployment.address.clone(),
        server_name: Some(deployment.server_name.clone()),
        certificate_key_file: deployment.certificate_key_file.clone(),
    };
    deployments.iter().map(front).collect()
}

/// Whether a TLS hello can have it as its server name: a host name, no address.
pub(super) fn is_server_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 253
        && text.parse::<IpAddr>().is_err()
        && text.split('.').all(is_label)
        && !text.rsplit('.').next().is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_name_is_a_host_name() {
        for (name, expected) in [
            ("localhost", true),
            ("one.example.com", true),
            ("ONE_1.example-2.com", true),
            ("xn--bcher-kva.example", true),
            ("", false),
            ("one.", false),
            (".one", false),
            ("one..two", false),
            ("*.example.com", false),
            ("-one.example.com", false),
            ("b\u{fc}cher.example", false),
            ("one:27017", false),
            ("10.0.0.1", false),
            ("10.1", false),
            ("::1", false),
        ] {
            assert_eq!(is_server_name(name), expected, "{name}");
        }
        assert!(!is_server_name(&format!("{}.com", "x".repeat(64))));
        assert!(!is_server_name(&vec!["label"; 50].join(".")));
    }
}
