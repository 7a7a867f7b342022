//! Log lines in mongod's structured format: one JSON object a line with `t`, `s`, `c`, `id`, `ctx`, `msg` and `attr`.
//!
//! The lines themselves, with mongod's ids and texts, stand in [`super::events`]; here is only the writing. A secret must never
//! reach this module: its callers pass names, codes and addresses. Source: MongoDB manual, "Log Messages".

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::config::settings::SystemLog;

/// How grave a line is, as mongod abbreviates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// `F`: the process ends.
    Fatal,
    /// `E`.
    Error,
    /// `W`.
    Warning,
    /// `I`.
    Info,
    /// `D1` to `D5`: written from that verbosity on.
    Debug(u8),
}

impl Severity {
    const fn letters(self) -> &'static str {
        match self {
            Self::Fatal => "F",
            Self::Error => "E",
            Self::Warning => "W",
            Self::Info => "I",
            Self::Debug(0 | 1) => "D1",
            Self::Debug(2) => "D2",
            Self::Debug(3) => "D3",
            Self::Debug(4) => "D4",
            Self::Debug(_) => "D5",
        }
    }
}

/// Which part of the server speaks, as mongod names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// `ACCESS`: authentication and authorization.
    Access,
    /// `CONTROL`: start, reload, stop.
    Control,
    /// `NETWORK`: connections, TLS, the upstream.
    Network,
}

impl Component {
    const fn name(self) -> &'static str {
        match self {
            Self::Access => "ACCESS",
            Self::Control => "CONTROL",
            Self::Network => "NETWORK",
        }
    }
}

/// One line before it is written.
pub struct Line<'a> {
    /// How grave.
    pub severity: Severity,
    /// Who speaks.
    pub component: Component,
    /// mongod's id of the line; doorward's own lines count from 9,000,000.
    pub id: u32,
    /// The thread in mongod's terms: `conn42`, `listener`, `main`.
    pub context: &'a str,
    /// The constant text.
    pub message: &'a str,
    /// What varies, a JSON object; `Null` when nothing does.
    pub attributes: Value,
}

/// Where the lines go. Cheap to clone; every clone writes to the same place.
#[derive(Clone)]
pub struct Log {
    destination: Arc<Mutex<Destination>>,
    measure: Arc<Measure>,
}

/// How much is written; a reload may change it.
#[derive(Default)]
struct Measure {
    verbosity: AtomicU8,
    quiet: AtomicBool,
}

enum Destination {
    StandardOutput,
    File {
        file: File,
        path: PathBuf,
    },
    #[cfg(test)]
    Memory(Vec<u8>),
}

impl Log {
    /// Opens the destination that `systemLog` names.
    ///
    /// # Errors
    /// The file can not be opened.
    pub fn open(settings: &SystemLog) -> io::Result<Self> {
        let destination = match &settings.path {
            None => Destination::StandardOutput,
            Some(path) => Destination::File { file: open_file(path, settings.append)?, path: path.clone() },
        };
        let log = Self { destination: Arc::new(Mutex::new(destination)), measure: Arc::default() };
        log.adjust(settings);
        Ok(log)
    }

    /// Takes over `verbosity` and `quiet`; where the lines go stays as it is.
    pub fn adjust(&self, settings: &SystemLog) {
        self.measure.verbosity.store(settings.verbosity, Ordering::Relaxed);
        self.measure.quiet.store(settings.quiet, Ordering::Relaxed);
    }

    /// Goes on in a fresh file; the old one is kept as at start, unless somebody has moved it away already.
    ///
    /// # Errors
    /// The fresh file can not be opened; the log goes on in the old one.
    pub fn rotate(&self) -> io::Result<()> {
        let mut destination = self.destination.lock().unwrap_or_else(PoisonError::into_inner);
        if let Destination::File { file, path } = &mut *destination {
            let was_moved = !is_at(file, path);
            *file = open_file(path, was_moved)?;
        }
        Ok(())
    }

    /// Whether the lines about single connections are left out (`systemLog.quiet`).
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.measure.quiet.load(Ordering::Relaxed)
    }

    /// Writes one line. A destination that fails (a full disk) loses the line: serving goes on.
    pub fn write(&self, line: Line<'_>) {
        if matches!(line.severity, Severity::Debug(level) if level > self.measure.verbosity.load(Ordering::Relaxed)) {
            return;
        }
        let bytes = render(line, SystemTime::now());
        let mut destination = self.destination.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = match &mut *destination {
            Destination::StandardOutput => io::stdout().lock().write_all(&bytes),
            Destination::File { file, .. } => file.write_all(&bytes),
            #[cfg(test)]
            Destination::Memory(memory) => memory.write_all(&bytes),
        };
    }
}

/// Whether `file` is the one that `path` leads to.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(ours), Ok(there)) if identity(&ours) == identity(&there))
}

/// Opens a log file. Without `logAppend` an old one is kept under its name and the time, as mongod keeps it.
fn open_file(path: &Path, append: bool) -> io::Result<File> {
    if !append && path.is_file() {
        let time = timestamp(SystemTime::now()).replace(':', "-");
        let mut old = path.as_os_str().to_owned();
        old.push(format!(".{}", time.split('.').next().unwrap_or_default()));
        // Two in one second: the first one's lines are not written over.
        if !Path::new(&old).exists() {
            fs::rename(path, old)?;
        }
    }
    OpenOptions::new().create(true).append(true).open(path)
}

