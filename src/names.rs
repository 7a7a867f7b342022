//! Names as MongoDB compares them: byte by byte, never folded or trimmed.

use std::fmt;

/// The database of users that authenticate by certificate.
pub const EXTERNAL: &str = "$external";
/// The database of the internal user `__system`.
pub const LOCAL: &str = "local";
/// The internal user that cluster members authenticate as.
pub const SYSTEM_USER: &str = "__system";

/// A user: its name and the database that it is defined in. Printed `name@database`, as mongod prints it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserName {
    /// The name, for a certificate user the subject text of [`crate::x509`].
    pub name: String,
    /// The database, `$external` for a certificate user.
    pub database: String,
}

impl UserName {
    /// The user `name` of `database`.
    pub fn new(name: impl Into<String>, database: impl Into<String>) -> Self {
        Self { name: name.into(), database: database.into() }
    }

    /// `__system`@`local`, which cluster members authenticate as.
    #[must_use]
    pub fn system() -> Self {
        Self::new(SYSTEM_USER, LOCAL)
    }

    /// Whether this is `__system`@`local`.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.name == SYSTEM_USER && self.database == LOCAL
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.name, self.database)
    }
}

/// A role: its name and the database that it is defined in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleName {
    /// The role's name, for example `readWrite`.
    pub role: String,
    /// The role's database.
    pub database: String,
}

/// Where a server is: `host:port`, an IPv6 address in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostAndPort {
    /// A name or an address, IPv6 without brackets.
    pub host: String,
    /// Never 0.
    pub port: u16,
}

impl HostAndPort {
    /// Reads `host:port` or `[IPv6]:port`; `None` when it is neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (written, port) = text.rsplit_once(':')?;
        let port = port.bytes().all(|digit| digit.is_ascii_digit()).then(|| port.parse().ok())??;
        let host = match written.strip_prefix('[') {
            Some(bracketed) => bracketed.strip_suffix(']').filter(|host| host.parse::<std::net::Ipv6Addr>().is_ok())?,
            None => written,
        };
        let bare_v6 = host.contains(':') && !written.starts_with('[');
        let odd = |letter: char| letter.is_whitespace() || letter.is_control() || matches!(letter, '/' | ',' | '@' | '[' | ']');
        (port != 0 && !host.is_empty() && !bare_v6 && !host.contains(odd)).then(|| Self { host: host.to_owned(), port })
    }

    /// Whether a driver takes both for the same server: it compares them without case.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.port == other.port && self.host.eq_ignore_ascii_case(&other.host)
    }
}

impl fmt::Display for HostAndPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}
