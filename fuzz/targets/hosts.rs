//! Any text as a list of hosts: what is accepted can stand in a URL, between `//` and the path.

#![no_main]

use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;
use neon_auth_wire::hosts::{is_host, listed};

fuzz_target!(|text: &str| {
    let hosts: Vec<&str> = listed(text).collect();
    let again = hosts.join(" ,");
    assert!(listed(&again).eq(hosts.iter().copied()));
    for host in hosts {
        assert!(!host.is_empty() && host.trim() == host && !host.contains(','));
        if !is_host(host) {
            continue;
        }
        let ends = |c: char| "/?#@\\%".contains(c) || c.is_whitespace() || c.is_control();
        assert!(host.is_ascii() && !host.contains(ends));
        if host.starts_with('[') {
            let with_port = if host.ends_with(']') {
                format!("{host}:1")
            } else {
                host.to_owned()
            };
            assert!(
                with_port
                    .parse::<SocketAddr>()
                    .is_ok_and(|address| address.is_ipv6())
            );
        } else {
            assert!(host.matches(':').count() <= 1);
        }
    }
});