fn render(line: Line<'_>, now: SystemTime) -> Vec<u8> {
    let mut object = Map::new();
    object.insert("t".into(), json!({ "$date": timestamp(now) }));
    object.insert("s".into(), line.severity.letters().into());
    object.insert("c".into(), line.component.name().into());
    object.insert("id".into(), line.id.into());
    object.insert("ctx".into(), line.context.into());
    object.insert("msg".into(), line.message.into());
    if !line.attributes.is_null() {
        object.insert("attr".into(), line.attributes);
    }
    let mut bytes = Value::Object(object).to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}

/// `now` as mongod prints it in UTC, for example `2026-11-22T01:18:00.123+00:00`.
#[must_use]
pub fn timestamp(now: SystemTime) -> String {
    let milliseconds = now.duration_since(UNIX_EPOCH).map_or(0, |duration| duration.as_millis());
    let date = bson::DateTime::from_millis(i64::try_from(milliseconds).unwrap_or(i64::MAX));
    let text = date.try_to_rfc3339_string().unwrap_or_default();
    // The library leaves a zero fraction out and shortens others; mongod always prints three digits.
    let (seconds, fraction) = match text.trim_end_matches('Z').split_once('.') {
        Some((seconds, fraction)) => (seconds.to_owned(), fraction.to_owned()),
        None => (text.trim_end_matches('Z').to_owned(), String::new()),
    };
    format!("{seconds}.{fraction:0<3}+00:00")
}

#[cfg(test)]
impl Log {
    /// A log that tests can read back.
    pub(crate) fn in_memory() -> Self {
        Self { destination: Arc::new(Mutex::new(Destination::Memory(Vec::new()))), measure: Arc::default() }
    }

    /// What was written so far.
    pub(crate) fn text(&self) -> String {
        match &*self.destination.lock().unwrap() {
            Destination::Memory(memory) => String::from_utf8(memory.clone()).unwrap(),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn line(severity: Severity) -> Line<'static> {
        Line {
            severity,
            component: Component::Network,
            id: 22943,
            context: "listener",
            message: "Connection accepted",
            attributes: json!({"a": 1}),
        }
    }

    #[test]
    fn a_line_has_mongods_keys_in_mongods_order() {
        let text = String::from_utf8(render(line(Severity::Info), UNIX_EPOCH + Duration::from_millis(1_500))).unwrap();
        assert_eq!(
            text,
            "{\"t\":{\"$date\":\"1970-01-01T00:00:01.500+00:00\"},\"s\":\"I\",\"c\":\"NETWORK\",\"id\":22943,\"ctx\":\"listener\",\
             \"msg\":\"Connection accepted\",\"attr\":{\"a\":1}}\n"
        );
    }

    #[test]
    fn a_time_is_printed_to_the_millisecond() {
        for (milliseconds, expected) in [(0, "00.000"), (7, "00.007"), (70, "00.070"), (59_999, "59.999")] {
            let text = timestamp(UNIX_EPOCH + Duration::from_millis(milliseconds));
            assert_eq!(text, format!("1970-01-01T00:00:{expected}+00:00"));
        }
    }

    #[test]
    fn an_old_log_file_is_appended_to_or_kept_under_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("doorward.log");
        let open = |append| Log::open(&SystemLog { path: Some(path.clone()), append, verbosity: 0, quiet: false }).unwrap();
        for (append, files, lines) in [(false, 1, 1), (true, 1, 2), (false, 2, 1)] {
            open(append).write(line(Severity::Info));
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), files);
            assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), lines);
        }
    }

    #[test]
    fn debug_lines_wait_for_their_verbosity() {
        let log = Log::in_memory();
        log.write(line(Severity::Debug(1)));
        assert_eq!(log.text(), "");
        log.write(line(Severity::Warning));
        assert!(log.text().contains("\"s\":\"W\""));
        assert!(!log.text().contains("\"s\":\"D1\""));
        log.adjust(&SystemLog { path: None, append: false, verbosity: 1, quiet: false });
        log.write(line(Severity::Debug(1)));
        assert!(log.text().contains("\"s\":\"D1\""));
    }

    fn to_file(path: &Path) -> Log {
        let settings = SystemLog { path: Some(path.to_owned()), append: true, verbosity: 0, quiet: false };
        Log::open(&settings).unwrap()
    }

    fn lines(path: &Path) -> usize {
        fs::read_to_string(path).unwrap().lines().count()
    }

    #[test]
    fn a_rotated_log_goes_on_in_a_fresh_file_and_keeps_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("doorward.log");
        let log = to_file(&path);
        log.write(line(Severity::Info));
        log.rotate().unwrap();
        log.write(line(Severity::Info));
        log.write(line(Severity::Info));
        assert_eq!(lines(&path), 2);
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        let old = files.iter().find(|file| **file != path).unwrap();
        assert_eq!((files.len(), lines(old)), (2, 1));
    }

    #[test]
    fn a_log_that_was_moved_away_goes_on_in_what_stands_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("doorward.log"), folder.path().join("doorward.log.1"));
        let log = to_file(&path);
        log.write(line(Severity::Info));
        fs::rename(&path, &moved).unwrap();
        fs::write(&path, "").unwrap();
        log.rotate().unwrap();
        log.write(line(Severity::Info));
        assert_eq!((lines(&moved), lines(&path)), (1, 1));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn rotating_twice_in_a_second_loses_no_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("doorward.log");
        let log = to_file(&path);
        for _ in 0..5 {
            log.write(line(Severity::Info));
            log.rotate().unwrap();
        }
        let all: usize = fs::read_dir(folder.path()).unwrap().map(|entry| lines(&entry.unwrap().path())).sum();
        assert_eq!(all, 5);
    }
}
