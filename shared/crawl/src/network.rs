//! Addresses of the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A block of addresses that no public host has.
pub struct Block<A> {
    /// The first address.
    pub first: A,
    /// The length of the prefix, in bits.
    pub length: u32,
    /// What the block is for.
    pub purpose: &'static str,
}

const fn v4(a: u8, b: u8, c: u8, length: u32, purpose: &'static str) -> Block<Ipv4Addr> {
    Block { first: Ipv4Addr::new(a, b, c, 0), length, purpose }
}

const fn v6(a: u16, b: u16, c: u16, length: u32, purpose: &'static str) -> Block<Ipv6Addr> {
    Block { first: Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), length, purpose }
}

/// IPv4: IANA's special-purpose address registry, multicast and reserved addresses.
pub const REFUSED_V4: [Block<Ipv4Addr>; 17] = [
    v4(0, 0, 0, 8, "this network"),
    v4(10, 0, 0, 8, "private"),
    v4(100, 64, 0, 10, "shared by a carrier's customers (CGNAT)"),
    v4(127, 0, 0, 8, "loopback"),
    v4(169, 254, 0, 16, "link-local, with the metadata services of clouds"),
    v4(172, 16, 0, 12, "private"),
    v4(192, 0, 0, 24, "protocol assignments"),
    v4(192, 0, 2, 24, "documentation"),
    v4(192, 31, 196, 24, "AS112"),
    v4(192, 52, 193, 24, "automatic multicast tunnelling"),
    v4(192, 88, 99, 24, "6to4 relays"),
    v4(192, 168, 0, 16, "private"),
    v4(192, 175, 48, 24, "AS112"),
    v4(198, 18, 0, 15, "benchmarks"),
    v4(198, 51, 100, 24, "documentation"),
    v4(203, 0, 113, 24, "documentation"),
    v4(224, 0, 0, 3, "multicast, reserved and broadcast"),
];

/// IPv6: what is not of the global unicast block is refused as a whole: loopback, unspecified, IPv4-mapped, NAT64,
/// discard-only, segment routing, unique local (with AWS's metadata service), link-local, site-local and multicast.
pub const GLOBAL_UNICAST: Block<Ipv6Addr> = v6(0x2000, 0, 0, 3, "global unicast");

/// IPv6: the special-purpose blocks of the global unicast block.
pub const REFUSED_V6: [Block<Ipv6Addr>; 5] = [
    v6(0x2001, 0, 0, 23, "protocol assignments, with Teredo, benchmarks and ORCHID"),
    v6(0x2001, 0xdb8, 0, 32, "documentation"),
    v6(0x2002, 0, 0, 16, "6to4, which contains an IPv4 address"),
    v6(0x2620, 0x4f, 0x8000, 48, "AS112"),
    v6(0x3fff, 0, 0, 20, "documentation"),
];

impl Block<Ipv4Addr> {
    fn contains(&self, address: Ipv4Addr) -> bool {
        (address.to_bits() ^ self.first.to_bits()).leading_zeros() >= self.length
    }
}

impl Block<Ipv6Addr> {
    fn contains(&self, address: Ipv6Addr) -> bool {
        (address.to_bits() ^ self.first.to_bits()).leading_zeros() >= self.length
    }
}

/// Whether a host of the public internet can have this address.
pub fn is_public(address: IpAddr) -> bool {
    purpose(address).is_none()
}

/// What an address is for that no public host has.
pub fn purpose(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => {
            REFUSED_V4.iter().find(|block| block.contains(address)).map(|block| block.purpose)
        }
        IpAddr::V6(address) if GLOBAL_UNICAST.contains(address) => {
            REFUSED_V6.iter().find(|block| block.contains(address)).map(|block| block.purpose)
        }
        IpAddr::V6(_) => Some("not global unicast"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_special_purpose_are_not_public() {
        for address in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.0.1",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.0.170",
            "192.0.2.1",
            "192.31.196.1",
            "192.52.193.1",
            "192.88.99.1",
            "192.168.0.1",
            "192.168.255.255",
            "192.175.48.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "100:0:0:1::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:30::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "2620:4f:8000::1",
            "3fff::1",
            "3fff:fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn addresses_beside_the_refused_blocks_are_public() {
        for address in [
            "1.0.0.0",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.112.255",
            "223.255.255.255",
            "2000::1",
            "2001:200::1",
            "2001:db7::1",
            "2001:4860:4860::8888",
            "2003::1",
            "2606:4700::1111",
            "2a00:1450::1",
            "3ffe::1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn the_documents_list_each_refused_block() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/price-watch.md");
        let document = std::fs::read_to_string(root).unwrap();
        let v4 = REFUSED_V4.iter().map(|block| (format!("{}/{}", block.first, block.length), block.purpose));
        let v6 = REFUSED_V6.iter().map(|block| (format!("{}/{}", block.first, block.length), block.purpose));
        for (block, purpose) in v4.chain(v6) {
            assert!(document.contains(&format!("| `{block}` | {purpose} |")), "| `{block}` | {purpose} |");
        }
    }
}
