use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::config::options::Support;
use crate::config::{argv, load, validate, yaml as file};

/// Everything at once, so that every honoured option is in force.
const FULL: &str = "
net: {port: 1234, bindIp: '127.0.0.1,::1', ipv6: true, maxIncomingConnections: 77, listenBacklog: 5,
  compression: {compressors: disabled}, unixDomainSocket: {pathPrefix: /run/x, filePermissions: 0770},
  tls: {mode: preferTLS, certificateKeyFile: /s.pem, certificateKeyFilePassword: hunter2, clusterFile: /c.pem,
    clusterPassword: hunter3, CAFile: '/a b.pem', clusterCAFile: /cc.pem, CRLFile: /crl.pem, disabledProtocols: TLS1_2,
    allowConnectionsWithoutCertificates: true, allowInvalidCertificates: true, allowInvalidHostnames: true,
    clusterAuthX509: {attributes: 'O=Büro \"x\"\\\\y, OU=z'}}}
security: {authorization: enabled, keyFile: '/k: #1', clusterAuthMode: sendX509, clusterIpSourceAllowlist: [10.0.0.0/8, '::1']}
setParameter: {authenticationMechanisms: SCRAM-SHA-256, scramIterationCount: 6000, scramSHA256IterationCount: 7000,
  tlsX509ClusterAuthDNOverride: 'O=z', allowRolesFromX509Certificates: false, tlsX509ExpirationWarningThresholdDays: 0,
  enableLocalhostAuthBypass: false, preAuthMaximumMessageSizeBytes: 2048, disableNonTLSConnectionLogging: true,
  tlsWithholdClientCertificate: true, tlsCATrusts: '[]'}
systemLog: {destination: file, path: /log, logAppend: true, verbosity: 3, quiet: true}
processManagement: {pidFilePath: /pid}
storage: {dbPath: /data}
proxy: {upstream: {address: '[::1]:27018', authentication: x509, connectTimeoutMS: 5, proxyProtocol: v1, tls: {mode: requireTLS, CAFile: /uca.pem,
    certificateKeyFile: /u.pem, certificateKeyFilePassword: hunter4, allowInvalidHostnames: true, allowInvalidCertificates: true}},
  tls: {keyFile: /key.pem}, members: [{host: '[::1]:27018', listen: '0.0.0.0:1', advertise: 'gate:1'}, {host: a:2, advertise: b:2}], proxyProtocol: {from: [10.1.0.0/16, '::1']}, admin: {bindIp: '::1', port: 9216}, loadBalanced: true, hideUnknownUsers: true, userCacheSeconds: 0,
  handshakeTimeoutSeconds: 7, drainSeconds: 8}
";

fn settings(text: &str) -> Settings {
    let options = file::parse(text.as_bytes(), Path::new("x")).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    validate::validate(&options).unwrap_or_else(|errors| panic!("{errors}\n{text}")).0
}

#[test]
fn what_is_shown_gives_the_same_settings_again() {
    let enforcement = "proxy: {upstream: {address: 'h:1'}, enforcement: [{source: 10.1.2.3/8, percentage: 5}, {source: '::1'}, \
                       {application: 'a: \"b, c'}, {application: ''}, {user: 'CN=x,O=y@$external'}]}\n";
    let other = "proxy: {upstream: {address: 'unix:/run/mongodb-1.sock', pooling: {maxIdleConnections: 9}}}\nnet: {bindIpAll: true, port: 0}\n";
    let deployments = "net.tls: {mode: requireTLS, certificateKeyFile: s}\nproxy.deployments: [{serverName: One.example, address: 'db:1'},\n  \
         {serverName: two, address: 'unix:/x y', certificateKeyFile: '/a b'}]\n";
    let egress = "security.keyFile: k\nproxy.upstream.address: 'db:1'\nproxy.egress: [{listen: '[::1]:5', to: 'db2:1'}, \
                  {listen: '0.0.0.0:6', to: 'db3:1', from: '10.0.0.1,10.1.0.0/16'}]\n";
    for text in [FULL, other, enforcement, deployments, egress] {
        let shown = yaml(&settings(text));
        let again = settings(&shown);
        assert_eq!(effective(&settings(text)), effective(&again), "{shown}");
        assert_eq!(format!("{:?}", Settings { ignored: vec![], ..settings(text) }), format!("{again:?}"));
    }
}

