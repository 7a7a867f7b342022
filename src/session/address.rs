//! How a client's address is printed. Source: `whatsmyuri` of a mongod 6.0.5.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Where a client connects from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAddress {
    /// Over TCP.
    Tcp(SocketAddr),
    /// Over a unix socket.
    Unix,
}

impl ClientAddress {
    /// Whether the client is on this host, as the localhost exception sees it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.ip().is_none_or(|ip| ip.is_loopback())
    }

    /// The IP address; `None` for a unix socket.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip().to_canonical()),
            Self::Unix => None,
        }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => SocketAddr::new(address.ip().to_canonical(), address.port()).fmt(formatter),
            // mongod prints its default port here, whatever it listens on.
            Self::Unix => formatter.write_str("anonymous unix socket:27017"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_network_and_a_unix_socket_are_on_this_host() {
        for (address, expected) in [
            ("127.0.0.1:1", true),
            ("127.9.8.7:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("10.0.0.1:1", false),
            ("[::ffff:10.0.0.1]:1", false),
            ("[fe80::1]:1", false),
            ("0.0.0.0:1", false),
        ] {
            assert_eq!(ClientAddress::Tcp(address.parse().unwrap()).is_loopback(), expected, "{address}");
        }
        assert!(ClientAddress::Unix.is_loopback());
    }

    #[test]
    fn an_address_is_printed_as_whatsmyuri_prints_it() {
        assert_eq!(ClientAddress::Tcp("127.0.0.1:36552".parse().unwrap()).to_string(), "127.0.0.1:36552");
        assert_eq!(ClientAddress::Tcp("[::ffff:127.0.0.1]:1".parse().unwrap()).to_string(), "127.0.0.1:1");
        assert_eq!(ClientAddress::Tcp("[::1]:2".parse().unwrap()).to_string(), "[::1]:2");
        assert_eq!(ClientAddress::Unix.to_string(), "anonymous unix socket:27017");
    }
}
