use proptest::prelude::*;

use super::*;

fn words(text: &[&str]) -> Vec<String> {
    text.iter().map(|word| (*word).to_owned()).collect()
}

fn value(text: &[&str], name: &str) -> Option<String> {
    parse(&words(text)).unwrap().text(name).map(str::to_owned)
}

#[test]
fn flags_are_read_as_mongod_reads_them() {
    let cases: &[(&[&str], &str, &str)] = &[
        (&["--port=1"], "net.port", "1"),
        (&["--port", "1"], "net.port", "1"),
        (&["-port", "1"], "net.port", "1"),
        (&["--port", ""], "net.port", ""),
        (&["--port", "-5"], "net.port", "-5"),
        (&["--bind_ip", "--auth"], "net.bindIp", "--auth"),
        (&["--keyFile", "-x"], "security.keyFile", "-x"),
        (&["--auth"], "security.authorization", "enabled"),
        (&["-auth"], "security.authorization", "enabled"),
        (&["--noauth"], "security.authorization", "disabled"),
        (&["--bind_ip_all"], "net.bindIp", "*"),
        (&["--bind_ip_all", "--bind_ip", "x"], "net.bindIp", "*"),
        (&["--nounixsocket"], "net.unixDomainSocket.enabled", "false"),
        (&["--noscripting"], "security.javascriptEnabled", "false"),
        (&["--logpath", "/x/y"], "systemLog.destination", "file"),
        (&["--logpath", "/x/y"], "systemLog.path", "/x/y"),
        (&["--syslog"], "systemLog.destination", "syslog"),
        (&["-f/x"], "config", "/x"),
        (&["-f", "/x"], "config", "/x"),
        (&["-f", "--auth"], "config", "--auth"),
        (&["-v"], "systemLog.verbosity", "1"),
        (&["-vv"], "systemLog.verbosity", "2"),
        (&["-vvvvvv"], "systemLog.verbosity", "6"),
        (&["-v", "v"], "systemLog.verbosity", "2"),
        (&["-v", "vv"], "systemLog.verbosity", "3"),
        (&["-v", "-v"], "systemLog.verbosity", "1"),
        (&["--verbose"], "systemLog.verbosity", "1"),
        (&["--verbose", "vv"], "systemLog.verbosity", "2"),
        (&["--verbose=vvv"], "systemLog.verbosity", "3"),
        (&["--enableMajorityReadConcern"], "replication.enableMajorityReadConcern", "true"),
        (&["--enableMajorityReadConcern", "off"], "replication.enableMajorityReadConcern", "false"),
        (&["--sslPEMKeyFile", "x"], "net.tls.certificateKeyFile", "x"),
        (&["--tlsWeakCertificateValidation"], "net.tls.allowConnectionsWithoutCertificates", "true"),
        (&["--configsvr"], "sharding.clusterRole", "configsvr"),
        (&["--setParameter", "a=b=c"], "setParameter.a", "b=c"),
        (&["--setParameter=a="], "setParameter.a", ""),
        (&["--setParameter", "=1"], "setParameter.", "1"),
        (&["--setParameter", "disableNonSSLConnectionLogging=1"], "setParameter.disableNonTLSConnectionLogging", "1"),
    ];
    for (text, name, expected) in cases {
        assert_eq!(value(text, name).as_deref(), Some(*expected), "{text:?}");
    }
}