#[test]
fn every_honoured_option_is_shown() {
    let shown: Vec<&str> = effective(&settings(FULL)).into_iter().map(|(name, _)| name).collect();
    // bindIpAll is shown as bindIp; the other membership rule excludes the one in use; the rest are no settings.
    let elsewhere = ["net.bindIpAll", "net.ssl.mode", "net.tls.clusterAuthX509.extensionValue"];
    for option in options::all().filter(|option| option.in_file && option.support == Support::Honoured) {
        assert!(shown.contains(&option.name) || elsewhere.contains(&option.name), "{} is not shown", option.name);
    }
    for name in shown {
        assert!(options::by_name(name).is_some(), "{name} is not in the table");
    }
}

#[test]
fn passwords_are_not_shown() {
    let settings = settings(FULL);
    for text in [yaml(&settings), format!("{settings:?}")] {
        assert!(!text.contains("hunter"), "{text}");
        assert_eq!(text.matches("<password>").count(), 3, "{text}");
    }
}

#[test]
fn a_changed_option_says_when_it_counts() {
    let old = settings("proxy: {upstream: {address: 'a:1'}}\n");
    let new = settings("proxy: {upstream: {address: 'a:1'}, drainSeconds: 1}\nnet: {port: 5, maxIncomingConnections: 9}\n");
    let expected = [
        ("net.maxIncomingConnections", Reload::NewConnections),
        ("net.port", Reload::Restart),
        ("proxy.drainSeconds", Reload::Now),
    ];
    assert_eq!(changes(&old, &new), expected);
    assert!(changes(&old, &old).is_empty());
}

#[test]
fn a_flag_beats_the_file_and_parameters_one_by_one() {
    let words = ["-f", "x.conf", "--port", "7", "--setParameter", "scramIterationCount=9000"].map(str::to_owned);
    let file = b"net: {port: 5}\nproxy: {upstream: {address: 'a:1'}}\nsetParameter: {scramIterationCount: 8000, enableLocalhostAuthBypass: false}\n";
    let loaded = load(&words, |path| {
        assert_eq!(path, Path::new("x.conf"));
        Ok(file.to_vec())
    })
    .unwrap();
    let parameters = &loaded.settings.parameters;
    assert_eq!((loaded.settings.net.port, parameters.scram_iteration_count), (7, 9000));
    assert!(!parameters.enable_localhost_auth_bypass);
    assert_eq!(loaded.source.config_file.as_deref(), Some(Path::new("x.conf")));
}

#[test]
fn a_file_that_can_not_be_read_is_named() {
    let words = ["-f", "/nonexist"].map(str::to_owned);
    let errors = load(&words, |_| Err(std::io::Error::from_raw_os_error(2))).unwrap_err();
    assert_eq!(errors.iter().next().unwrap().text(), "Error opening config file '/nonexist': No such file or directory");
}

proptest! {
    #[test]
    fn any_text_survives_being_shown(text in "\\PC{0,12}|[\\x00-\\x7f]{1,12}|~|null|true|0x5") {
        let quoted = format!("net:\n  bindIp: {}\n", scalar(&text));
        let options = file::parse(quoted.as_bytes(), Path::new("x")).unwrap();
        prop_assert_eq!(options.text("net.bindIp"), Some(text.as_str()));
    }

    #[test]
    fn nothing_that_parses_makes_the_validation_panic(pairs in proptest::collection::vec((0_usize..300, "\\PC{0,6}|-?[0-9]{1,12}|true|false|a:1|[a-zA-Z,]{1,9}"), 0..6)) {
        let names: Vec<_> = options::all().filter(|option| !option.flags.is_empty()).collect();
        let words: Vec<String> = pairs
            .iter()
            .flat_map(|(index, value)| [format!("--{}", names[index % names.len()].flags[0].name), value.clone()])
            .collect();
        if let Ok(options) = argv::parse(&words) {
            let _ = validate::validate(&options);
        }
    }
}
