//! The PROXY protocol: the few bytes in front of a connection by which a balancer tells whose connection it passes on.
//!
//! Version 1 is a line of text, version 2 binary; either is read from whatever came so far, and never beyond the header, since what
//! follows it is the client's. Source: "The PROXY protocol, versions 1 & 2" (HAProxy), sections 2.1 and 2.2.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What version 2 begins with.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// What version 1 begins with.
const WORD: &[u8] = b"PROXY ";
/// The longest line of version 1, its end included.
const LONGEST_LINE: usize = 107;
/// The fixed part of version 2.
const FIXED: usize = 16;
/// The most that may follow the fixed part. Addresses need 216 bytes at most; the rest is extensions, among them a certificate.
const LONGEST_REST: usize = 4096;

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Where it comes from.
    pub source: SocketAddr,
    /// Where it was meant to go.
    pub destination: SocketAddr,
}

/// A header that is there as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// How many bytes it is long.
    pub length: usize,
    /// The client's connection; `None` when the balancer does not say, or speaks for itself.
    pub ends: Option<Ends>,
}

/// Bytes that are no PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyHeaderError {
    /// They begin otherwise.
    #[error("the connection does not begin with a PROXY header")]
    Missing,
    /// The line of version 1 has no end.
    #[error("the PROXY header has no end within {LONGEST_LINE} bytes")]
    EndlessLine,
    /// The line of version 1 can not be read.
    #[error("the PROXY header of version 1 can not be read")]
    Line,
    /// Version 2 declares more than is taken.
    #[error("the PROXY header declares {0} bytes, more than {LONGEST_REST}")]
    TooLong(usize),
    /// Neither version 2, or a command that is none.
    #[error("the PROXY header has an unknown version or command: 0x{0:02x}")]
    Command(u8),
    /// Version 2 with addresses that a TCP connection does not have.
    #[error("the PROXY header has an unknown family or transport: 0x{0:02x}")]
    Family(u8),
    /// Version 2 with less than its addresses need.
    #[error("the PROXY header is shorter than its addresses")]
    Short,
}

/// Reads the header that `bytes` begin with; `None` when more of it has to come.
///
/// # Errors
/// The bytes are no header, whatever follows.
pub fn parse(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    if begins(bytes, WORD) {
        version_1(bytes)
    } else if begins(bytes, SIGNATURE) {
        version_2(bytes)
    } else {
        Err(ProxyHeaderError::Missing)
    }
}

/// Whether `bytes` begin with `start`, as far as they go.
fn begins(bytes: &[u8], start: &[u8]) -> bool {
    bytes.iter().zip(start).all(|(byte, expected)| byte == expected)
}

fn version_1(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    let end = bytes.windows(2).take(LONGEST_LINE.saturating_sub(1)).position(|pair| pair == b"\r\n");
    let Some(end) = end else {
        return if bytes.len() < LONGEST_LINE { Ok(None) } else { Err(ProxyHeaderError::EndlessLine) };
    };
    let line = bytes.get(WORD.len()..end).and_then(|line| std::str::from_utf8(line).ok()).ok_or(ProxyHeaderError::Line)?;
    let ends = if line == "UNKNOWN" || line.starts_with("UNKNOWN ") {
        None
    } else {
        Some(line_ends(line).ok_or(ProxyHeaderError::Line)?)
    };
    Ok(Some(ProxyHeader { length: end.saturating_add(2), ends }))
}

