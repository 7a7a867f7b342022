//! doorward's own section `proxy`. Source: doorward's contract.

use super::{
    Flag,
    Kind::{Entries, Integer, List, Path, Switch, Text, Word},
    OptionSpec,
    Reload::{NewConnections, Now},
};

pub(super) const OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(
        "proxy.upstream.address",
        Text,
        &[Flag::value("proxyUpstreamAddress")],
        "The mongod behind: host:port, [IPv6]:port, or unix:/path/to/mongodb-27018.sock. Required, unless proxy.members names it.",
    )
    .reload(NewConnections),
    OptionSpec::new(
        "proxy.upstream.authentication",
        Word(&["none", "passthrough", "keyFile", "x509", "impersonate"]),
        &[Flag::value("proxyUpstreamAuthentication")],
        "How doorward stands toward the mongod behind: none (it runs without access control), keyFile or x509 (doorward logs in as \
         __system); passthrough and impersonate are not built yet.",
    )
    .default("none")
    .reload(NewConnections),
    OptionSpec::new(
        "proxy.upstream.connectTimeoutMS",
        Integer(1, 3_600_000),
        &[Flag::value("proxyUpstreamConnectTimeoutMS")],
        "How long connecting to the mongod behind may take, in milliseconds.",
    )
    .default("10000")
    .reload(NewConnections),
    OptionSpec::new(
        "proxy.upstream.pooling.maxIdleConnections",
        Integer(0, 1_000_000),
        &[Flag::value("proxyUpstreamPoolingMaxIdleConnections")],
        "Let clients share connections to the mongod behind: a connection serves one operation at a time, and at most so many stay \
         open that nobody has used for a moment. 0 is off: each client has a connection of its own.",
    )
    .default("0")
    .reload(NewConnections),
    OptionSpec::new(
        "proxy.upstream.proxyProtocol",
        Word(&["none", "v1", "v2"]),
        &[Flag::value("proxyUpstreamProxyProtocol")],
        "Whether doorward tells the server behind each client's address by a PROXY header. For one that expects the header: a mongod \
         does not on its ordinary port.",
    )
    .default("none")
    .reload(NewConnections),
    OptionSpec::new(
        "proxy.upstream.tls.mode",
        Word(&["disabled", "requireTLS"]),
        &[Flag::value("proxyUpstreamTlsMode")],
        "Whether doorward uses TLS toward the mongod behind.",
    )
    .default("disabled")
    .reload(NewConnections),
    OptionSpec::new(
        "proxy.upstream.tls.CAFile",
        Path,
        &[Flag::value("proxyUpstreamTlsCAFile")],
        "Authorities that the certificate of the mongod behind is verified against.",
    )
    .reload(NewConnections),
    OptionSpec::new(
        "proxy.upstream.tls.certificateKeyFile",
        Path,
        &[Flag::value("proxyUpstreamTlsCertificateKeyFile")],
        "Certificate and key that doorward presents to the mongod behind.",
    )
    .reload(NewConnections),
    OptionSpec::new(
        "proxy.upstream.tls.certificateKeyFilePassword",
        Text,
        &[Flag::value("proxyUpstreamTlsCertificateKeyFilePassword")],
        "Password of that key.",
    )
    .secret()
    .reload(NewConnections),
    OptionSpec::new(
        "proxy.upstream.tls.allowInvalidHostnames",
        Switch,
        &[Flag::switch("proxyUpstreamTlsAllowInvalidHostnames")],
        "Do not compare the host name with the certificate of the mongod behind.",
    )
    .default("false")
    .reload(NewConnections),
    OptionSpec::new(
        "proxy.upstream.tls.allowInvalidCertificates",
        Switch,
        &[Flag::switch("proxyUpstreamTlsAllowInvalidCertificates")],
        "Do not verify the certificate of the mongod behind.",
    )
    .default("false")
    .reload(NewConnections),
    OptionSpec::new(
        "proxy.tls.keyFile",
        Path,
        &[Flag::value("proxyTlsKeyFile")],
        "The private key of net.tls.certificateKeyFile in a file of its own, as Kubernetes secrets have it.",
    )
    .reload(NewConnections),
    OptionSpec::new(
        "proxy.members",
        Entries(&["host", "listen", "advertise"]),
        &[Flag::value("proxyMembers")],
        "In front of a replica set, one entry a member: {host, listen, advertise}. host is the member's name in the configuration of \
         the replica set; advertise is what clients are told instead; listen (address:port, or a port of net.bindIp) is where its \
         clients come in, and is left out where another doorward stands in front of it. Members may share it when the hosts of \
         advertise are different names: the server name in the TLS hello tells then which is meant. Members without an entry are \
         hidden.",
    )
    .default("[]"),
    OptionSpec::new(
        "proxy.enforcement",
        Entries(&["source", "application", "user", "percentage"]),
        &[Flag::value("proxyEnforcement")],
        "While security.transitionToAuth is on: for whom authentication and authorization are enforced already. Entries of {source, \
         application, user, percentage}: a range of addresses, an application's name, NAME@DATABASE of an authenticated user, and how \
         many of a hundred clients, always the same ones. All that an entry has must match; one entry that matches is enough.",
    )
    .default("[]")
    .reload(Now),
    OptionSpec::new(
        "proxy.deployments",
        Entries(&["serverName", "address", "certificateKeyFile"]),
        &[Flag::value("proxyDeployments")],
        "Several mongods behind net.port, instead of proxy.upstream.address: {serverName, address, certificateKeyFile}. The server name \
         in the TLS hello tells which is meant; other names and connections without TLS are refused. Without certificateKeyFile \
         the certificate is that of net.tls. A reload changes addresses and certificates, not names.",
    )
    .default("[]")
    .reload(NewConnections),
    OptionSpec::new(
        "proxy.egress",
        Entries(&["listen", "to", "from"]),
        &[Flag::value("proxyEgress")],
        "Ways out for a member of a replica set that runs without access control and so sends its peers no credentials, one entry a \
         peer: {listen, to, from}. The member connects to listen without TLS; doorward connects to the peer's doorward, by net.tls \
         and security.clusterAuthMode as a mongod would, and logs in as a member. listen is an address of the loopback, unless from \
         names the address ranges that may connect. A reload changes to and from.",
    )
    .default("[]")
    .reload(NewConnections),
    OptionSpec::new(
        "proxy.proxyProtocol.from",
        List,
        &[Flag::value("proxyProxyProtocolFrom")],
        "Address ranges of balancers that send a PROXY header, version 1 or 2: from there each connection must begin with one, and the \
         address in it is the client's in log, limits and restrictions. From elsewhere no header is taken.",
    )
    .default("[]")
    .reload(NewConnections),
    OptionSpec::new(
        "proxy.admin.bindIp",
        Text,
        &[Flag::value("proxyAdminBindIp")],
        "Address of the admin port; it serves metrics, health and who would break, without a login.",
    )
    .default("127.0.0.1"),
    OptionSpec::new("proxy.admin.port", Integer(0, 65535), &[Flag::value("proxyAdminPort")], "The admin port; 0 is off.")
        .default("0"),
    OptionSpec::new(
        "proxy.loadBalanced",
        Switch,
        &[Flag::switch("proxyLoadBalanced")],
        "Serve clients whose connection string says loadBalanced=true, through a TCP balancer before several doorwards that all stand in \
         front of the same mongod. A mongod serves none.",
    )
    .default("false")
    .reload(NewConnections),
    OptionSpec::new(
        "proxy.hideUnknownUsers",
        Switch,
        &[Flag::switch("proxyHideUnknownUsers")],
        "Answer a login of an unknown user as late as one with a wrong password. mongod does not.",
    )
    .default("false")
    .reload(NewConnections),
    OptionSpec::new(
        "proxy.userCacheSeconds",
        Integer(0, 86_400),
        &[Flag::value("proxyUserCacheSeconds")],
        "The greatest age of what is known of a user and its roles, in seconds. What changes through doorward counts at once.",
    )
    .default("10")
    .reload(Now),
    OptionSpec::new(
        "proxy.handshakeTimeoutSeconds",
        Integer(1, 3600),
        &[Flag::value("proxyHandshakeTimeoutSeconds")],
        "Within this many seconds a connection must have sent its first whole command.",
    )
    .default("30")
    .reload(NewConnections),
    OptionSpec::new(
        "proxy.drainSeconds",
        Integer(0, 3600),
        &[Flag::value("proxyDrainSeconds")],
        "How many seconds a shutdown waits for running operations.",
    )
    .default("15")
    .reload(Now),
];
