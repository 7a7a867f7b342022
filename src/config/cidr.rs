//! Address ranges as in `security.clusterIpSourceAllowlist`: `10.0.0.0/8`, `::1/128`, or an address alone.
//! Source: mongod 6.0.5, measured (the texts of the refusals too).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The length of the prefix that all IPv4 addresses in IPv6 form share.
const V4_MAPPED: u32 = 96;

/// A range of addresses with a common prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The prefix as a number, left-aligned in the bits of its family; bits beyond `length` are zero.
    network: u128,
    /// The number of bits that must be equal.
    length: u32,
    /// Whether it is a range of IPv6 addresses.
    v6: bool,
}

/// Why a text is no range, in mongod's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// Before the `/` is no address.
    #[error("Invalid IP address in CIDR string")]
    Address,
    /// After the `/` is no number.
    #[error("Non-numeric length in CIDR string")]
    NotNumeric,
    /// The number is not a length of the address.
    #[error("Invalid length in CIDR string")]
    Length,
}

impl Cidr {
    /// Whether it is a range of IPv6 addresses.
    #[must_use]
    pub const fn is_v6(&self) -> bool {
        self.v6
    }

    /// Whether every address of a family is in the range, `::ffff:0.0.0.0/96` for IPv4 included.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        let is_every_v4 = || self.v6 && self.length == V4_MAPPED && self.contains(Ipv4Addr::UNSPECIFIED.into());
        self.length == 0 || is_every_v4()
    }

    /// Whether the address is in the range. An IPv4 address that came as an IPv6 one (`::ffff:10.0.0.1`) is an IPv4 address; it is in
    /// no range of IPv6 addresses but one of such addresses alone, so that `::/0` lets no IPv4 client in.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (address.to_canonical(), self.v6) {
            (IpAddr::V4(v4), false) => masked(aligned(u32::from(v4)), self.length) == self.network,
            (IpAddr::V4(v4), true) => {
                self.length >= V4_MAPPED && masked(u128::from(v4.to_ipv6_mapped()), self.length) == self.network
            }
            (IpAddr::V6(v6), true) => masked(u128::from(v6), self.length) == self.network,
            (IpAddr::V6(_), false) => false,
        }
    }
}

/// As in the configuration file, with the length always and without the bits beyond it.
impl fmt::Display for Cidr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = if self.v6 {
            IpAddr::from(Ipv6Addr::from(self.network))
        } else {
            let [first, second, third, fourth, ..] = self.network.to_be_bytes();
            IpAddr::from([first, second, third, fourth])
        };
        write!(formatter, "{address}/{}", self.length)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| CidrError::Address)?;
        let (number, bits) = match address {
            IpAddr::V4(v4) => (aligned(u32::from(v4)), 32),
            IpAddr::V6(v6) => (u128::from(v6), 128),
        };
        let length = match length {
            None => bits,
            Some(text) => {
                let length: i64 = text.parse().map_err(|_| CidrError::NotNumeric)?;
                u32::try_from(length).ok().filter(|length| *length <= bits).ok_or(CidrError::Length)?
            }
        };
        Ok(Self { network: masked(number, length), length, v6: address.is_ipv6() })
    }
}

/// An IPv4 address in the upper bits.
fn aligned(v4: u32) -> u128 {
    u128::from(v4) << 96
}

fn masked(number: u128, length: u32) -> u128 {
    number & u128::MAX.checked_shl(128_u32.saturating_sub(length)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_mongod_reads_them() {
        let cases = [
            ("10.0.0.0/8", None),
            ("10.0.0.0/08", None),
            ("10.0.0.0/+8", None),
            ("10.0.0.1/0", None),
            ("::1/128", None),
            ("::ffff:10.0.0.0/104", None),
            ("::1", None),
            ("foo", Some(CidrError::Address)),
            ("", Some(CidrError::Address)),
            ("/8", Some(CidrError::Address)),
            ("10.0.0/8", Some(CidrError::Address)),
            ("010.0.0.0/8", Some(CidrError::Address)),
            (" 10.0.0.0/8", Some(CidrError::Address)),
            ("localhost", Some(CidrError::Address)),
            ("fe80::1%lo", Some(CidrError::Address)),
            ("10.0.0.0/", Some(CidrError::NotNumeric)),
            ("10.0.0.0/8/8", Some(CidrError::NotNumeric)),
            ("10.0.0.0/0x8", Some(CidrError::NotNumeric)),
            ("10.0.0.0/33", Some(CidrError::Length)),
            ("10.0.0.0/-1", Some(CidrError::Length)),
            ("::1/129", Some(CidrError::Length)),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Cidr>().err(), error, "{text:?}");
        }
    }

    #[test]
    fn a_range_contains_the_addresses_with_its_prefix() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("0.0.0.0/0", "203.0.113.7", true),
            ("0.0.0.0/0", "::1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("::ffff:10.0.0.0/104", "10.0.0.1", true),
            ("fe80::/10", "fe80::1", true),
            ("fe80::/10", "fec0::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "10.0.0.1", false),
            ("::/0", "::ffff:10.0.0.1", false),
            ("127.0.0.1/32", "127.0.0.2", false),
            ("::1/128", "::2", false),
            ("::1/128", "::1", true),
        ];
        for (range, address, expected) in cases {
            assert_eq!(range.parse::<Cidr>().unwrap().contains(address.parse().unwrap()), expected, "{address} in {range}");
        }
    }

    #[test]
    fn everybody_can_be_written_in_three_ways() {
        for (range, expected) in [
            ("0.0.0.0/0", true),
            ("::/0", true),
            ("::ffff:0.0.0.0/96", true),
            ("::ffff:0.0.0.0/97", false),
            ("::/96", false),
            ("0.0.0.0/1", false),
        ] {
            assert_eq!(range.parse::<Cidr>().unwrap().is_everything(), expected, "{range}");
        }
    }

    #[test]
    fn a_range_is_printed_as_it_can_be_read_again() {
        for (text, printed) in
            [("10.1.2.3/8", "10.0.0.0/8"), ("10.0.0.1", "10.0.0.1/32"), ("fe80::1/10", "fe80::/10"), ("0.0.0.0/0", "0.0.0.0/0")]
        {
            let range: Cidr = text.parse().unwrap();
            assert_eq!(range.to_string(), printed);
            assert_eq!(printed.parse(), Ok(range));
        }
    }
}
