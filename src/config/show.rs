//! The effective settings as YAML text, for `doorward check` and to find what a reload changed. Secrets are `<password>`.
//! What is printed can be read again and gives the same settings, but for the passwords.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::num::NonZeroU32;

use super::cidr::Cidr;
use super::options::{self, Reload};
use super::settings::{
    ClusterAuthMode, Deployment, Egress, EnforcementRule, Member, ProxyProtocol, Settings, TlsMode, UpstreamAuthentication,
};

const PASSWORD: &str = "<password>";

/// The effective options as dotted name and YAML text, in the order of the table's sections; options that are unset are left out.
#[must_use]
pub fn effective(settings: &Settings) -> Vec<(&'static str, String)> {
    let mut lines = Lines(Vec::new());
    lines.net(settings);
    lines.tls(settings);
    lines.security(settings);
    lines.parameters(settings);
    lines.log(settings);
    lines.proxy(settings);
    lines.0
}

/// The effective settings as one YAML document, with a comment that lists what was ignored.
#[must_use]
pub fn yaml(settings: &Settings) -> String {
    let mut text = String::new();
    let mut above: Vec<&str> = Vec::new();
    for (name, value) in effective(settings) {
        let mut path: Vec<&str> = name.split('.').collect();
        let last = path.pop().unwrap_or_default();
        let common = path.iter().zip(&above).take_while(|(new, old)| new == old).count();
        for (depth, section) in path.iter().enumerate().skip(common) {
            let _ = writeln!(text, "{}{section}:", "  ".repeat(depth));
        }
        let _ = writeln!(text, "{}{last}: {value}", "  ".repeat(path.len()));
        above = path;
    }
    if !settings.ignored.is_empty() {
        text.push_str("# Accepted and ignored, because they concern the database alone or have no meaning here:\n");
        for name in &settings.ignored {
            let _ = writeln!(text, "#   {name}");
        }
    }
    text
}

/// The options that differ, with when the new value counts.
#[must_use]
pub fn changes(old: &Settings, new: &Settings) -> Vec<(&'static str, Reload)> {
    let (old, new) = (effective(old), effective(new));
    let differs = |from: &[(&'static str, String)], to: &[(&'static str, String)]| -> Vec<&'static str> {
        from.iter().filter(|line| !to.contains(line)).map(|(name, _)| *name).collect()
    };
    let mut names = differs(&new, &old);
    names.extend(differs(&old, &new));
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| (name, options::by_name(name).map_or(Reload::Restart, |option| option.reload))).collect()
}

