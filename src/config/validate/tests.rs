mod proxy;

use std::path::Path;

use super::*;
use crate::config::settings::{ClusterAuthMode, EnforcementRule, Front, UpstreamAddress};
use crate::config::{argv, yaml};
use crate::names::{HostAndPort, UserName};

const UPSTREAM: &str = "\nproxy.upstream.address: db:27018\n";

fn file(text: &str) -> Result<(Settings, Vec<Warning>), ConfigErrors> {
    validate(&yaml::parse(text.as_bytes(), Path::new("x")).unwrap())
}

fn flags(text: &str) -> Result<(Settings, Vec<Warning>), ConfigErrors> {
    let words: Vec<String> = text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    validate(&argv::parse(&words).unwrap())
}

fn first(errors: &ConfigErrors) -> &str {
    errors.iter().next().unwrap().text()
}

#[test]
fn a_wrong_text_is_refused_in_mongods_words() {
    let cases = [
        ("net: {ipv6: yes}", "Expected boolean switch but found string: yes for option: net.ipv6"),
        ("net: {ipv6: True}", "Expected boolean switch but found string: True for option: net.ipv6"),
        ("net: {ipv6: ~}", "Expected boolean switch but found string:  for option: net.ipv6"),
        (
            "net: {unixDomainSocket: {enabled: yes}}",
            "Expected boolean but found string: yes for option: net.unixDomainSocket.enabled",
        ),
        ("security: {javascriptEnabled: yes}", "Expected boolean but found string: yes for option: security.javascriptEnabled"),
        (
            "storage: {journal: {enabled: yes}}",
            "Expected boolean switch but found string: yes for option: storage.journal.enabled",
        ),
        ("net: {port: 1e4}", "Error parsing option \"net.port\" as int: Did not consume whole string."),
        ("net: {port: ''}", "Error parsing option \"net.port\" as int: No digits"),
        ("net: {port: 99999999999}", "Error parsing option \"net.port\" as int: Overflow"),
        (
            "operationProfiling: {slowOpSampleRate: x}",
            "Error parsing option \"operationProfiling.slowOpSampleRate\" as double in: Did not consume any digits",
        ),
        ("net: {port: 65536}", "BadValue: bad --port number"),
        ("net: {port: -1}", "BadValue: bad --port number"),
        ("net: {maxIncomingConnections: 4}", "BadValue: maxConns has to be at least 5"),
        ("net: {compression: {compressors: foo}}", "Invalid network message compressor specified in configuration: foo"),
        (
            "net: {compression: {compressors: 'snappy,disabled'}}",
            "Invalid network message compressor specified in configuration: disabled",
        ),
        ("net: {bindIpAll: true, bindIp: 127.0.0.1}", "Error parsing YAML config: duplicate key: net.bindIp"),
        ("security: {authorization: on}", "security.authorization expects either 'enabled' or 'disabled'"),
        ("security: {clusterIpSourceAllowlist: [foo]}", "Invalid IP address in CIDR string"),
        ("security: {clusterIpSourceAllowlist: [10.0.0.0/33]}", "Invalid length in CIDR string"),
        ("systemLog: {destination: foo}", "systemLog.destination expects one of 'syslog' or 'file'"),
        ("systemLog: {destination: file}", "BadValue: systemLog.path is required if systemLog.destination is to a file"),
        ("systemLog: {path: /x}", "BadValue: Can only use systemLog.path if systemLog.destination is to a file"),
        ("systemLog: {verbosity: -1}", "BadValue: systemLog.verbosity YAML Config cannot be negative"),
        ("systemLog: {logRotate: foo}", "BadValue: unsupported value for logRotate foo"),
        (
            "systemLog: {timeStampFormat: x}",
            "BadValue: Value of logTimestampFormat must be one of iso8601-utc or iso8601-local; not \"x\".",
        ),
        ("processManagement: {fork: true}", "BadValue: --fork has to be used with --logpath or --syslog"),
        ("setParameter: {foo: 1}", "Unknown --setParameter 'foo'"),
        ("setParameter: {clusterAuthMode: x509}", "BadValue: Cannot use --setParameter to set \"clusterAuthMode\" at startup"),
        (
            "setParameter: {enableLocalhostAuthBypass: True}",
            "BadValue: Bad value for parameter \"enableLocalhostAuthBypass\": Value is not a valid boolean",
        ),
        (
            "setParameter: {scramIterationCount: 4999}",
            "BadValue: Bad value for parameter \"scramIterationCount\": Invalid value for parameter scramIterationCount: 4999 is not greater than or equal to 5000",
        ),
        (
            "setParameter: {scramIterationCount: x}",
            "BadValue: Bad value for parameter \"scramIterationCount\": Did not consume whole string.",
        ),
        (
            "setParameter: {tlsX509ExpirationWarningThresholdDays: -1}",
            "BadValue: Bad value for parameter \"tlsX509ExpirationWarningThresholdDays\": Invalid value for parameter tlsX509ExpirationWarningThresholdDays: -1 is not greater than or equal to 0",
        ),
        ("setParameter: {authenticationMechanisms: FOO}", "Unsupported SASL mechanism: FOO"),
        ("net: {tls: {mode: requireSSL}}", "unsupported value for tlsMode requireSSL"),
        (
            "net: {tls: {allowConnectionsWithoutCertificates: true}}",
            "need to enable TLS via the sslMode/tlsMode flag when using TLS configuration parameters",
        ),
        (
            "net: {tls: {mode: requireTLS, certificateKeyFile: x}, ssl: {mode: requireSSL}}",
            "net.ssl.mode is not allowed when net.tls.mode is specified",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(first(&file(&format!("{text}{UPSTREAM}")).unwrap_err()), expected, "{text}");
    }
}

#[test]
fn a_wrong_flag_is_named_as_it_was_written() {
    let cases = [
        ("--port abc", "Error parsing option \"port\" as int: Did not consume whole string."),
        ("--slowOpSampleRate x", "Error parsing option \"slowOpSampleRate\" as double in: Did not consume any digits"),
        ("--syslog --logpath x", "syslog is not allowed when logpath is specified"),
        ("--transitionToAuth --noauth", "security.transitionToAuth is not allowed when noauth is specified"),
        ("--auth --noauth --keyFile x", "auth is not allowed when noauth is specified"),
        ("--tlsOnNormalPorts --tlsMode requireTLS", "net.tls.mode is not allowed when net.tls.tlsOnNormalPorts is specified"),
        (
            "--clusterAuthMode x509 --tlsCAFile x",
            "need to enable TLS via the sslMode/tlsMode flag when using TLS configuration parameters",
        ),
        ("--keyFile --configExpand --configExpand exec", "configExpand exec is not supported"),
    ];
    for (text, expected) in cases {
        assert_eq!(first(&flags(text).unwrap_err()), expected, "{text}");
    }
}

#[test]
fn what_mongod_takes_is_taken() {
    let cases = [
        "net: {ipv6: 'true', port: 0x6D61}",
        "net: {port: 0}",
        "security: {clusterIpSourceAllowlist: []}",
        "security: {javascriptEnabled: false}",
        "setParameter: {enableLocalhostAuthBypass: 'false', ttlMonitorEnabled: false, honorSystemUmask: true}",
        "setParameter: {authenticationMechanisms: 'SCRAM-SHA-1, SCRAM-SHA-256', scramIterationCount: 0x2000}",
        "systemLog: {component: {network: {verbosity: 2}, storage: {journal: {verbosity: 1}}}}",
        "storage: {dbPath: /x, journal: {enabled: true}, wiredTiger: {engineConfig: {cacheSizeGB: 0.5}}}",
        "net: {tls: {FIPSMode: false}}",
        "setParameter: {ocspEnabled: false}",
        "net: {tls: {allowInvalidCertificates: true}}",
    ];
    for text in cases {
        assert!(file(&format!("{text}{UPSTREAM}")).is_ok(), "{text}: {}", file(&format!("{text}{UPSTREAM}")).unwrap_err());
    }
}

#[test]
fn an_option_that_can_not_be_honoured_is_refused_by_name() {
    for option in options::all() {
        let Support::Refused(reason) = option.support else { continue };
        let mut raw = RawOptions::default();
        let content = if option.kind == Kind::List { Content::List(vec!["x".into()]) } else { Content::Text("true".into()) };
        raw.set(option.name, content, Origin::Flag("x".into()));
        let errors = validate(&raw).unwrap_err();
        let error = errors.iter().next().unwrap();
        assert_eq!((error.kind(), error.option()), (ErrorKind::Unsupported, option.name));
        assert!(errors.to_string().contains(reason), "{errors}");
    }
}

#[test]
fn access_control_is_on_unless_it_is_written_off() {
    let cases = [
        ("", true),
        ("--auth", true),
        ("--noauth", false),
        ("--noauth --proxyHideUnknownUsers", false),
        ("--keyFile k", true),
        ("--transitionToAuth --keyFile k", true),
    ];
    for (text, expected) in cases {
        let (settings, warnings) = flags(&format!("--proxyUpstreamAddress db:1 {text}")).unwrap();
        assert_eq!(settings.security.access_control, expected, "{text}");
        assert_eq!(warnings.iter().any(|warning| warning.id == Some(22120)), !expected, "{text}");
    }
    let (settings, _) = file(&format!("security: {{authorization: disabled, keyFile: k}}{UPSTREAM}")).unwrap();
    assert!(settings.security.access_control);
    assert_eq!(settings.security.cluster_auth_mode, ClusterAuthMode::KeyFile);
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let errors = file("net: {port: x, ipv6: 1}\nsecurity: {authorization: maybe}\nsetParameter: {foo: 1}\n").unwrap_err();
    let options: Vec<&str> = errors.iter().map(ConfigError::option).collect();
    assert_eq!(options, ["net.ipv6", "net.port", "setParameter.foo", "security.authorization", "proxy.upstream.address"]);
}

#[test]
fn a_member_of_a_sharded_cluster_listens_where_mongod_would() {
    for (role, port) in [("shardsvr", 27018), ("configsvr", 27019)] {
        let (settings, _) = file(&format!("sharding: {{clusterRole: {role}}}\nproxy.upstream.address: db:1\n")).unwrap();
        assert_eq!(settings.net.port, port);
        assert_eq!(settings.ignored, ["sharding.clusterRole"]);
    }
}

#[test]
fn the_upstream_address_is_read_or_refused() {
    let tcp = |host: &str, port| Some(UpstreamAddress::Tcp(HostAndPort { host: host.into(), port }));
    let cases = [
        ("db:27018", tcp("db", 27018)),
        ("127.0.0.1:1", tcp("127.0.0.1", 1)),
        ("[::1]:27018", tcp("::1", 27018)),
        ("unix:/run/mongodb-27018.sock", Some(UpstreamAddress::Unix("/run/mongodb-27018.sock".into()))),
        ("db", None),
        ("db:", None),
        (":1", None),
        ("db:0", None),
        ("db:65536", None),
        ("db:+1", None),
        ("::1:27018", None),
        ("[db]:1", None),
        ("mongodb://db:1", None),
        ("a,b:1", None),
        ("unix:run", None),
    ];
    for (text, expected) in cases {
        let found =
            file(&format!("proxy.upstream.address: '{text}'\n")).ok().and_then(|(settings, _)| settings.proxy.upstream.address);
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn doorward_does_not_connect_to_itself() {
    let cases = [
        ("127.0.0.1:27017", "localhost", true),
        ("localhost:27017", "127.0.0.1", true),
        ("127.0.0.1:27017", "0.0.0.0", true),
        ("localhost:27017", "'*'", true),
        ("10.0.0.1:27017", "10.0.0.1", true),
        ("127.0.0.1:27017", "10.0.0.1", false),
        ("127.0.0.2:27017", "127.0.0.1", false),
        ("127.0.0.1:27018", "localhost", false),
        ("unix:/tmp/mongodb-27017.sock", "localhost", true),
        ("unix:/run/mongodb-27017.sock", "localhost", false),
    ];
    for (address, bind, refused) in cases {
        let result = file(&format!("proxy.upstream.address: '{address}'\nnet.bindIp: {bind}\n"));
        assert_eq!(result.is_err(), refused, "{address} while listening on {bind}");
    }
}

#[test]
fn combinations_that_open_a_door_or_can_not_work_are_refused() {
    let cases = [
        ("proxy.upstream.authentication: keyFile", "needs security.keyFile"),
        ("proxy.upstream.authentication: x509", "needs proxy.upstream.tls.mode requireTLS"),
        ("proxy.upstream.authentication: passthrough", "is not built yet"),
        ("proxy.upstream.authentication: impersonate", "is not built yet"),
        ("proxy.upstream.authentication: kerberos", "expects one of none, passthrough, keyFile, x509, impersonate"),
        (
            "proxy.upstream: {authentication: x509, tls: {mode: requireTLS, CAFile: c, certificateKeyFile: k}}\nsecurity.authorization: disabled",
            "would give every client the rights of __system",
        ),
        ("proxy.upstream.tls: {mode: requireTLS}", "proxy.upstream.tls.CAFile is needed"),
        ("proxy.upstream.tls: {CAFile: c}", "needs proxy.upstream.tls.mode requireTLS"),
        ("proxy.upstream.proxyProtocol: v3", "expects one of none, v1, v2"),
        (
            "proxy.upstream: {pooling: {maxIdleConnections: 1}, proxyProtocol: v2}",
            "proxy.upstream.pooling excludes proxy.upstream.proxyProtocol",
        ),
        ("proxy.upstream: {pooling: {maxIdleConnections: 8}, authentication: passthrough}", "is not built yet"),
        ("proxy.proxyProtocol: {from: [10.0.0.0/33]}", "Invalid length in CIDR string"),
        ("proxy.proxyProtocol: {from: [balancer]}", "Invalid IP address in CIDR string"),
        ("proxy.deployments: [{serverName: a}]", "an entry of proxy.deployments has no address"),
        ("proxy.deployments: [{serverName: 10.0.0.1, address: 'db:1'}]", "is no host name that a TLS hello can have"),
        ("proxy.deployments: [{serverName: a, address: db}]", "address can not be read: 'db'"),
        (
            "proxy.deployments: [{serverName: a.b, address: 'db:1'}, {serverName: A.b, address: 'db:2'}]",
            "two entries of proxy.deployments have serverName: a.b",
        ),
        ("proxy.deployments: [{serverName: a, address: 'db:1'}]", "excludes proxy.upstream.address and proxy.members"),
        ("proxy.upstream.tls.mode: preferTLS", "expects one of disabled, requireTLS"),
        ("proxy.members: [{host: 'a:1', advertise: 'g:1'}, {host: 'A:1', advertise: 'g:2'}]", "have the host A:1"),
        ("proxy.members: [{host: 'a:1', advertise: 'g:1'}, {host: 'a:2', advertise: 'G:1'}]", "have advertise: G:1"),
        (
            "proxy.members: [{host: 'a:1', listen: 5, advertise: 'g:1'}, {host: 'a:2', listen: 5, advertise: 'g:2'}]",
            "have listen: 5",
        ),
        ("proxy.egress: [{listen: '127.0.0.1:1', to: 'b:1'}]", "nothing says how members do that"),
        ("security.keyFile: /k\nproxy.egress: [{listen: '127.0.0.1:1'}]", "an entry of proxy.egress has no to"),
        ("security.keyFile: /k\nproxy.egress: [{listen: 7, to: 'b:1'}]", "listen is no host:port: '7'"),
        (
            "security.keyFile: /k\nproxy.egress: [{listen: '0.0.0.0:1', to: 'b:1'}]",
            "whoever reaches 0.0.0.0:1 would be a member of the replica set at b:1",
        ),
        ("security.keyFile: /k\nproxy.egress: [{listen: 'db1:1', to: 'b:1'}]", "whoever reaches db1:1 would be a member"),
        ("security.keyFile: /k\nproxy.egress: [{listen: '0.0.0.0:1', to: 'b:1', from: 0.0.0.0/0}]", "from is everybody"),
        (
            "security.keyFile: /k\nproxy.egress: [{listen: '0.0.0.0:1', to: 'b:1', from: '::ffff:0.0.0.0/96'}]",
            "from is everybody",
        ),
        ("security.keyFile: /k\nproxy.egress: [{listen: '0.0.0.0:1', to: 'b:1', from: mongod}]", "from 'mongod': "),
        (
            "security.keyFile: /k\nproxy.egress: [{listen: 'localhost:1', to: 'b:1'}, {listen: 'localhost:1', to: 'c:1'}]",
            "two entries of proxy.egress have listen: localhost:1",
        ),
        (
            "security.keyFile: /k\nproxy.egress: [{listen: 'localhost:1', to: 'localhost:2'}, {listen: 'localhost:2', to: 'c:1'}]",
            "is a way to doorward itself",
        ),
        (
            "security.keyFile: /k\nnet.tls: {mode: requireTLS, certificateKeyFile: s}\nproxy.egress: [{listen: '[::1]:1', to: 'b:1'}]",
            "proxy.egress needs net.tls.CAFile",
        ),
        ("proxy.members: [{host: 'a:1'}]", "an entry of proxy.members has no advertise"),
        ("proxy.members: [{host: a, advertise: 'g:1'}]", "host is no host:port: 'a'"),
        ("proxy.members: [{host: 'a:1', listen: 0, advertise: 'g:1'}]", "listen is neither a port nor address:port: '0'"),
        ("proxy.members: [{host: 'a:1', listen: ':5', advertise: 'g:1'}]", "listen is neither a port nor address:port: ':5'"),
        ("proxy.members: [{hots: 'a:1', advertise: 'g:1'}]", "proxy.members has no field 'hots'"),
        ("proxy.members: [{host: 'a:1', host: 'b:1', advertise: 'g:1'}]", "has the field 'host' twice"),
        (
            "proxy.members: [{host: 'a:1', listen: 5, advertise: 'g:1'}, {host: 'a:2', listen: 6, advertise: 'g:2'}]",
            "proxy.upstream.address is one mongod, and proxy.members has several with a place to listen",
        ),
        ("proxy.members: [{host: 'a:1', listen: 'db:27018', advertise: 'g:1'}]", "db:27018 is doorward's own address"),
        ("proxy.admin: {bindIp: example.com, port: 1}", "proxy.admin.bindIp is no address"),
        ("proxy.admin.port: 65536", "must be from 0 to 65535"),
        ("proxy.handshakeTimeoutSeconds: 0", "must be from 1 to 3600"),
        ("proxy.tls.keyFile: k", "need to enable TLS"),
        ("net.tls: {mode: requireTLS, certificateKeyFile: c, disabledProtocols: 'TLS1_2,TLS1_3'}", "nobody could connect"),
        ("systemLog.destination: syslog", "Unsupported option: systemLog.destination syslog"),
        ("setParameter: {authenticationMechanisms: PLAIN}", "Unsupported SASL mechanism: PLAIN"),
    ];
    for (text, expected) in cases {
        let errors = file(&format!("{text}{UPSTREAM}")).unwrap_err();
        assert!(first(&errors).contains(expected), "{text}: {errors}");
    }
}

#[test]
fn the_newer_membership_options_need_a_mode_that_takes_certificates() {
    const TLS: &str = "--proxyUpstreamAddress db:1 --tlsMode requireTLS --tlsCertificateKeyFile s --tlsCAFile c";
    assert!(flags(&format!("{TLS} --clusterAuthMode x509 --tlsClusterAuthX509Attributes O=x")).is_ok());
    let cases = [
        (
            "--keyFile k --tlsClusterAuthX509Attributes O=x",
            "BadValue: Cannot set clusterAuthX509.attributes when clusterAuthMode does not allow X.509",
        ),
        (
            "--keyFile k --tlsClusterAuthX509ExtensionValue x",
            "BadValue: net.tls.clusterAuthX509.extensionValue requires a clusterAuthMode which allows for usage of X509",
        ),
        (
            "--clusterAuthMode x509 --tlsClusterAuthX509Attributes O=x --tlsClusterAuthX509ExtensionValue x",
            "net.tls.clusterAuthX509.extensionValue is not allowed when net.tls.clusterAuthX509.attributes is specified",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(first(&flags(&format!("{TLS} {text}")).unwrap_err()), expected, "{text}");
    }
}