/// `TCP4 SOURCE DESTINATION PORT PORT`, or the same with `TCP6`.
fn line_ends(line: &str) -> Option<Ends> {
    let mut words = line.split(' ');
    let family = words.next()?;
    let mut address = || -> Option<IpAddr> {
        let word = words.next()?;
        match family {
            "TCP4" => word.parse().ok().map(IpAddr::V4),
            "TCP6" => word.parse().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let (source, destination) = (address()?, address()?);
    let mut port = || {
        let word = words.next()?;
        let canonical = word == "0" || !word.starts_with('0') && word.bytes().all(|digit| digit.is_ascii_digit());
        canonical.then(|| word.parse::<u16>().ok()).flatten()
    };
    let (source_port, destination_port) = (port()?, port()?);
    let ends = Ends { source: SocketAddr::new(source, source_port), destination: SocketAddr::new(destination, destination_port) };
    words.next().is_none().then_some(ends)
}

fn version_2(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    let mut fixed = bytes.iter().skip(SIGNATURE.len()).copied();
    let Some(command) = fixed.next() else { return Ok(None) };
    if !matches!(command, 0x20 | 0x21) {
        return Err(ProxyHeaderError::Command(command));
    }
    let (Some(family), Some(high), Some(low)) = (fixed.next(), fixed.next(), fixed.next()) else { return Ok(None) };
    let rest = usize::from(u16::from_be_bytes([high, low]));
    if rest > LONGEST_REST {
        return Err(ProxyHeaderError::TooLong(rest));
    }
    let length = FIXED.saturating_add(rest);
    let Some(addresses) = bytes.get(FIXED..length) else { return Ok(None) };
    let ends = if command == 0x20 { None } else { binary_ends(family, addresses)? };
    Ok(Some(ProxyHeader { length, ends }))
}

/// The addresses of version 2; what stands behind them are extensions, which nothing here needs.
fn binary_ends(family: u8, bytes: &[u8]) -> Result<Option<Ends>, ProxyHeaderError> {
    let ends = match family {
        0x00 => return Ok(None),
        0x11 => addresses::<4, 12>(bytes, |address| Ipv4Addr::from(address).into()),
        0x21 => addresses::<16, 36>(bytes, |address| Ipv6Addr::from(address).into()),
        // Two paths of unix sockets on the balancer's machine: no address.
        0x31 if bytes.len() >= 216 => return Ok(None),
        0x31 => None,
        _ => return Err(ProxyHeaderError::Family(family)),
    };
    ends.map(Some).ok_or(ProxyHeaderError::Short)
}

/// Two addresses of `SIZE` bytes and two ports: `ALL` bytes.
fn addresses<const SIZE: usize, const ALL: usize>(bytes: &[u8], ip: impl Fn([u8; SIZE]) -> IpAddr) -> Option<Ends> {
    let (source, rest) = bytes.get(..ALL)?.split_first_chunk::<SIZE>()?;
    let (destination, rest) = rest.split_first_chunk::<SIZE>()?;
    let (source_port, rest) = rest.split_first_chunk::<2>()?;
    let (destination_port, _) = rest.split_first_chunk::<2>()?;
    Some(Ends {
        source: SocketAddr::new(ip(*source), u16::from_be_bytes(*source_port)),
        destination: SocketAddr::new(ip(*destination), u16::from_be_bytes(*destination_port)),
    })
}

/// Whose connection a header that is sent speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// The sender's own.
    Own,
    /// A client's; `None` when it has no addresses, as on a unix socket.
    Client(Option<Ends>),
}

/// A header of version 1.
#[must_use]
pub fn version_1_of(spoken: Spoken) -> Vec<u8> {
    let Spoken::Client(Some(ends)) = spoken else { return b"PROXY UNKNOWN\r\n".to_vec() };
    let (family, source, destination) = match of_one_family(ends) {
        OneFamily::V4(source, destination) => ("TCP4", IpAddr::V4(source), IpAddr::V4(destination)),
        OneFamily::V6(source, destination) => ("TCP6", IpAddr::V6(source), IpAddr::V6(destination)),
    };
    format!("PROXY {family} {source} {destination} {} {}\r\n", ends.source.port(), ends.destination.port()).into_bytes()
}

/// A header of version 2.
#[must_use]
pub fn version_2_of(spoken: Spoken) -> Vec<u8> {
    let (command, family, addresses) = match spoken {
        Spoken::Own => (0x20, 0x00, Vec::new()),
        Spoken::Client(None) => (0x21, 0x00, Vec::new()),
        Spoken::Client(Some(ends)) => {
            let (family, mut addresses) = match of_one_family(ends) {
                OneFamily::V4(source, destination) => (0x11, [source.octets(), destination.octets()].concat()),
                OneFamily::V6(source, destination) => (0x21, [source.octets(), destination.octets()].concat()),
            };
            addresses.extend(ends.source.port().to_be_bytes());
            addresses.extend(ends.destination.port().to_be_bytes());
            (0x21, family, addresses)
        }
    };
    let length = u16::try_from(addresses.len()).unwrap_or_default().to_be_bytes();
    [SIGNATURE, &[command, family], &length, &addresses].concat()
}

/// Two addresses, which a header can have of one family only.
enum OneFamily {
    V4(Ipv4Addr, Ipv4Addr),
    V6(Ipv6Addr, Ipv6Addr),
}

fn of_one_family(ends: Ends) -> OneFamily {
    let v6 = |address| match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    match (ends.source.ip().to_canonical(), ends.destination.ip().to_canonical()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => OneFamily::V4(source, destination),
        (source, destination) => OneFamily::V6(v6(source), v6(destination)),
    }
}

#[cfg(test)]
mod tests;
