//! What the kernel tells about processes: their time, memory and children.

use std::fs;

use anyhow::{Context, Result};

/// A clock tick of `/proc`, which is the same on every Linux of the processors that doorward is for.
const TICK: f64 = 0.01;

/// A process and its children: some servers have their workers in these.
pub(crate) fn family(root: u32) -> Result<Vec<u32>> {
    let mut family = vec![root];
    for thread in fs::read_dir(format!("/proc/{root}/task"))? {
        let Ok(children) = fs::read_to_string(thread?.path().join("children")) else { continue };
        for child in children.split_whitespace() {
            family.extend(self::family(child.parse()?).unwrap_or_default());
        }
    }
    Ok(family)
}

/// The time that a process and its children had a processor so far, in seconds.
pub(crate) fn cpu_seconds(root: u32) -> Result<f64> {
    family(root)?.into_iter().map(cpu_seconds_of_one).sum()
}

/// The kernel tells the time of threads in nanoseconds, but threads that ended take theirs with them; that of the process in
/// hundredths of a second, and nothing is lost. So the greater of the two.
fn cpu_seconds_of_one(process: u32) -> Result<f64> {
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        nanoseconds += text.split_whitespace().next().context("schedstat")?.parse::<f64>()?;
    }
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // After the name, which may have spaces: the state is the first field, user and system time are the twelfth and thirteenth.
    let (_, fields) = text.rsplit_once(") ").context("stat")?;
    let ticks: f64 = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok((nanoseconds / 1e9).max(ticks * TICK))
}

/// Resident memory of a process and its children in kB.
pub(crate) fn resident_memory(root: u32) -> Result<f64> {
    let one = |process: u32| -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? * 1.024)
    };
    family(root)?.into_iter().map(one).sum()
}
