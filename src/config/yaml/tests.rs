use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<RawOptions, ConfigErrors> {
    parse(text.as_bytes(), Path::new("x.conf"))
}

fn first(text: &str) -> String {
    read(text).unwrap_err().iter().next().unwrap().text().to_owned()
}

#[test]
fn scalars_are_text_wherever_they_stand() {
    let cases = [
        ("net.port: 27999\n", "net.port", "27999"),
        ("net:\n  port: 0x6D61\n", "net.port", "0x6D61"),
        ("net:\n  port: !!str 5\n", "net.port", "5"),
        ("net:\n  port: 5 # c\n", "net.port", "5"),
        ("net:\n  port: ' 5'\n", "net.port", " 5"),
        ("net:\n  port: |\n    5\n", "net.port", "5\n"),
        ("'net': {'port': '5'}\n", "net.port", "5"),
        ("? net\n: {port: 5}\n", "net.port", "5"),
        ("net.tls: {mode: requireTLS}\n", "net.tls.mode", "requireTLS"),
        ("\u{feff}net:\n  port: 5\n", "net.port", "5"),
        ("net:\n  port: 5\n---\nnet:\n  port: 6\n", "net.port", "5"),
        ("---\nnet:\n  port: 5\n...\nfoo: [\n", "net.port", "5"),
        ("net:\n  bindIp: ~\n", "net.bindIp", ""),
        ("net:\n  bindIp:\n", "net.bindIp", ""),
        ("net:\n  bindIp: Null\n", "net.bindIp", ""),
        ("net:\n  bindIp: 'null'\n", "net.bindIp", "null"),
        ("net:\n  bindIp: 127.0.0.1,::1\n", "net.bindIp", "127.0.0.1,::1"),
        ("net:\n  ssl:\n    PEMKeyFile: x\n", "net.tls.certificateKeyFile", "x"),
        ("setParameter:\n  foo: 1\n", "setParameter.foo", "1"),
        ("setParameter:\n  enableLocalhostAuthBypass: ~\n", "setParameter.enableLocalhostAuthBypass", ""),
        ("systemLog: {destination: file}\nsecurity: {keyFile: &k /a}\nnet: {tls: {CAFile: *k}}\n", "net.tls.CAFile", "/a"),
    ];
    for (text, name, expected) in cases {
        assert_eq!(read(text).unwrap().text(name), Some(expected), "{text:?}");
    }
}

#[test]
fn nothing_is_a_configuration_too() {
    for text in ["", "\n", "# c\n", "~\n", "net: {}\n", "setParameter: {}\n"] {
        assert_eq!(read(text).unwrap().iter().count(), 0, "{text:?}");
    }
}

#[test]
fn mistakes_have_mongods_words() {
    let cases = [
        ("net:\n  port: 27999\nnet.port: 27998\n", "Error parsing YAML config: duplicate key: net.port"),
        ("net:\n  port: 5\n  port: 6\n", "Error parsing YAML config: duplicate key: net.port"),
        (
            "net: {tls: {certificateKeyFile: x},ssl: {PEMKeyFile: y}}\n",
            "Error parsing YAML config: duplicate key: net.ssl.PEMKeyFile(canonical key: net.tls.certificateKeyFile)",
        ),
        ("net:\n  prot: 1\n", "Unrecognized option: net.prot"),
        ("net:\n", "Unrecognized option: net"),
        ("net: 5\n", "Unrecognized option: net"),
        ("net: [1]\n", "Unrecognized option: net"),
        ("net:\n  <<: {port: 5}\n", "Unrecognized option: net.<<.port"),
        ("net:\n  '': 1\n", "Unrecognized option: net."),
        ("net:\n  ~: 1\n", "Unrecognized option: net."),
        ("net.: {port: 1}\n", "Unrecognized option: net..port"),
        ("1: 2\n", "Unrecognized option: 1"),
        ("port: 5\n", "Unrecognized option: port"),
        ("config: x\n", "Unrecognized option: config"),
        ("help: true\n", "Unrecognized option: help"),
        ("noauth: true\n", "Unrecognized option: noauth"),
        ("net: {ssl: {sslOnNormalPorts: true}}\n", "Unrecognized option: net.ssl.sslOnNormalPorts"),
        ("storage: {foo: x}\n", "Unrecognized option: storage.foo"),
        ("setParameter.foo: 3\n", "Unrecognized option: setParameter.foo"),
        ("net:\n  port: [1,2]\n", "Scalar option 'net.port' must be a single value"),
        ("setParameter: {a: [1,2]}\n", "setParameter has a map with non scalar values, which is not allowed"),
        ("setParameter:\n  a:\n    b: c\n", "setParameter has a map with non scalar values, which is not allowed"),
        ("setParameter: a=b\n", "Option: setParameter is of type StringMap, but value in YAML config is not a map type"),
        ("setParameter:\n", "Option: setParameter is of type StringMap, but value in YAML config is not a map type"),
        ("setParameter:\n  a: 1\n  a: 2\n", "String Map Option: setParameter has duplicate keys in YAML Config: a"),
        (
            "security: {clusterIpSourceAllowlist: '10.0.0.0/8,127.0.0.1'}\n",
            "Option: security.clusterIpSourceAllowlist is of type StringVector, but value in YAML config is not a list type",
        ),
        (
            "security:\n  clusterIpSourceAllowlist: [[a]]\n",
            "Option: security.clusterIpSourceAllowlist has nested lists, which is not allowed",
        ),
        ("proxy.members: [{host: ['a:1']}]\n", "An entry of proxy.members has a field that is no single value"),
        ("proxy.members: ['a:1']\n", "An entry of proxy.members is no mapping, {field: value}"),
        ("proxy.members: 'a:1'\n", "Option: proxy.members is of type StringVector, but value in YAML config is not a list type"),
        ("[1,2]\n", "No map found at top level of YAML config"),
        ("[net]\nport=1\n", "No map found at top level of YAML config"),
        ("~: 1\n", "Found empty key in YAML config file"),
        ("'': 1\n", "Found empty key in YAML config file"),
        ("? [a]\n: 1\n", "Found empty key in YAML config file"),
        ("net: {port: {__exec: 'echo 5'}}\n", "net.port.__exec support has not been enabled"),
        ("net:\n  port: {__rest: x, type: string}\n", "net.port.__rest support has not been enabled"),
        ("foo\n", "Error parsing INI config file: the options configuration file contains an invalid line 'foo'"),
        ("port 5\n", "Error parsing INI config file: the options configuration file contains an invalid line 'port 5'"),
        ("port = 28001\nauth\n", "Error parsing INI config file: the options configuration file contains an invalid line 'auth'"),
        ("foo=1\n", "Error parsing INI config file: unrecognised option 'foo'"),
        ("net.port=5\n", "Error parsing INI config file: unrecognised option 'net.port'"),
        ("port=1\nport=2\n", "Error parsing INI config file:  Multiple occurrences of option \"port\""),
    ];
    for (text, expected) in cases {
        assert_eq!(first(text), expected, "{text:?}");
    }
}

