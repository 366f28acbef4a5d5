//! Any values of the headers Retry-After and Date, in two lines.

#![no_main]

use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use neon_auth_fuzz::NOW;
use neon_auth_wire::retry_after::delay;

fuzz_target!(|text: &str| {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW as u64);
    let (after, date) = match text.split_once('\n') {
        Some((after, date)) => (after, Some(date)),
        None => (text, None),
    };
    let found = delay(after, date, now);
    match (after.parse::<u64>(), httpdate::parse_http_date(after)) {
        (Ok(seconds), _) => assert_eq!(found, Some(Duration::from_secs(seconds))),
        (Err(_), Err(_)) => assert_eq!(found, None),
        (Err(_), Ok(then)) => {
            let wait = found.expect("a delay");
            let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
            let from = date.unwrap_or(now);
            assert_eq!(then <= from, wait == Duration::ZERO);
            assert!(wait == Duration::ZERO || from + wait == then);
        }
    }
});
