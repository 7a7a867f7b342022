//! The third table: what does not depend on who else uses the machine, or hardly: system calls, memory, the start, the program's size.
//!
//! System calls are counted by `strace`; without it their rows are missing. Memory is what is resident, and the start is the least of
//! many because whatever else runs can only make it longer.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::load::{Client, Target, find_one, idle_connections};
use crate::servers::{Process, Security, Workshop, find, resident_memory};
use crate::{CLIENTS, Plan, number, part};

/// What `--only` calls this table.
pub(crate) const NAME: &str = "footprint";
/// Finds of which the system calls are counted, of one client and of each of many.
const FINDS: usize = 3000;
/// How long freed memory may take to be given back.
const SETTLED: Duration = Duration::from_secs(15);

/// The rows: what they are called, and what is to be reached.
const ROWS: [(&str, &str); 9] = [
    ("system calls a find, 1 client", "6.1"),
    ("system calls a find, 16 clients", "4.6"),
    ("kB resident at rest", "-"),
    ("kB a connection, authenticated, idle", "12"),
    ("kB resident after they are closed", "-"),
    ("the same over (2 x at rest + 5 MB)", "1.00"),
    ("ms from exec to the first TLS reply", "20"),
    ("the same, least", "20"),
    ("MB of the stripped program", "8"),
];

/// Measures and prints.
pub(crate) fn run(plan: &Plan, workshop: &Workshop) -> Result<()> {
    let (_sink, direct) = workshop.sink(0).context("sink")?;
    let mut columns = Vec::new();
    let before = plan.against.as_deref().map(|program| ("before", program));
    for (name, program) in before.into_iter().chain([("doorward", Path::new(env!("CARGO_BIN_EXE_doorward")))]) {
        let start = || workshop.doorward(name, program, direct.address, Security::Enabled);
        let [calls, calls_of_many] = {
            let (_process, target) = start()?;
            [system_calls(&target, 1)?, system_calls(&target, CLIENTS)?]
        };
        let (at_rest, idle, closed) = memory(start()?, plan.closed)?;
        let times = (0..plan.starts).map(|_| first_reply(workshop, name, program, &direct)).collect::<Result<Vec<_>>>()?;
        let least = part(times.clone(), 0.0);
        let over = closed / (2.0 * at_rest + 5000.0);
        let size = stripped_size(program)?;
        columns.push((name, [calls, calls_of_many, at_rest, idle, closed, over, part(times, 0.5), least, size]));
    }
    print!("\n{:40}{:>8}", "", "goal");
    columns.iter().for_each(|(name, _)| print!("{name:>12}"));
    println!();
    for (row, (name, goal)) in ROWS.iter().enumerate() {
        print!("{name:40}{goal:>8}");
        columns.iter().for_each(|(_, values)| print!("{:>12}", number(values.get(row).copied().unwrap_or(f64::NAN))));
        println!();
    }
    Ok(())
}

/// System calls of the process for each find of so many clients.
fn system_calls(target: &Target, clients: usize) -> Result<f64> {
    let (Some(strace), Some(process)) = (find("strace"), target.process) else { return Ok(f64::NAN) };
    let message = find_one();
    let mut open = (0..clients).map(|_| Client::connect(target)).collect::<Result<Vec<_>>>()?;
    for client in &mut open {
        client.ask_successfully(&message)?;
    }
    let counts = tempfile::NamedTempFile::new()?;
    let mut command = Command::new(strace);
    command.args(["-f", "-c", "-o"]).arg(counts.path()).arg("-p").arg(process.to_string()).stderr(Stdio::null());
    let mut strace = Process::start(&mut command)?;
    await_tracer(process)?;
    let each = FINDS.div_ceil(clients);
    let failures: Vec<_> = thread::scope(|scope| {
        let ask = |client: &'_ mut Client| (0..each).try_for_each(|_| client.ask(&find_one()).map(|_| ()));
        let workers: Vec<_> = open.iter_mut().map(|client| scope.spawn(move || ask(client))).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()?.err()).collect()
    });
    if let Some(failure) = failures.into_iter().next() {
        return Err(failure);
    }
    strace.interrupt()?;
    let text = fs::read_to_string(counts.path())?;
    let total = text.lines().rev().find(|line| line.trim_end().ends_with("total")).context("strace counted nothing")?;
    let calls: f64 = total.split_whitespace().nth(3).context("strace's total")?.parse()?;
    Ok(calls / (each * clients) as f64)
}

/// Waits until every thread of a process is traced.
fn await_tracer(process: u32) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        let mut traced = true;
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            let status = fs::read_to_string(thread?.path().join("status"))?;
            traced &= status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"));
        }
        if traced {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    bail!("strace does not trace; is it allowed to?")
}

/// Resident memory in kB: at rest, of each of `count` idle connections, and after they are closed.
fn memory((_process, target): (Process, Target), count: usize) -> Result<(f64, f64, f64)> {
    let process = target.process.context("no process")?;
    // What every process does once is no connection's memory.
    drop(idle_connections(&target, 20)?);
    thread::sleep(Duration::from_millis(500));
    let kilobytes = || resident_memory(process).map(|kib| kib * 1.024);
    let at_rest = kilobytes()?;
    let clients = idle_connections(&target, count)?;
    thread::sleep(Duration::from_millis(500));
    let open = kilobytes()?;
    let each = (open - at_rest) / clients.len() as f64;
    drop(clients);
    thread::sleep(SETTLED);
    Ok((at_rest, each, kilobytes()?))
}

/// Milliseconds from the start of the process to the first byte that answers a client hello.
fn first_reply(workshop: &Workshop, name: &str, program: &Path, sink: &Target) -> Result<f64> {
    let (mut command, address) = workshop.command(name, program, sink.address, Security::Enabled)?;
    let mut hello = Vec::new();
    let mut connection = ClientConnection::new(ClientConfig::clone(&workshop.tls).into(), ServerName::try_from("localhost")?)?;
    connection.write_tls(&mut hello)?;
    let start = Instant::now();
    let _process = Process::start(command.stderr(Stdio::null()))?;
    while start.elapsed() < Duration::from_secs(10) {
        if let Ok(mut stream) = TcpStream::connect(address) {
            stream.write_all(&hello)?;
            if stream.read(&mut [0; 1]).is_ok_and(|count| count == 1) {
                return Ok(start.elapsed().as_secs_f64() * 1e3);
            }
        }
        thread::sleep(Duration::from_micros(200));
    }
    bail!("{name} did not answer")
}

/// Megabytes of a program without its symbols.
fn stripped_size(program: &Path) -> Result<f64> {
    let stripped = tempfile::NamedTempFile::new()?;
    let Some(strip) = find("strip") else { return Ok(f64::NAN) };
    Process::start(Command::new(strip).arg("-o").arg(stripped.path()).arg(program))?.wait()?;
    Ok(fs::metadata(stripped.path())?.len() as f64 / 1e6)
}
