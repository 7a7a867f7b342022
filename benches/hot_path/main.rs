//! The regression guard of the hot path: how many instructions each step takes, which does not depend on the machine's mood.
//!
//! `make instructions` counts them with valgrind and compares with `counts.txt` beside this file; `make instructions-accepted` writes
//! that file anew, for a change that is worth what it costs. Each case runs in a process of its own, once many times and once twice as
//! often: the difference is what it costs, whatever a process does beside it. Where valgrind is missing, or compiler or valgrind are not
//! those of the file, nothing can be compared; that is said, and is no failure.
//!
//! What is counted is built as one unit of code, without the feature `server`: then a count moves only when the code of its step does.

mod cases;

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use cases::{CASES, OF_A_FIND};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How often a case runs in the shorter of its two processes.
const TIMES: u64 = 300;
/// By how much a step, and the sum of them, may grow, in thousandths. One build counts the same each time; a change elsewhere in the crate
/// may make the compiler put another function into its caller, which is worth less than this.
const TOLERANCE: u64 = 30;
const TOLERANCE_OF_SUM: u64 = 15;
/// Fewer instructions than this are no difference, in the shortest steps.
const UNSEEN: u64 = 8;
/// What the sum of the steps of a `find` is called.
const SUM: &str = "all-of-a-find";
/// How a change is accepted.
const ACCEPT: &str = "--accept";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--case", name, times] => run_case(name, times),
        words => compare(words.contains(&ACCEPT)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("the instructions could not be counted: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// What the process under valgrind does.
fn run_case(name: &str, times: &str) -> Result<bool> {
    let (_, prepare) = CASES.iter().find(|(case, _)| *case == name).ok_or("no such case")?;
    let mut work = prepare();
    let times: u64 = times.parse()?;
    Ok((0..times).all(|_| work()))
}

/// Counts everything and compares, or accepts.
fn compare(accept: bool) -> Result<bool> {
    let probe = valgrind().arg("true").output();
    if !probe.is_ok_and(|output| output.status.success()) {
        println!("NOT COMPARED: instructions are counted by valgrind, which is not installed here, or does not run");
        return Ok(true);
    }
    let setting = setting()?;
    let accepted = std::fs::read_to_string(file()).unwrap_or_default();
    let same = accepted.lines().next() == Some(&setting);
    let mut counts = CASES.iter().map(|(name, _)| Ok((*name, count_once(name)?))).collect::<Result<Vec<_>>>()?;
    counts.push((SUM, counts.iter().filter(|(name, _)| OF_A_FIND.contains(name)).map(|(_, count)| count).sum()));
    let (mut text, mut holds) = (format!("{setting}\n"), true);
    println!("{:20}{:>12}{:>12}", "instructions", "accepted", "now");
    for (name, now) in counts {
        let before = accepted.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok()).filter(|_| same);
        let tolerance = if name == SUM { TOLERANCE_OF_SUM } else { TOLERANCE };
        let verdict = match before.map(|before| (before, (before * tolerance / 1000).max(UNSEEN))) {
            Some((before, tolerated)) if now > before + tolerated => {
                holds = false;
                "more than is tolerated"
            }
            Some((before, tolerated)) if now + tolerated < before => "less: worth accepting",
            Some(_) => "",
            None => "not compared",
        };
        println!("{name:20}{:>12}{now:>12}  {verdict}", before.map_or_else(|| "-".into(), |before| before.to_string()));
        writeln!(text, "{name} {now}")?;
    }
    if accept {
        std::fs::write(file(), text)?;
        return Ok(true);
    }
    if !same {
        println!(
            "NOT COMPARED: the accepted counts are of \"{}\", these of \"{setting}\"",
            accepted.lines().next().unwrap_or_default()
        );
    }
    if !holds {
        println!("A change that is worth it is accepted by: make instructions-accepted");
    }
    Ok(holds || !same)
}

fn valgrind() -> Command {
    let mut command = Command::new("valgrind");
    command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    command
}

/// The instructions of a case.
fn count_once(name: &str) -> Result<u64> {
    Ok(count(name, 2 * TIMES)?.saturating_sub(count(name, TIMES)?) / TIMES)
}

/// The instructions of a process that runs a case so many times.
fn count(name: &str, times: u64) -> Result<u64> {
    let mut command = valgrind();
    command.arg(std::env::current_exe()?).args(["--case", name, &times.to_string()]);
    let output = command.output()?;
    let report = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{name} failed: {report}").into());
    }
    let line = report.lines().find(|line| line.contains("refs:")).ok_or_else(|| format!("no count in {report}"))?;
    let digits: String = line.rsplit(':').next().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    Ok(digits.parse()?)
}

/// What the counts depend on beside the code: the compiler, the processor's kind, how much is optimized, and who counts.
fn setting() -> Result<String> {
    let compiler = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("--version").output()?;
    let compiler = String::from_utf8(compiler.stdout)?;
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let counter = String::from_utf8(Command::new("valgrind").arg("--version").output()?.stdout)?;
    Ok(format!("{} {} {profile}, {}", compiler.trim(), std::env::consts::ARCH, counter.trim()))
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/hot_path/counts.txt")
}
