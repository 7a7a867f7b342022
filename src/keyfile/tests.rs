//! The keyfile against what mongod 6.0.5 does with the same files.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::scram::{Client, ClientFirst};

/// Files that are read in another way here, since our YAML parser is another one, with what is different.
const DIFFERENT_ON_PURPOSE: [(&str, &str); 7] = [
    ("bad directive", "mongod refuses %YAML 3.0, here directives do not count"),
    ("eot", "mongod ends the file at 0x04, here it is an invalid character"),
    ("percent", "mongod takes %abcdefg for a directive and complains about the empty document, here it is a syntax error"),
    ("two scalars", "mongod begins a second document without ---, here it is a syntax error"),
    ("seq tab", "mongod refuses a sequence after a tab, here it is one"),
    ("flow double comma", "mongod sees a null between two commas, here it is a syntax error"),
    ("nul then space", "mongod takes a NUL for an escape character and refuses most escapes, here all"),
];

fn rows(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Whether a member with `key` can log in to a server with this keyfile.
fn opens(key_file: &KeyFile, key: &str) -> bool {
    let key = Secret::new(key.as_bytes().to_vec());
    let (client, first) = Client::start(Mechanism::ScramSha256, "__system", &key, [1; 24]);
    let (server, challenge) = ClientFirst::parse(&first).unwrap().challenge(key_file.credentials([2; 28], 4096), [3; 24]);
    let (client, last) = client.step(&challenge).unwrap();
    server.step(&last).is_ok_and(|(_, signature)| client.finish(&signature).is_ok())
}

fn open(row: &Value) -> Result<KeyFile, KeyFileError> {
    let contents = STANDARD.decode(row["content_b64"].as_str().unwrap()).unwrap();
    if let Some(mode) = row["mode_octal"].as_str() {
        KeyFile::check_permissions(0o100_000 | u32::from_str_radix(mode, 8).unwrap(), "FILE")?;
    }
    KeyFile::parse(&contents, "FILE")
}

/// Our parser is not mongod's: of its complaints about syntax only the beginning has to agree.
fn comparable(text: &str) -> &str {
    let syntax = "error reading file: FILE: yaml-cpp: error at line ";
    // Our own scanner gives this one, so that all of it agrees.
    if text.starts_with(syntax) && !text.contains("unknown escape character: g") { syntax } else { text }
}

fn assert_refused_as_by_mongod(row: &Value, error: &KeyFileError) {
    let (name, attributes) = (&row["name"], &row["log_attr"]);
    assert_eq!(i64::from(error.log_id()), row["log_id"].as_i64().unwrap(), "{name}: {error}");
    assert_eq!(error.log_message(), row["log_msg"].as_str().unwrap(), "{name}");
    match error {
        KeyFileError::TooManyKeys { count, path } => {
            assert_eq!((attributes["numKeys"].as_u64(), attributes["filename"].as_str()), (Some(*count as u64), Some(&**path)));
        }
        KeyFileError::KeySize { size, path } => {
            assert_eq!(
                (attributes["size"].as_u64(), attributes["filename"].as_str()),
                (Some(*size as u64), Some(&**path)),
                "{name}"
            );
            assert_eq!(attributes["minimumLength"], SHORTEST_KEY);
            assert_eq!(attributes["maximumLength"], LONGEST_KEY);
        }
        _ => {
            let (code, expected) = (error.code().unwrap(), &attributes["error"]);
            assert_eq!(Some(i64::from(code.code())), expected["code"].as_i64(), "{name}: {error}");
            assert_eq!(code.name(), expected["codeName"].as_str().unwrap(), "{name}");
            assert_eq!(comparable(&error.to_string()), comparable(expected["errmsg"].as_str().unwrap()), "{name}");
        }
    }
}

#[test]
fn every_keyfile_of_the_corpus_is_judged_as_by_mongod() {
    let rows = rows("keyfile-corpus.jsonl");
    assert_eq!(rows.len(), 85);
    for row in rows {
        let name = &row["name"];
        match open(&row) {
            Ok(key_file) => {
                assert_eq!(row["accepted"], true, "{name}");
                for (key, expected) in row["keys_tried"].as_object().unwrap() {
                    assert_eq!(opens(&key_file, key), expected.as_bool().unwrap(), "{name}: {key}");
                }
            }
            Err(error) => {
                assert_eq!(row["accepted"], false, "{name}: {error}");
                assert_refused_as_by_mongod(&row, &error);
            }
        }
    }
}

/// What happened to a file, on mongod or here: `accepted`, or the log line.
fn outcome(log_id: i64, message: &str) -> String {
    format!("{log_id} {}", comparable(message))
}

#[test]
fn odd_yaml_is_judged_as_by_mongod() {
    let rows = rows("keyfile-yaml-cases.jsonl");
    assert_eq!(rows.len(), 65);
    let mut different = Vec::new();
    for row in &rows {
        let name = row["name"].as_str().unwrap();
        let text = row["log_attr"]["error"]["errmsg"].as_str().or_else(|| row["log_msg"].as_str());
        let expected = text.map_or_else(|| "accepted".to_owned(), |text| outcome(row["log_id"].as_i64().unwrap(), text));
        let ours = match open(row) {
            Ok(key_file) => {
                for key in row["keys_open"].as_array().into_iter().flatten() {
                    assert!(opens(&key_file, key.as_str().unwrap()), "{name}: {key}");
                }
                "accepted".to_owned()
            }
            Err(error) => outcome(error.log_id().into(), &error.to_string()),
        };
        if ours != expected {
            different.push((name, expected, ours));
        }
    }
    let names: Vec<_> = different.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, DIFFERENT_ON_PURPOSE.map(|(name, _)| name), "{different:#?}");
}

