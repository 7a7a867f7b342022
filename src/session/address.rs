//! How a client's address is printed. Source: `whatsmyuri` of a mongod 6.0.5.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Where a client connects from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAddress {
    /// Over TCP.
    Tcp(SocketAddr),
    /// Through a balancer that tells where from, by the PROXY protocol.
    Proxied {
        /// The client's address, or the balancer's when it does not tell.
        address: SocketAddr,
        /// Whether client and balancer are both known to be on this host.
        local: bool,
    },
    /// Over a unix socket.
    Unix,
}

impl ClientAddress {
    /// The client behind a balancer, which tells its address or does not. Whoever comes through a balancer of this host is not on this
    /// host for that.
    #[must_use]
    pub fn proxied(balancer: SocketAddr, client: Option<SocketAddr>) -> Self {
        let is_loopback = |address: SocketAddr| address.ip().to_canonical().is_loopback();
        let local = is_loopback(balancer) && client.is_some_and(is_loopback);
        Self::Proxied { address: client.unwrap_or(balancer), local }
    }

    /// Whether the client is on this host, as the localhost exception sees it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Proxied { local, .. } => *local,
            Self::Unix => true,
        }
    }

    /// The IP address; `None` for a unix socket.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        Some(self.socket()?.ip().to_canonical())
    }

    /// Address and port; `None` for a unix socket.
    #[must_use]
    pub const fn socket(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) | Self::Proxied { address, .. } => Some(*address),
            Self::Unix => None,
        }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) | Self::Proxied { address, .. } => {
                SocketAddr::new(address.ip().to_canonical(), address.port()).fmt(formatter)
            }
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
    fn whoever_comes_through_a_balancer_is_on_this_host_only_if_both_are() {
        for (balancer, client, expected) in [
            ("127.0.0.1:1", Some("127.0.0.1:2"), true),
            ("[::1]:1", Some("[::ffff:127.0.0.1]:2"), true),
            ("127.0.0.1:1", Some("10.0.0.1:2"), false),
            ("10.0.0.1:1", Some("127.0.0.1:2"), false),
            ("127.0.0.1:1", None, false),
        ] {
            let client = client.map(|client| client.parse().unwrap());
            let address = ClientAddress::proxied(balancer.parse().unwrap(), client);
            assert_eq!(address.is_loopback(), expected, "{client:?} through {balancer}");
        }
    }

    #[test]
    fn a_client_behind_a_balancer_has_its_own_address_where_the_balancer_tells_it() {
        let balancer = "10.0.0.1:1".parse().unwrap();
        assert_eq!(ClientAddress::proxied(balancer, Some("[::ffff:10.9.9.9]:2".parse().unwrap())).to_string(), "10.9.9.9:2");
        assert_eq!(ClientAddress::proxied(balancer, None).to_string(), "10.0.0.1:1");
    }

    #[test]
    fn an_address_is_printed_as_whatsmyuri_prints_it() {
        assert_eq!(ClientAddress::Tcp("127.0.0.1:36552".parse().unwrap()).to_string(), "127.0.0.1:36552");
        assert_eq!(ClientAddress::Tcp("[::ffff:127.0.0.1]:1".parse().unwrap()).to_string(), "127.0.0.1:1");
        assert_eq!(ClientAddress::Tcp("[::1]:2".parse().unwrap()).to_string(), "[::1]:2");
        assert_eq!(ClientAddress::Unix.to_string(), "anonymous unix socket:27017");
    }
}