#[test]
fn broken_yaml_is_a_syntax_error_with_its_line() {
    for (text, line) in [("net: {port: 5\n", 2), ("net: {port: *x}\n", 1), ("net:\n  port: 'a\n", 3), ("a: b\n c: d\n", 2)] {
        let errors = read(text).unwrap_err();
        let error = errors.iter().next().unwrap();
        assert_eq!(error.kind(), ErrorKind::Syntax, "{text:?}");
        assert!(error.text().starts_with("Error parsing YAML config file: error at line "), "{error}");
        assert!(matches!(error.origin(), Some(Origin::File { line: found, .. }) if found.abs_diff(line) <= 1), "{error}");
    }
}

#[test]
fn every_mistake_is_reported_with_its_line() {
    let errors = read("net:\n  prot: 1\nsecurity:\n  keyfile: /x\n").unwrap_err();
    let lines: Vec<_> = errors.iter().map(|error| (error.option().to_owned(), error.origin().unwrap().to_string())).collect();
    assert_eq!(lines, [("net.prot".into(), "x.conf line 2".into()), ("security.keyfile".into(), "x.conf line 4".into())]);
    let text = errors.to_string();
    assert!(text.contains("did you mean net.port?") && text.contains("did you mean security.keyFile?"), "{text}");
    assert!(text.ends_with("try 'doorward --help' for more information"), "{text}");
}

#[test]
fn files_of_the_time_before_yaml_are_read() {
    let cases = [
        ("port=28001\nauth=true\n", "net.port", "28001"),
        ("auth=true\n", "security.authorization", "enabled"),
        ("auth=false\n", "security.authorization", "disabled"),
        ("auth=\n", "security.authorization", "enabled"),
        ("auth=yes\n", "security.authorization", "enabled"),
        ("noauth=false\n", "security.authorization", "enabled"),
        ("# c\nport=1 # x\n", "net.port", "1"),
        ("setParameter=a=1\nsetParameter=b=2\n", "setParameter.b", "2"),
        ("verbose=true\n", "systemLog.verbosity", "1"),
        ("verbose=vvv\n", "systemLog.verbosity", "3"),
        ("vvv=true\n", "systemLog.verbosity", "3"),
        ("nounixsocket=true\n", "net.unixDomainSocket.enabled", "false"),
        ("logpath = /x y\n", "systemLog.path", "/x y"),
        ("logpath = /x y\n", "systemLog.destination", "file"),
        ("sslMode=requireSSL\n", "net.ssl.mode", "requireSSL"),
    ];
    for (text, name, expected) in cases {
        assert_eq!(read(text).unwrap().text(name), Some(expected), "{text:?}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_in_a_value_only() {
    assert!(parse(b"# caf\xe9\nnet:\n  port: 5\n", Path::new("x")).is_ok());
    let errors = parse(b"net:\n  bindIp: a\xffb\n", Path::new("x")).unwrap_err();
    assert_eq!(errors.iter().next().unwrap().text(), "The value of net.bindIp is not UTF-8 text");
}

#[test]
fn a_small_file_can_not_grow_large_or_deep() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let before = format!("*a{}", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", ")));
    }
    assert!(first(&bomb).contains("too large"), "{}", first(&bomb));
    let deep = format!("{}x{}", "[".repeat(5000), "]".repeat(5000));
    assert!(first(&deep).starts_with("Error parsing YAML config file"), "{}", first(&deep));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, Path::new("x"));
    }

    #[test]
    fn no_yaml_like_text_makes_the_reader_panic(parts in proptest::collection::vec(
        prop_oneof![
            Just("net"), Just("port"), Just(": "), Just("\n"), Just("  "), Just("- "), Just("["), Just("]"), Just("{"), Just("}"),
            Just("&a "), Just("*a"), Just("!!str "), Just("|\n"), Just("'"), Just("\""), Just("#"), Just("---\n"), Just("...\n"),
            Just("? "), Just("setParameter"), Just("\t"), Just(","), Just("<<"), Just("%YAML 1.2\n"), Just("\u{feff}"), Just("=1\n"),
        ], 0..24)) {
        let _ = parse(parts.concat().as_bytes(), Path::new("x"));
    }
}