#[test]
fn the_keys_keep_their_order_and_lose_their_blanks() {
    let key_file = KeyFile::parse(b"- my new key 2\n- \"my\\told key 1\"\n", "FILE").unwrap();
    let keys: Vec<_> = key_file.keys().map(Secret::expose).collect();
    assert_eq!(keys, [b"mynewkey2".as_slice(), b"myoldkey1".as_slice()]);
}

#[test]
fn both_keys_share_one_salt_and_either_opens_alone() {
    let key_file = KeyFile::parse(b"[keyone1, keytwo2]", "FILE").unwrap();
    let credentials = key_file.credentials([9; 28], 5000);
    assert_eq!(credentials.len(), 2);
    for credential in &credentials {
        assert_eq!((credential.salt(), credential.iteration_count()), ([9; 28].as_slice(), 5000));
        assert_eq!(credential.mechanism(), Mechanism::ScramSha256);
    }
    assert!(opens(&key_file, "keyone1") && opens(&key_file, "keytwo2"));
    assert!(!opens(&key_file, "keyone1keytwo2"));
}

#[test]
fn only_the_lowest_six_bits_of_the_mode_count() {
    for mode in 0..0o200_000_u32 {
        assert_eq!(KeyFile::check_permissions(mode, "FILE").is_ok(), mode % 0o100 == 0, "{mode:o}");
    }
}

#[test]
fn an_unreadable_file_is_reported_in_mongods_words() {
    let error = KeyFileError::Unreadable { path: "FILE".into(), reason: "No such file or directory".into() };
    assert_eq!(error.to_string(), "Error reading file FILE: No such file or directory");
    assert_eq!((error.log_id(), error.code()), (20254, Some(ErrorCode::InvalidPath)));
}

#[test]
fn a_refused_key_is_not_in_the_debug_text() {
    let error = KeyFile::parse(b"almost-a-key", "FILE").err().unwrap();
    assert!(error.to_string().ends_with("almost-a-key"));
    assert!(!format!("{error:?}").contains("almost"));
}

#[test]
fn a_new_key_is_a_keyfile_of_one_key() {
    for random in [[0_u8; NEW_KEY_BYTES], [0xff; NEW_KEY_BYTES], [0x5a; NEW_KEY_BYTES]] {
        let text = generate(&random);
        assert!(text.ends_with('\n') && text.lines().all(|line| line.len() <= 64));
        let key_file = KeyFile::parse(text.as_bytes(), "FILE").unwrap();
        let keys: Vec<_> = key_file.keys().collect();
        assert_eq!(keys.len(), 1);
        assert!(keys[0].matches(STANDARD.encode(random).as_bytes()));
    }
}

proptest! {
    #[test]
    fn no_file_makes_the_parser_panic(contents in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = KeyFile::parse(&contents, "FILE");
    }

    #[test]
    fn no_yaml_makes_the_parser_panic(text in "[-?:,\\[\\]{}#&*!|>'\"%@`~ \t\n\\\\a-c=0\u{e9}\u{feff}]{0,60}") {
        if let Ok(key_file) = KeyFile::parse(text.as_bytes(), "FILE") {
            for key in key_file.keys() {
                prop_assert!((SHORTEST_KEY..=LONGEST_KEY).contains(&key.expose().len()));
                prop_assert!(key.expose().iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte)));
            }
        }
    }

    #[test]
    fn a_new_key_of_any_bytes_is_one_key(random in proptest::collection::vec(any::<u8>(), 6..=768)) {
        let key_file = KeyFile::parse(generate(&random).as_bytes(), "FILE");
        prop_assert_eq!(key_file.unwrap().keys().count(), 1);
    }
}
