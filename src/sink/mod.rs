//! `doorward sink`: a stub backend that answers with canned replies, for load tests only.
//!
//! One thread serves one connection, which costs a load test least. It must never be reachable by anybody but the test: it asks
//! for no authentication. Source: contract, "Commands".

mod answers;
mod frame;
mod users;

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, Command, value_parser};

use crate::arguments;

pub use answers::Options;
use answers::{Answer, Answers};
use frame::{Framing, Reader};

/// The stack of a connection's thread: it calls nothing deep.
const STACK: usize = 128 * 1024;
/// `WouldBlock` from `accept` and the like: no use to try again at once.
const BACK_OFF: Duration = Duration::from_millis(20);

/// `doorward sink WORDS`: listens until SIGINT or SIGTERM. The first line on standard output names the address.
#[must_use]
pub fn main(words: &[String]) -> ExitCode {
    let matches = match arguments::read(command(), words) {
        Ok(matches) => matches,
        Err(status) => return status,
    };
    let user: Option<&String> = matches.get_one("user");
    let options = Options {
        batch_bytes: matches.get_one("batch-bytes").copied().unwrap_or_default(),
        batches: matches.get_one("batches").copied().unwrap_or(1),
        user: user.map(|text| text.split_once(':').unwrap_or((text, ""))).map(|(name, word)| (name.into(), word.into())),
        x509_users: matches.get_many("x509-user").into_iter().flatten().cloned().collect(),
        read_write: matches.get_one("read-write").cloned(),
    };
    let address: String = matches.get_one("listen").cloned().unwrap_or_default();
    let listener = match TcpListener::bind(&address) {
        Ok(listener) => listener,
        Err(refusal) => {
            eprintln!("doorward sink: cannot listen on {address}: {refusal}");
            return ExitCode::from(48);
        }
    };
    match run(listener, &options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("doorward sink: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn command() -> Command {
    Command::new("doorward sink")
        .no_binary_name(true)
        .about("A stub backend that answers with canned replies, for load tests only. It asks for no authentication.")
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS")
                .default_value("127.0.0.1:0")
                .help("host:port; port 0 is a free one"),
        )
        .arg(
            Arg::new("batch-bytes")
                .long("batch-bytes")
                .value_name("N")
                .value_parser(value_parser!(usize))
                .default_value("0")
                .help("size of the batch that find returns (without limit: 1), in bytes"),
        )
        .arg(
            Arg::new("batches")
                .long("batches")
                .value_name("N")
                .value_parser(value_parser!(u32))
                .default_value("1")
                .help("batches of a cursor"),
        )
        .arg(Arg::new("user").long("user").value_name("NAME:PASSWORD").help("a SCRAM user of admin, with the role root"))
        .arg(
            Arg::new("x509-user")
                .long("x509-user")
                .value_name("SUBJECT")
                .action(ArgAction::Append)
                .help("a user of $external, with the role root; may be given again"),
        )
        .arg(
            Arg::new("read-write")
                .long("read-write")
                .value_name("DATABASE")
                .help("the users have readWrite here, instead of root"),
        )
}

/// Prints the address, serves, and returns at SIGINT or SIGTERM.
fn run(listener: TcpListener, options: &Options) -> io::Result<()> {
    let mut output = io::stdout();
    writeln!(output, "doorward sink listens on {}", listener.local_addr()?)?;
    output.flush()?;
    let _ = serve(listener, options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    })
}

/// Serves every connection of `listener` on threads of its own, for as long as the process lives.
///
/// # Errors
/// The thread could not be started.
pub fn serve(listener: TcpListener, options: &Options) -> io::Result<thread::JoinHandle<()>> {
    let answers = Arc::new(Answers::new(options));
    let connections = AtomicI32::new(0);
    thread::Builder::new().name("sink".into()).spawn(move || {
        loop {
            let Ok((stream, _)) = listener.accept() else {
                thread::sleep(BACK_OFF);
                continue;
            };
            let answers = Arc::clone(&answers);
            let connection = connections.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            // A connection that no thread can serve is closed; an error of one is that one's.
            let _ = thread::Builder::new().stack_size(STACK).spawn(move || converse(&stream, &answers, connection));
        }
    })
}

/// Answers every request of one connection.
fn converse(stream: &TcpStream, answers: &Answers, connection: i32) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut output = stream;
    let mut reader = Reader::new(stream);
    let (mut buffer, mut left) = (Vec::new(), 0);
    while let Some(request) = reader.next()? {
        let framing = request.framing();
        let (quiet, streaming) = (request.unacknowledged(), request.exhaust_allowed());
        let answer = answers.answer(request.body, connection, &mut left);
        if quiet {
            continue;
        }
        let id = framing.response_to;
        match answer {
            Answer::Canned(reply) => frame::write(&mut output, &mut buffer, id, framing, reply)?,
            Answer::Made(reply) => frame::write(&mut output, &mut buffer, id, framing, &reply)?,
            Answer::Awaited(milliseconds, reply) if streaming => {
                return stream_hello(stream, framing, Duration::from_millis(milliseconds), &reply);
            }
            Answer::Awaited(milliseconds, reply) => {
                pause(stream, Duration::from_millis(milliseconds))?;
                frame::write(&mut output, &mut buffer, id, framing, &reply)?;
            }
        }
    }
    Ok(())
}

/// The same hello again and again, each time after `period`: nothing ever changes here.
fn stream_hello(stream: &TcpStream, mut framing: Framing, period: Duration, reply: &bson::raw::RawDocumentBuf) -> io::Result<()> {
    let mut output = stream;
    let (mut buffer, mut id) = (Vec::new(), framing.response_to);
    framing.more_to_come = true;
    loop {
        pause(stream, period.max(BACK_OFF))?;
        id = id.wrapping_add(1);
        frame::write(&mut output, &mut buffer, id, framing, reply)?;
        // Each reply answers the one before it.
        framing.response_to = id;
    }
}

/// Waits, but not longer than the client is there.
fn pause(stream: &TcpStream, period: Duration) -> io::Result<()> {
    let Some(end) = Instant::now().checked_add(period).filter(|_| !period.is_zero()) else { return Ok(()) };
    stream.set_read_timeout(Some(period))?;
    match stream.peek(&mut [0]) {
        Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
        // A request that came too early waits until this one is answered.
        Ok(_) => thread::sleep(end.saturating_duration_since(Instant::now())),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
        Err(error) => return Err(error),
    }
    stream.set_read_timeout(None)
}

#[cfg(test)]
mod tests;
