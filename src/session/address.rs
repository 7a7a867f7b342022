//! Addresses: how a client's address is printed, and the CIDR ranges of allowlists and authentication restrictions.
//!
//! Source: MongoDB manual, "Authentication Restrictions" and `security.clusterIpSourceAllowlist`; `whatsmyuri` of a mongod 6.0.5.

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

/// A range of IP addresses, `10.0.0.0/8`; a single address is a range of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

/// The text is not an address or a range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an IP address or a CIDR range: {0}")]
pub struct InvalidCidr(pub String);

impl Cidr {
    /// Reads `address` or `address/prefix`, IPv4 or IPv6.
    ///
    /// # Errors
    /// [`InvalidCidr`] when the address does not parse or the prefix is longer than the address.
    pub fn parse(text: &str) -> Result<Self, InvalidCidr> {
        let invalid = || InvalidCidr(text.to_owned());
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let network: IpAddr = address.parse().map_err(|_| invalid())?;
        let longest = if network.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse::<u8>().map_err(|_| invalid())?,
            None => longest,
        };
        if prefix > longest { Err(invalid()) } else { Ok(Self { network, prefix }) }
    }

    /// Whether `address` lies in the range. An IPv4 address never lies in an IPv6 range, nor the reverse.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(self.prefix))).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(self.prefix))).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_contains_the_addresses_that_share_its_prefix() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("fe80::/10", "fe80::1", true),
            ("::/0", "2001:db8::1", true),
            ("::1/128", "::2", false),
        ];
        for (range, address, inside) in cases {
            let range = Cidr::parse(range).unwrap();
            assert_eq!(range.contains(address.parse().unwrap()), inside, "{range:?} {address}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "host"] {
            assert_eq!(Cidr::parse(text), Err(InvalidCidr(text.to_owned())));
        }
    }

    #[test]
    fn an_address_is_printed_as_whatsmyuri_prints_it() {
        assert_eq!(ClientAddress::Tcp("127.0.0.1:36552".parse().unwrap()).to_string(), "127.0.0.1:36552");
        assert_eq!(ClientAddress::Tcp("[::ffff:127.0.0.1]:1".parse().unwrap()).to_string(), "127.0.0.1:1");
        assert_eq!(ClientAddress::Tcp("[::1]:2".parse().unwrap()).to_string(), "[::1]:2");
        assert_eq!(ClientAddress::Unix.to_string(), "anonymous unix socket:27017");
    }
}
