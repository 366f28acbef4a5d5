//! Headers, hosts, URLs and times.

use std::time::{Duration, SystemTime};

use neon_auth_wire::cache_control::Lifetime;
use neon_auth_wire::retry_after::delay;
use neon_auth_wire::{discovery, hosts, iso_8601};

#[test]
fn reads_cache_control() {
    for (text, lifetime) in [
        ("public, Max-Age=60", Lifetime::Seconds(60)),
        ("max-age=\"60\"", Lifetime::Seconds(60)),
        ("max-age=60, no-store", Lifetime::Forbidden),
        ("No-Cache", Lifetime::Forbidden),
        ("max-age=x, s-maxage=60", Lifetime::Unsaid),
        ("", Lifetime::Unsaid),
    ] {
        assert_eq!(Lifetime::parse(text), lifetime, "{text}");
    }
}

#[test]
fn reads_retry_after() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_747);
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(delay("120", None, now), seconds(120));
    assert_eq!(delay(date, None, now), seconds(30));
    assert_eq!(delay(date, Some(date), now), seconds(0));
    assert_eq!(
        delay(date, Some("x"), now + Duration::from_secs(60)),
        seconds(0)
    );
    assert_eq!(delay("soon", Some(date), now), None);
}

#[test]
fn accepts_hosts_with_and_without_a_port() {
    for host in [
        "a.example",
        "a_b:1",
        "[::1]",
        "[::1]:65535",
        "127.0.0.1:8080",
    ] {
        assert!(hosts::is_host(host), "{host}");
    }
    for text in [
        "",
        "a/b",
        "http://a",
        "a:0",
        "a:65536",
        "a:b",
        "a:+80",
        "a:-80",
        "[::1]:+80",
        "[::1",
        "[x]:1",
        "a@b",
        "::1",
        "a b",
    ] {
        assert!(!hosts::is_host(text), "{text}");
    }
    assert!(hosts::listed(" a ,,b:1, ").eq(["a", "b:1"]));
}

#[test]
fn reads_times_with_a_zone() {
    for (text, seconds) in [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01 01:00:00+01", 0),
        ("1969-12-31t23:30:00-00:30", 0),
        ("2000-02-29T00:00:00.999999999+0000", 951_782_400),
        ("0000-01-01T00:00:00Z", -62_167_219_200),
    ] {
        let fraction = if text.contains('.') { 999_999 } else { 0 };
        assert_eq!(
            iso_8601::parse(text),
            Some(seconds * 1_000_000 + fraction),
            "{text}"
        );
    }
    for text in [
        "",
        "2026-01-31",
        "2026-01-31T12:00Z",
        "1900-02-29T00:00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00+24:00",
    ] {
        assert_eq!(iso_8601::parse(text), None, "{text}");
    }
}

#[test]
fn knows_urls_of_discovery_documents() {
    let url = discovery::url("https://a.example/").expect("a URL");
    assert_eq!(url, "https://a.example/.well-known/openid-configuration");
    assert!(discovery::is_document(&url) && discovery::is_document(&format!("{url}/?a#b")));
    assert!(!discovery::is_document("https://a.example/keys"));
    assert_eq!(discovery::url("https://a.example/{tid}"), None);
    assert_eq!(discovery::url("https://a.example/?x"), None);
}
