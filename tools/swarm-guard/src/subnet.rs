//! Ranges of addresses: whether two of them overlap, and which one is free. No I/O.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// `10.0.0.0/24`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    is_v6: bool,
    /// The first address, its unused high bits zero.
    first: u128,
    bits: u32,
}

/// Ranges for networks that nobody else routes: RFC 1918 and RFC 4193.
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

impl Subnet {
    pub fn of(address: IpAddr, bits: u32) -> Option<Self> {
        let (is_v6, width, value) = match address {
            IpAddr::V4(address) => (false, 32, u128::from(u32::from(address))),
            IpAddr::V6(address) => (true, 128, u128::from(address)),
        };
        let low = width - bits.min(width);
        let first = if low == 128 { 0 } else { value >> low << low };
        (bits <= width).then_some(Self { is_v6, first, bits })
    }

    pub fn one(address: IpAddr) -> Self {
        let (is_v6, first, bits) = match address {
            IpAddr::V4(address) => (false, u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (true, u128::from(address), 128),
        };
        Self { is_v6, first, bits }
    }

    pub fn overlaps(self, other: Self) -> bool {
        let width = if self.is_v6 { 128 } else { 32 };
        let low = width - self.bits.min(other.bits);
        self.is_v6 == other.is_v6 && (low == 128 || self.first >> low == other.first >> low)
    }

    fn holds(self, other: Self) -> bool {
        self.bits <= other.bits && self.overlaps(other)
    }

    /// Whether it is meant for networks of one's own. What is not, others reach by the default route.
    pub fn is_private(self) -> bool {
        PRIVATE.iter().filter_map(|range| range.parse::<Self>().ok()).any(|range| range.holds(self))
    }

    /// Whether it is (half of) the default route.
    pub fn is_everything(self) -> bool {
        self.bits <= 1
    }
}

impl FromStr for Subnet {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = text.split_once('/').ok_or(())?;
        let plain = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let bits = if plain { bits.parse().map_err(|_| ())? } else { return Err(()) };
        Self::of(address, bits).ok_or(())
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let address: IpAddr = if self.is_v6 {
            Ipv6Addr::from(self.first).into()
        } else {
            Ipv4Addr::from(u32::try_from(self.first).unwrap_or_default()).into()
        };
        write!(f, "{address}/{}", self.bits)
    }
}

/// A range that overlaps none of these.
pub fn free(taken: &[Subnet]) -> Option<Subnet> {
    let all = (128..=254).flat_map(|b| (0..=255).map(move |c| Ipv4Addr::new(10, b, c, 0)));
    all.filter_map(|address| Subnet::of(address.into(), 24))
        .find(|range| !taken.iter().any(|it| it.overlaps(*range)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn overlapping() {
        for (one, other) in [
            ("10.0.0.0/24", "10.0.0.128/25"),
            ("10.0.0.7/24", "10.0.0.0/8"),
            ("10.0.0.1/32", "10.0.0.1/32"),
            ("fd00::/64", "fd00::1/128"),
            ("::/0", "fd00::1/128"),
        ] {
            assert!(
                subnet(one).overlaps(subnet(other)) && subnet(other).overlaps(subnet(one)),
                "{one} {other}"
            );
        }
        for (one, other) in
            [("10.0.0.0/24", "10.0.1.0/24"), ("10.0.0.0/8", "11.0.0.0/8"), ("0.0.0.0/0", "::/0")]
        {
            assert!(!subnet(one).overlaps(subnet(other)), "{one} {other}");
        }
    }

    #[test]
    fn what_is_of_ones_own() {
        for own in ["10.1.2.0/24", "172.31.0.0/16", "192.168.0.0/16", "fd00:1::/64"] {
            assert!(subnet(own).is_private(), "{own}");
        }
        for others in [
            "1.1.1.0/24",
            "198.18.111.0/25",
            "0.0.0.0/1",
            "10.0.0.0/7",
            "172.32.0.0/16",
            "2001:db8::/64",
            "::ffff:10.0.0.0/120",
        ] {
            assert!(!subnet(others).is_private(), "{others}");
        }
    }

    #[test]
    fn odd_ranges_are_none_and_a_free_one_is_found() {
        for odd in
            ["", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0/8", "x/8", "010.0.0.0/8"]
        {
            assert!(odd.parse::<Subnet>().is_err(), "{odd}");
        }
        assert_eq!(free(&[]).unwrap().to_string(), "10.128.0.0/24");
        assert_eq!(free(&[subnet("10.128.0.0/23")]).unwrap().to_string(), "10.128.2.0/24");
        assert_eq!(free(&[subnet("10.0.0.0/8")]), None);
    }
}
