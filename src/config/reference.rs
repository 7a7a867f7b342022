//! The text of `config/doorward.conf`: every option of the table, explained. A test compares the file with it.

use std::fmt::Write as _;

use super::help::wrap;
use super::options::{self, Kind, OptionSpec, Reload, Support, Takes};
use super::raw::PARAMETER;

const WIDTH: usize = 118;

const HEAD: &str = "\
# doorward: every option, with its default. What is commented out shows the default, or an example where there is none.
#
# The names are mongod's, and a mongod.conf works as it is once proxy.upstream.address is added. `net.port: 27017` is the
# same as `net:` with `port: 27017` below it. Booleans are true and false, nothing else. Every option but those of
# setParameter has a flag too, which beats the file. `doorward check --config FILE` says what is in force.

# The one option that is required: the mongod behind.
proxy.upstream.address: 127.0.0.1:27018
";

/// The whole text.
#[must_use]
pub fn text() -> String {
    let mut text = String::from(HEAD);
    for option in options::all().filter(|option| option.in_file && option.support == Support::Honoured) {
        if !option.name.starts_with(PARAMETER) && !matches!(option.name, "net.ssl.mode" | "proxy.upstream.address") {
            describe(&mut text, option);
            let _ = writeln!(text, "#{}: {}", option.name, example(option));
        }
    }
    text.push_str("\n# Parameters.\n#setParameter:\n");
    for option in options::all().filter(|option| option.support == Support::Honoured) {
        if let Some(name) = option.name.strip_prefix(PARAMETER) {
            comment(&mut text, "#  # ", option);
            let _ = writeln!(text, "#  {name}: {}", example(option));
        }
    }
    list(&mut text, "Accepted and ignored, because they concern the database alone or have no meaning for a proxy:", |support| {
        support == Support::Ignored
    });
    list(&mut text, "Refused, because doorward can not honour them:", |support| matches!(support, Support::Refused(_)));
    text
}

fn describe(text: &mut String, option: &OptionSpec) {
    text.push('\n');
    comment(text, "# ", option);
}

fn comment(text: &mut String, prefix: &str, option: &OptionSpec) {
    let mut words = option.help.to_owned();
    if let Some(flag) = option.flags.iter().find(|flag| flag.legacy_of.is_none()) {
        let argument = if flag.takes == Takes::Value { " arg" } else { "" };
        let _ = write!(words, " Flag: --{}{argument}.", flag.name);
    }
    if let Kind::Word(choice) = option.kind {
        let _ = write!(words, " One of {}.", choice.join(", "));
    }
    words.push_str(match option.reload {
        Reload::Now => " A reload changes it at once.",
        Reload::NewConnections => " A reload changes it for new connections.",
        Reload::Restart => " A change needs a restart.",
    });
    for line in wrap(&words, WIDTH - prefix.len()) {
        let _ = writeln!(text, "{prefix}{line}");
    }
}

fn example(option: &OptionSpec) -> &'static str {
    let own = match option.name {
        "systemLog.destination" => Some("file"),
        "systemLog.path" => Some("/var/log/doorward/doorward.log"),
        "processManagement.pidFilePath" => Some("/run/doorward/doorward.pid"),
        "security.clusterAuthMode" => Some("keyFile"),
        "security.keyFile" => Some("/etc/doorward/keyfile"),
        "security.clusterIpSourceAllowlist" => Some("[10.0.0.0/8, 127.0.0.1]"),
        "net.tls.disabledProtocols" => Some("TLS1_2"),
        "net.tls.clusterAuthX509.attributes" | "setParameter.tlsX509ClusterAuthDNOverride" => Some("O=Example,OU=Cluster"),
        "net.tls.clusterAuthX509.extensionValue" => Some("cluster-1"),
        "setParameter.tlsCATrusts" => Some("'[]'"),
        _ => None,
    };
    own.or(option.default).unwrap_or(match option.kind {
        Kind::Path => "/etc/doorward/FILE.pem",
        _ if option.secret => "<password>",
        _ => "TEXT",
    })
}

fn list(text: &mut String, title: &str, belongs: impl Fn(Support) -> bool) {
    let names: Vec<&str> =
        options::all().filter(|option| option.in_file && belongs(option.support)).map(|option| option.name).collect();
    let _ = writeln!(text, "\n# {title}");
    for line in wrap(&names.join(" "), WIDTH - 4) {
        let _ = writeln!(text, "#   {line}");
    }
}
