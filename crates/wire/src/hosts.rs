//! Lists of hosts in settings: `host` or `host:port`, separated by commas.

use std::net::Ipv6Addr;

/// The entries of a list.
pub fn listed(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|host| !host.is_empty())
}

/// Whether an entry can be the host of a URL.
pub fn is_host(entry: &str) -> bool {
    let (host, port) = match entry.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (entry, None),
    };
    let is_name = |name: &str| {
        let is_inner = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        !name.is_empty() && name.chars().all(is_inner)
    };
    // Rust's own parser also takes a sign.
    let is_port = |port: &str| {
        port.bytes().all(|digit| digit.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    let ip = host.strip_prefix('[').and_then(|ip| ip.strip_suffix(']'));
    let is_host = ip.map_or_else(|| is_name(host), |ip| ip.parse::<Ipv6Addr>().is_ok());
    is_host && port.is_none_or(is_port)
}
