//! The command line as people and scripts meet it: exit status, what is printed where, the example configurations, and mongod's
//! verdicts on 144 combinations of options.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that can not go on has failed")]

mod inspect;
mod startup_matrix;

use std::path::Path;
use std::process::{Command, Output};

fn doorward(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_doorward")).args(words).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn help_and_version_end_with_status_0() {
    let help = doorward(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for word in
        ["--tlsMode arg", "--proxyUpstreamAddress arg", "-f [ --config ] arg", "scramIterationCount", "--dbpath", "readiness"]
    {
        assert!(stdout(&help).contains(word), "{word} is missing from the help");
    }
    let version = doorward(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(stdout(&version), format!("doorward {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn check_prints_the_effective_settings_and_what_it_ignores() {
    let output = doorward(&["check", "--proxyUpstreamAddress", "127.0.0.1:27018", "--dbpath", "/data", "--port", "0x6D61"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("  port: 28001\n") && text.contains("#   storage.dbPath\n"), "{text}");
}

#[test]
fn a_refusal_ends_with_status_2_and_names_option_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.conf");
    std::fs::write(&file, "net:\n  prot: 1\n").unwrap();
    let path = file.to_str().unwrap();
    for words in [vec!["--config", path], vec!["serve", "-f", path], vec!["check", "--config", path]] {
        let output = doorward(&words);
        assert_eq!(output.status.code(), Some(2));
        let expected = format!(
            "Unrecognized option: net.prot\n  net.prot, given by {path} line 2\n  did you mean net.port?\ntry 'doorward --help' for more \
             information\n"
        );
        assert_eq!(stderr(&output), expected);
        assert!(stdout(&output).is_empty());
    }
}

#[test]
fn a_refused_command_line_ends_with_status_2() {
    let cases: [(&[&str], &str); 5] = [
        (&[], "proxy.upstream.address is required"),
        (&["chek"], "Invalid command: chek"),
        (&["--nosuchflag"], "Error parsing command line: unrecognised option '--nosuchflag'"),
        (&["check", "--config", "/nonexistent"], "Error opening config file '/nonexistent': No such file or directory"),
        (&["check", "--ldapServers", "x"], "Unsupported option: security.ldap.servers"),
    ];
    for (words, expected) in cases {
        let output = doorward(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        let text = stderr(&output);
        assert!(
            text.starts_with(expected) && text.ends_with("try 'doorward --help' for more information\n"),
            "{words:?}: {text}"
        );
    }
}

#[test]
fn a_password_is_never_printed() {
    let files = inspect::Files::new();
    let words = format!(
        "check --proxyUpstreamAddress a:1 --tlsMode requireTLS --tlsCertificateKeyFile {} --tlsCertificateKeyFilePassword hunter2",
        files.path("server.pem")
    );
    let accepted = doorward(&words.split(' ').collect::<Vec<_>>());
    assert_eq!(accepted.status.code(), Some(0));
    assert!(stdout(&accepted).contains("certificateKeyFilePassword: \"<password>\""), "{}", stdout(&accepted));
    let refused = doorward(&words.replace("requireTLS", "disabled").split(' ').collect::<Vec<_>>());
    assert_eq!(refused.status.code(), Some(2));
    for output in [accepted, refused] {
        assert!(!(stdout(&output) + &stderr(&output)).contains("hunter2"));
    }
}

#[test]
fn the_example_configurations_are_accepted() {
    let files = inspect::Files::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    for name in ["doorward", "sidecar", "gateway", "dev", "transition"] {
        let text = std::fs::read_to_string(examples.join(name).with_extension("conf")).unwrap();
        let file = files.write(name, &text.replace("/etc/doorward", &files.path("")));
        let output = doorward(&["check", "--config", &file]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
    }
}

#[test]
fn the_configuration_in_the_kubernetes_example_is_accepted() {
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/kubernetes-sidecar.yaml")).unwrap();
    let (_, rest) = manifest.split_once("doorward.conf: |\n").unwrap();
    let (block, _) = rest.split_once("\n---").unwrap();
    let text: String = block.lines().map(|line| format!("{}\n", line.strip_prefix("    ").unwrap())).collect();
    let words = ["--config".to_owned(), "doorward.conf".to_owned()];
    let loaded = doorward::config::load(&words, |_: &Path| Ok(text.clone().into_bytes())).unwrap();
    assert_eq!(loaded.settings.net.port, 27017);
    assert!(loaded.settings.proxy.admin.is_some());
}
