//! Options that doorward has in common with mongod and honours: general, `net`, `net.tls`, `security`, `systemLog`.

use super::{
    Flag,
    Kind::{Integer, List, Path, Switch, Text, Word},
    OptionSpec,
    Reload::{NewConnections, Now},
    Takes,
};

const I32: (i64, i64) = (-0x8000_0000, 0x7fff_ffff);

/// What a mode of TLS may be; the old names end in `SSL`.
pub(super) const TLS_MODES: &[&str] = &["disabled", "allowTLS", "preferTLS", "requireTLS"];

pub(super) const OPTIONS: &[OptionSpec] = &[
    OptionSpec::new("help", Switch, &[Flag::switch("help").short('h')], "Show this help and end.").command_line_only(),
    OptionSpec::new("version", Switch, &[Flag::switch("version")], "Show the version and end.").command_line_only(),
    OptionSpec::new("config", Path, &[Flag::value("config").short('f')], "The configuration file; flags override it.")
        .command_line_only(),
    OptionSpec::new(
        "configExpand",
        Text,
        &[Flag::value("configExpand")],
        "Only none: doorward runs no commands named in a file.",
    )
    .default("none")
    .command_line_only(),
    OptionSpec::new(
        "net.port",
        Integer(I32.0, I32.1),
        &[Flag::value("port")],
        "Port to listen on, 0 to 65535; 27018 with sharding.clusterRole shardsvr, 27019 with configsvr.",
    )
    .default("27017"),
    OptionSpec::new(
        "net.bindIp",
        Text,
        &[Flag::value("bind_ip"), Flag::set("bind_ip_all", "*")],
        "Host names, addresses and paths of unix sockets to listen on, separated by commas; --bind_ip_all (in a file \
         net.bindIpAll: true) listens on all addresses.",
    )
    .default("localhost"),
    OptionSpec::new("net.bindIpAll", Switch, &[], "Listen on all addresses.").default("false"),
    OptionSpec::new("net.ipv6", Switch, &[Flag::switch("ipv6")], "Listen on IPv6 as well.").default("false"),
    OptionSpec::new(
        "net.listenBacklog",
        Integer(I32.0, I32.1),
        &[Flag::value("listenBacklog")],
        "Backlog of the listening sockets.",
    )
    .default("4096"),
    OptionSpec::new(
        "net.maxIncomingConnections",
        Integer(I32.0, I32.1),
        &[Flag::value("maxConns")],
        "Greatest number of connections at a time, at least 5.",
    )
    .default("1000000")
    .reload(NewConnections),
    OptionSpec::new(
        "net.compression.compressors",
        Text,
        &[Flag::value("networkMessageCompressors")],
        "Compressors offered to clients, in order, separated by commas; or disabled.",
    )
    .default("snappy,zstd,zlib")
    .reload(NewConnections),
    OptionSpec::new(
        "net.unixDomainSocket.enabled",
        super::Kind::Boolean,
        &[Flag::set("nounixsocket", "false")],
        "Listen on a unix socket as well.",
    )
    .default("true"),
    OptionSpec::new("net.unixDomainSocket.pathPrefix", Path, &[Flag::value("unixSocketPrefix")], "Folder of the unix socket.")
        .default("/tmp"),
    OptionSpec::new(
        "net.unixDomainSocket.filePermissions",
        Integer(I32.0, I32.1),
        &[Flag::value("filePermissions")],
        "Permissions of the unix socket; a leading 0 means octal.",
    )
    .default("0700"),
    OptionSpec::new(
        "net.tls.mode",
        Word(TLS_MODES),
        &[Flag::value("tlsMode")],
        "Whether clients may (allowTLS, preferTLS) or must (requireTLS) use TLS.",
    )
    .default("disabled")
    .reload(NewConnections),
    OptionSpec::new(
        "net.ssl.mode",
        Word(&["disabled", "allowSSL", "preferSSL", "requireSSL"]),
        &[Flag::value("sslMode")],
        "Deprecated name of net.tls.mode.",
    ),
    OptionSpec::new(
        "net.tls.tlsOnNormalPorts",
        Switch,
        &[Flag::switch("tlsOnNormalPorts"), Flag::switch("sslOnNormalPorts").legacy("tlsOnNormalPorts")],
        "Deprecated; the same as --tlsMode requireTLS.",
    )
    .command_line_only(),
    OptionSpec::new(
        "net.tls.certificateKeyFile",
        Path,
        &[Flag::value("tlsCertificateKeyFile"), Flag::value("sslPEMKeyFile").legacy("tlsCertificateKeyFile")],
        "PEM file with the server's certificate, its chain and its private key (the key may be in proxy.tls.keyFile).",
    )
    .legacy(&["net.ssl.PEMKeyFile"])
    .reload(NewConnections),
    OptionSpec::new(
        "net.tls.certificateKeyFilePassword",
        Text,
        &[Flag::value("tlsCertificateKeyFilePassword"), Flag::value("sslPEMKeyPassword").legacy("tlsCertificateKeyFilePassword")],
        "Password of that private key.",
    )
    .legacy(&["net.ssl.PEMKeyPassword"])
    .secret()
    .reload(NewConnections),
    OptionSpec::new(
        "net.tls.clusterFile",
        Path,
        &[Flag::value("tlsClusterFile"), Flag::value("sslClusterFile").legacy("tlsClusterFile")],
        "PEM file with the certificate and key presented to other members.",
    )
    .legacy(&["net.ssl.clusterFile"])
    .reload(NewConnections),
    OptionSpec::new(
        "net.tls.clusterPassword",
        Text,
        &[Flag::value("tlsClusterPassword"), Flag::value("sslClusterPassword").legacy("tlsClusterPassword")],
        "Password of the key in net.tls.clusterFile.",
    )
    .legacy(&["net.ssl.clusterPassword"])
    .secret()
    .reload(NewConnections),
    OptionSpec::new(
        "net.tls.CAFile",
        Path,
        &[Flag::value("tlsCAFile"), Flag::value("sslCAFile").legacy("tlsCAFile")],
        "PEM file with the authorities that client certificates are verified against.",
    )
    .legacy(&["net.ssl.CAFile"])
    .reload(NewConnections),
    OptionSpec::new(
        "net.tls.clusterCAFile",
        Path,
        &[Flag::value("tlsClusterCAFile"), Flag::value("sslClusterCAFile").legacy("tlsClusterCAFile")],
        "Authorities for incoming connections instead of net.tls.CAFile, which is then for outgoing ones.",
    )
    .legacy(&["net.ssl.clusterCAFile"])
    .reload(NewConnections),
    OptionSpec::new(
        "net.tls.CRLFile",
        Path,
        &[Flag::value("tlsCRLFile"), Flag::value("sslCRLFile").legacy("tlsCRLFile")],
        "PEM file with certificate revocation lists.",
    )
    .legacy(&["net.ssl.CRLFile"])
    .reload(NewConnections),
    OptionSpec::new(
        "net.tls.disabledProtocols",
        Text,
        &[Flag::value("tlsDisabledProtocols"), Flag::value("sslDisabledProtocols").legacy("tlsDisabledProtocols")],
        "TLS versions to turn off, of TLS1_0, TLS1_1, TLS1_2, TLS1_3, separated by commas. The first two are always off.",
    )
    .legacy(&["net.ssl.disabledProtocols"])
    .reload(NewConnections),
    OptionSpec::new(
        "net.tls.allowConnectionsWithoutCertificates",
        Switch,
        &[
            Flag::switch("tlsAllowConnectionsWithoutCertificates"),
            Flag::switch("sslAllowConnectionsWithoutCertificates").legacy("tlsAllowConnectionsWithoutCertificates"),
            Flag::switch("tlsWeakCertificateValidation").legacy("tlsAllowConnectionsWithoutCertificates"),
            Flag::switch("sslWeakCertificateValidation").legacy("tlsAllowConnectionsWithoutCertificates"),
        ],
        "Let clients connect without a certificate although there is a CA file.",
    )
    .legacy(&[
        "net.ssl.allowConnectionsWithoutCertificates",
        "net.tls.weakCertificateValidation",
        "net.ssl.weakCertificateValidation",
    ])
    .default("false")
    .reload(NewConnections),
    OptionSpec::new(
        "net.tls.allowInvalidCertificates",
        Switch,
        &[
            Flag::switch("tlsAllowInvalidCertificates"),
            Flag::switch("sslAllowInvalidCertificates").legacy("tlsAllowInvalidCertificates"),
        ],
        "Let clients connect with an invalid certificate; it counts as none.",
    )
    .legacy(&["net.ssl.allowInvalidCertificates"])
    .default("false")
    .reload(NewConnections),
    OptionSpec::new(
        "net.tls.allowInvalidHostnames",
        Switch,
        &[Flag::switch("tlsAllowInvalidHostnames"), Flag::switch("sslAllowInvalidHostnames").legacy("tlsAllowInvalidHostnames")],
        "Do not compare host names with certificates on outgoing connections.",
    )
    .legacy(&["net.ssl.allowInvalidHostnames"])
    .default("false")
    .reload(NewConnections),
    OptionSpec::new(
        "net.tls.clusterAuthX509.attributes",
        Text,
        &[Flag::value("tlsClusterAuthX509Attributes")],
        "A distinguished name: who has all its parts is a member, instead of who has the server's own O, OU and DC.",
    )
    .reload(NewConnections),
    OptionSpec::new(
        "net.tls.clusterAuthX509.extensionValue",
        Text,
        &[Flag::value("tlsClusterAuthX509ExtensionValue")],
        "The value of the membership extension (1.3.6.1.4.1.34601.2.1.2): who has it is a member.",
    )
    .reload(NewConnections),
    OptionSpec::new(
        "security.authorization",
        Word(&["enabled", "disabled"]),
        &[Flag::set("auth", "enabled"), Flag::set("noauth", "disabled")],
        "Whether clients must log in. Unlike mongod, doorward requires it unless disabled is written out.",
    )
    .default("enabled")
    .reload(Now),
    OptionSpec::new("security.keyFile", Path, &[Flag::value("keyFile")], "The members' common key; turns authorization on.")
        .reload(Now),
    OptionSpec::new(
        "security.clusterAuthMode",
        Word(&["keyFile", "sendKeyFile", "sendX509", "x509"]),
        &[Flag::value("clusterAuthMode")],
        "How members log in; turns authorization on. With a key file the default is keyFile.",
    )
    .reload(Now),
    OptionSpec::new(
        "security.transitionToAuth",
        Switch,
        &[Flag::switch("transitionToAuth")],
        "Let clients in with or without logging in, while they are being changed over; doorward readiness tells who would break.",
    )
    .default("false")
    .reload(Now),
    OptionSpec::new(
        "security.clusterIpSourceAllowlist",
        List,
        &[Flag::value("clusterIpSourceAllowlist"), Flag::value("clusterIpSourceWhitelist").legacy("clusterIpSourceAllowlist")],
        "Addresses and CIDR ranges that __system may log in from by key file.",
    )
    .legacy(&["security.clusterIpSourceWhitelist"])
    .reload(Now),
    OptionSpec::new(
        "systemLog.destination",
        Word(&["file", "syslog"]),
        &[Flag::set("syslog", "syslog")],
        "Only file; unset is standard output. doorward does not write to syslog.",
    ),
    OptionSpec::new("systemLog.path", Path, &[Flag::value("logpath")], "The log file."),
    OptionSpec::new(
        "systemLog.logAppend",
        Switch,
        &[Flag::switch("logappend")],
        "Append to the log file instead of renaming the old one.",
    )
    .default("false"),
    OptionSpec::new(
        "systemLog.verbosity",
        Integer(I32.0, I32.1),
        &[Flag { name: "verbose", short: Some('v'), legacy_of: None, takes: Takes::Letters }],
        "How much is logged, 0 to 5; on the command line -v to -vvvvv.",
    )
    .default("0")
    .reload(Now),
    OptionSpec::new("systemLog.quiet", Switch, &[Flag::switch("quiet")], "Log less: no connections opened and closed.")
        .default("false")
        .reload(Now),
    OptionSpec::new("processManagement.pidFilePath", Path, &[Flag::value("pidfilepath")], "File to write the process id to."),
];