struct Lines(Vec<(&'static str, String)>);

impl Lines {
    fn plain(&mut self, name: &'static str, value: impl std::fmt::Display) {
        self.0.push((name, format!("{value}")));
    }

    fn text(&mut self, name: &'static str, value: &str) {
        self.0.push((name, scalar(value)));
    }

    fn path(&mut self, name: &'static str, value: Option<&std::path::PathBuf>) {
        if let Some(path) = value {
            self.text(name, &path.to_string_lossy());
        }
    }

    fn optional(&mut self, name: &'static str, value: Option<&String>) {
        if let Some(text) = value {
            self.text(name, text);
        }
    }

    fn password<T>(&mut self, name: &'static str, value: Option<&T>) {
        if value.is_some() {
            self.text(name, PASSWORD);
        }
    }

    fn ranges(&mut self, name: &'static str, ranges: &[Cidr]) {
        let ranges: Vec<String> = ranges.iter().map(|range| format!("\"{range}\"")).collect();
        self.plain(name, format!("[{}]", ranges.join(", ")));
    }

    fn net(&mut self, settings: &Settings) {
        let net = &settings.net;
        self.plain("net.port", net.port);
        self.text("net.bindIp", &net.bind_ip.join(","));
        self.plain("net.ipv6", net.ipv6);
        self.plain("net.listenBacklog", net.listen_backlog);
        self.plain("net.maxIncomingConnections", net.max_incoming_connections);
        let compressors = if net.compressors.is_empty() { "disabled".to_owned() } else { net.compressors.join(",") };
        self.text("net.compression.compressors", &compressors);
        self.plain("net.unixDomainSocket.enabled", net.unix_domain_socket.is_some());
        if let Some(socket) = &net.unix_domain_socket {
            self.path("net.unixDomainSocket.pathPrefix", Some(&socket.path_prefix));
            self.plain("net.unixDomainSocket.filePermissions", format!("0{:o}", socket.file_permissions));
        }
    }

    fn tls(&mut self, settings: &Settings) {
        let tls = &settings.tls;
        let mode = match tls.mode {
            TlsMode::Disabled => "disabled",
            TlsMode::AllowTls => "allowTLS",
            TlsMode::PreferTls => "preferTLS",
            TlsMode::RequireTls => "requireTLS",
        };
        self.plain("net.tls.mode", mode);
        self.path("net.tls.certificateKeyFile", tls.certificate_key_file.as_ref());
        self.password("net.tls.certificateKeyFilePassword", tls.certificate_key_file_password.as_ref());
        self.path("net.tls.clusterFile", tls.cluster_file.as_ref());
        self.password("net.tls.clusterPassword", tls.cluster_password.as_ref());
        self.path("net.tls.CAFile", tls.ca_file.as_ref());
        self.path("net.tls.clusterCAFile", tls.cluster_ca_file.as_ref());
        self.path("net.tls.CRLFile", tls.crl_file.as_ref());
        if !tls.tls12 {
            self.plain("net.tls.disabledProtocols", "TLS1_2");
        } else if !tls.tls13 {
            self.plain("net.tls.disabledProtocols", "TLS1_3");
        }
        self.plain("net.tls.allowConnectionsWithoutCertificates", tls.allow_connections_without_certificates);
        self.plain("net.tls.allowInvalidCertificates", tls.allow_invalid_certificates);
        self.plain("net.tls.allowInvalidHostnames", tls.allow_invalid_hostnames);
        self.optional("net.tls.clusterAuthX509.attributes", tls.cluster_auth_x509_attributes.as_ref());
        self.optional("net.tls.clusterAuthX509.extensionValue", tls.cluster_auth_x509_extension_value.as_ref());
    }

    fn security(&mut self, settings: &Settings) {
        let security = &settings.security;
        self.plain("security.authorization", if security.access_control { "enabled" } else { "disabled" });
        self.path("security.keyFile", security.key_file.as_ref());
        let mode = match security.cluster_auth_mode {
            ClusterAuthMode::Undefined => None,
            ClusterAuthMode::KeyFile => Some("keyFile"),
            ClusterAuthMode::SendKeyFile => Some("sendKeyFile"),
            ClusterAuthMode::SendX509 => Some("sendX509"),
            ClusterAuthMode::X509 => Some("x509"),
        };
        if let Some(mode) = mode {
            self.plain("security.clusterAuthMode", mode);
        }
        self.plain("security.transitionToAuth", security.transition_to_auth);
        if let Some(ranges) = &security.cluster_ip_source_allowlist {
            self.ranges("security.clusterIpSourceAllowlist", ranges);
        }
    }

    fn parameters(&mut self, settings: &Settings) {
        let parameters = &settings.parameters;
        self.text("setParameter.authenticationMechanisms", &parameters.authentication_mechanisms.join(","));
        self.plain("setParameter.scramIterationCount", parameters.scram_iteration_count);
        self.plain("setParameter.scramSHA256IterationCount", parameters.scram_sha256_iteration_count);
        self.optional("setParameter.tlsX509ClusterAuthDNOverride", parameters.tls_x509_cluster_auth_dn_override.as_ref());
        self.plain("setParameter.enforceUserClusterSeparation", parameters.enforce_user_cluster_separation);
        self.plain("setParameter.allowRolesFromX509Certificates", parameters.allow_roles_from_x509_certificates);
        self.plain("setParameter.tlsX509ExpirationWarningThresholdDays", parameters.tls_x509_expiration_warning_threshold_days);
        self.plain("setParameter.enableLocalhostAuthBypass", parameters.enable_localhost_auth_bypass);
        self.plain("setParameter.preAuthMaximumMessageSizeBytes", parameters.pre_auth_maximum_message_size_bytes);
        self.plain("setParameter.disableNonTLSConnectionLogging", parameters.disable_non_tls_connection_logging);
        self.plain("setParameter.tlsWithholdClientCertificate", parameters.tls_withhold_client_certificate);
        self.optional("setParameter.tlsCATrusts", parameters.tls_ca_trusts.as_ref());
    }

    fn log(&mut self, settings: &Settings) {
        let log = &settings.log;
        if log.path.is_some() {
            self.plain("systemLog.destination", "file");
        }
        self.path("systemLog.path", log.path.as_ref());
        self.plain("systemLog.logAppend", log.append);
        self.plain("systemLog.verbosity", log.verbosity);
        self.plain("systemLog.quiet", log.quiet);
        self.path("processManagement.pidFilePath", settings.process.pid_file_path.as_ref());
    }

    fn proxy(&mut self, settings: &Settings) {
        let (proxy, upstream) = (&settings.proxy, &settings.proxy.upstream);
        if let Some(address) = &upstream.address {
            self.text("proxy.upstream.address", &address.to_string());
        }
        let authentication = match upstream.authentication {
            UpstreamAuthentication::None => "none",
            UpstreamAuthentication::KeyFile => "keyFile",
            UpstreamAuthentication::X509 => "x509",
        };
        self.plain("proxy.upstream.authentication", authentication);
        self.plain("proxy.upstream.connectTimeoutMS", upstream.connect_timeout_ms);
        self.plain("proxy.upstream.pooling.maxIdleConnections", upstream.pooling.map_or(0, NonZeroU32::get));
        let header = match upstream.proxy_protocol {
            None => "none",
            Some(ProxyProtocol::V1) => "v1",
            Some(ProxyProtocol::V2) => "v2",
        };
        self.plain("proxy.upstream.proxyProtocol", header);
        self.plain("proxy.upstream.tls.mode", if upstream.tls.is_some() { "requireTLS" } else { "disabled" });
        if let Some(tls) = &upstream.tls {
            self.path("proxy.upstream.tls.CAFile", tls.ca_file.as_ref());
            self.path("proxy.upstream.tls.certificateKeyFile", tls.certificate_key_file.as_ref());
            self.password("proxy.upstream.tls.certificateKeyFilePassword", tls.certificate_key_file_password.as_ref());
            self.plain("proxy.upstream.tls.allowInvalidHostnames", tls.allow_invalid_hostnames);
            self.plain("proxy.upstream.tls.allowInvalidCertificates", tls.allow_invalid_certificates);
        }
        self.path("proxy.tls.keyFile", settings.tls.key_file.as_ref());
        self.plain("proxy.members", entries(&proxy.members, member));
        self.plain("proxy.enforcement", entries(&proxy.enforcement, enforcement));
        self.plain("proxy.deployments", entries(&proxy.deployments, deployment));
        self.plain("proxy.egress", entries(&proxy.egress, egress));
        self.ranges("proxy.proxyProtocol.from", &proxy.proxy_protocol_from);
        if let Some(admin) = proxy.admin {
            self.text("proxy.admin.bindIp", &admin.ip().to_string());
        }
        self.plain("proxy.admin.port", proxy.admin.map_or(0, |admin| admin.port()));
        self.plain("proxy.loadBalanced", proxy.load_balanced);
        self.plain("proxy.hideUnknownUsers", proxy.hide_unknown_users);
        self.plain("proxy.userCacheSeconds", proxy.user_cache_seconds);
        self.plain("proxy.handshakeTimeoutSeconds", proxy.handshake_timeout_seconds);
        self.plain("proxy.drainSeconds", proxy.drain_seconds);
    }
}

/// A list of mappings as YAML.
fn entries<T>(items: &[T], fields: impl Fn(&T) -> Vec<(&'static str, String)>) -> String {
    let mapping = |item: &T| {
        let fields: Vec<_> = fields(item).iter().map(|(name, text)| format!("{name}: {}", scalar(text))).collect();
        format!("{{{}}}", fields.join(", "))
    };
    format!("[{}]", items.iter().map(mapping).collect::<Vec<_>>().join(", "))
}

fn member(member: &Member) -> Vec<(&'static str, String)> {
    let mut fields = vec![("host", member.host.to_string())];
    fields.extend(member.listen.as_ref().map(|listen| ("listen", listen.to_string())));
    fields.push(("advertise", member.advertise.to_string()));
    fields
}

fn enforcement(rule: &EnforcementRule) -> Vec<(&'static str, String)> {
    let fields = [
        ("source", rule.source.map(|source| source.to_string())),
        ("application", rule.application.clone()),
        ("user", rule.user.as_ref().map(ToString::to_string)),
        ("percentage", rule.percentage.map(|percentage| percentage.to_string())),
    ];
    fields.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
}

fn deployment(deployment: &Deployment) -> Vec<(&'static str, String)> {
    let mut fields = vec![("serverName", deployment.server_name.clone()), ("address", deployment.address.to_string())];
    let file = deployment.certificate_key_file.as_ref();
    fields.extend(file.map(|path| ("certificateKeyFile", path.to_string_lossy().into_owned())));
    fields
}

fn egress(egress: &Egress) -> Vec<(&'static str, String)> {
    let from: Vec<String> = egress.from.iter().map(ToString::to_string).collect();
    let mut fields = vec![("listen", egress.listen.to_string()), ("to", egress.to.to_string())];
    fields.extend((!from.is_empty()).then(|| ("from", from.join(", "))));
    fields
}

/// A text as YAML: bare when nothing in it has a meaning of its own, else in double quotes.
fn scalar(text: &str) -> String {
    let bare = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '/' | '.' | '_' | '-' | ',');
    let safe = text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '/')
        && text.chars().all(bare)
        && !matches!(text, "null" | "Null" | "NULL");
    if safe {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
