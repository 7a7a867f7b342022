//! `doorward certs ca|server|member|client`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::{Authority, CertificateError, MAX_DAYS, Pair, Purpose, Request, write_new};
use crate::arguments;

/// `doorward certs WORDS`. Exit status 2 when something was refused; nothing is overwritten.
#[must_use]
pub fn main(words: &[String]) -> ExitCode {
    let matches = match arguments::read(command(), words) {
        Ok(matches) => matches,
        Err(status) => return status,
    };
    match matches.subcommand().map(|(kind, matches)| make(kind, matches)) {
        Some(Ok(files)) => {
            for file in files {
                println!("{}", file.display());
            }
            ExitCode::SUCCESS
        }
        Some(Err(refusal)) => {
            eprintln!("doorward certs: {refusal}");
            ExitCode::from(2)
        }
        None => ExitCode::from(2),
    }
}

fn command() -> Command {
    let path = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf)).default_value(default).help(help)
    };
    let shared = |name: &'static str, about: &'static str, days: &'static str| {
        Command::new(name)
            .about(about)
            .arg(
                Arg::new("subject")
                    .long("subject")
                    .value_name("NAME")
                    .required(name != "ca")
                    .help("for example CN=app,OU=clients,O=example, as MongoDB prints user names"),
            )
            .arg(
                Arg::new("days")
                    .long("days")
                    .value_name("N")
                    .value_parser(value_parser!(u32).range(1..=i64::from(MAX_DAYS)))
                    .default_value(days)
                    .help("validity from now on"),
            )
    };
    let signed = |name: &'static str, about: &'static str, out: &'static str| {
        shared(name, about, "365")
            .arg(path("ca", "ca.pem", "the CA's certificate"))
            .arg(path("ca-key", "ca-key.pem", "the CA's private key"))
            .arg(path("out", out, "file to make: certificate and private key"))
            .arg(
                Arg::new("san")
                    .long("san")
                    .value_name("HOST")
                    .action(clap::ArgAction::Append)
                    .help("host name or address; repeatable"),
            )
    };
    Command::new("doorward certs")
        .bin_name("doorward certs")
        .no_binary_name(true)
        .about("Makes certificates for development and tests. Prints the files that it made; overwrites none.")
        .subcommand_required(true)
        .subcommand(
            shared("ca", "A certificate authority", "3650")
                .arg(path("out", "ca.pem", "file to make: the certificate"))
                .arg(path("key-out", "ca-key.pem", "file to make: the private key")),
        )
        .subcommand(signed("server", "A server's certificate", "server.pem"))
        .subcommand(signed("member", "A cluster member's certificate, server and client in one", "member.pem"))
        .subcommand(signed("client", "A client's certificate", "client.pem"))
}

/// Makes what was asked and returns the files.
fn make(kind: &str, matches: &ArgMatches) -> Result<Vec<PathBuf>, CertificateError> {
    let file = |name: &str| matches.get_one::<PathBuf>(name).cloned().unwrap_or_default();
    let mut request = Request {
        subject: matches.get_one::<String>("subject").map_or("CN=Development CA", String::as_str).to_owned(),
        names: Vec::new(),
        days: matches.get_one("days").copied().unwrap_or(1),
    };
    let out = file("out");
    if kind == "ca" {
        let (_, pair) = Authority::create(&request)?;
        let key_out = file("key-out");
        write_new(&key_out, pair.key.as_bytes())?;
        write_new(&out, pair.certificate.as_bytes())?;
        return Ok(vec![out, key_out]);
    }
    let read = |path: PathBuf| std::fs::read_to_string(&path).map_err(|cause| CertificateError::File { path, cause });
    let authority = Authority::from_pem(&Pair { certificate: read(file("ca"))?, key: read(file("ca-key"))? })?;
    let purpose = match kind {
        "server" => Purpose::Server,
        "member" => Purpose::Member,
        _ => Purpose::Client,
    };
    request.names = matches.get_many::<String>("san").unwrap_or_default().cloned().collect();
    if request.names.is_empty() && purpose != Purpose::Client {
        request.names = ["localhost", "127.0.0.1", "::1"].map(String::from).to_vec();
    }
    write_new(&out, authority.sign(&request, purpose)?.joined().as_bytes())?;
    Ok(vec![out])
}