#[test]
fn mistakes_have_mongods_words() {
    const LINE: &str = "Error parsing command line: ";
    let cases: &[(&[&str], &str)] = &[
        (&["--port"], "the required argument for option '--port' is missing"),
        (&["-f"], "the required argument for option '--config' is missing"),
        (&["--setParameter"], "the required argument for option '--setParameter' is missing"),
        (&["--port="], "the argument for option '--port' should follow immediately after the equal sign"),
        (&["--auth=", "x"], "the argument for option '--auth' should follow immediately after the equal sign"),
        (&["--auth=true"], "option '--auth' does not take any arguments"),
        (&["-h=x"], "option '--help' does not take any arguments"),
        (&["--por", "1"], "unrecognised option '--por'"),
        (&["--AUTH"], "unrecognised option '--AUTH'"),
        (&["---port", "3"], "unrecognised option '---port'"),
        (&["-p", "1"], "unrecognised option '-p'"),
        (&["-6"], "unrecognised option '-6'"),
        (&["--port", "1", "--port", "2"], " Multiple occurrences of option \"--port\""),
        (&["-fx", "-fy"], " Multiple occurrences of option \"--config\""),
        (&["--sslPEMKeyFile", "x", "--tlsCertificateKeyFile", "y"], " Multiple occurrences of option \"sslPEMKeyFile\""),
        (
            &["--enableMajorityReadConcern=foo"],
            "the argument ('foo') for option '--enableMajorityReadConcern' is invalid. Valid choices are 'on|off', 'yes|no', '1|0' and \
             'true|false'",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(&words(text)).unwrap_err().text(), format!("{LINE}{expected}"), "{text:?}");
    }
    let others: &[(&[&str], &str)] = &[
        (&["foo"], "Invalid command: foo"),
        (&["--auth", "true"], "Invalid command: true"),
        (&["--", "--port"], "Invalid command: --port"),
        (&["-vx"], "The \"verbose\" option string cannot contain any characters other than \"v\""),
        (&["--verbose", "2"], "The \"verbose\" option string cannot contain any characters other than \"v\""),
        (&["-v=2"], "The \"verbose\" option string cannot contain any characters other than \"v\""),
        (&["--setParameter", "a"], "Illegal option assignment: \"a\""),
        (
            &["--setParameter", "a=1", "--setParameter", "a=2"],
            "Key Value Option: setParameter has a duplicate key from the same source: a",
        ),
    ];
    for (text, expected) in others {
        assert_eq!(parse(&words(text)).unwrap_err().text(), *expected, "{text:?}");
    }
}

#[test]
fn lists_and_parameters_may_repeat() {
    let options = parse(&words(&["--clusterIpSourceAllowlist", "1.1.1.1", "--clusterIpSourceWhitelist", "2.2.2.2"])).unwrap();
    let value = &options.get("security.clusterIpSourceAllowlist").unwrap().content;
    assert!(matches!(value, Content::List(items) if items == &["1.1.1.1", "2.2.2.2"]));
    let options = parse(&words(&["--setParameter", "a=1", "--setParameter", "b=2"])).unwrap();
    assert_eq!((options.text("setParameter.a"), options.text("setParameter.b")), (Some("1"), Some("2")));
}

#[test]
fn a_deprecated_flag_is_noted() {
    let options = parse(&words(&["--sslMode", "requireSSL", "--sslCAFile", "x"])).unwrap();
    let ids: Vec<_> = options.warnings().iter().map(|warning| warning.id).collect();
    assert_eq!(ids, [Some(23322), Some(23321)]);
}

#[test]
fn a_mistyped_flag_does_not_print_the_password() {
    let error = parse(&words(&["--tlsClusterPasword=hunter2"])).unwrap_err();
    assert_eq!(error.text(), "Error parsing command line: unrecognised option '--tlsClusterPasword'");
    assert!(!error.to_string().contains("hunter2"));
}

#[test]
fn a_near_miss_gets_a_hint() {
    let error = parse(&words(&["--tlsmode", "x"])).unwrap_err();
    assert!(error.to_string().contains("did you mean --tlsMode?"), "{error}");
}

proptest! {
    #[test]
    fn no_words_make_the_parser_panic(text in proptest::collection::vec(
        prop_oneof!["\\PC*", "-{0,3}[a-zA-Z]{0,9}=?\\PC{0,4}", Just("--setParameter".to_owned()), Just("--tlsMode".to_owned())], 0..6)) {
        let _ = parse(&text);
    }
}
