//! Any text as a time in ISO 8601, and any time as text: a second implementation counts the days one by one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use neon_auth_wire::iso_8601::parse;

const SECOND: i64 = 1_000_000;

fn days_of(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days from the first of the year 0.
fn days_until(year: i64, month: i64, day: i64) -> i64 {
    let months = |year, last| (1..=last).map(move |month| days_of(year, month));
    let years = (0..year).flat_map(|year| months(year, 12));
    years.chain(months(year, month - 1)).sum::<i64>() + day - 1
}

/// The microseconds since 1970 of an accepted text, by the places of its parts.
fn expected(text: &str) -> i64 {
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().expect("digits");
    let days = days_until(number(0, 4), number(5, 7), number(8, 10)) - days_until(1970, 1, 1);
    let time = (number(11, 13) * 60 + number(14, 16)) * 60 + number(17, 19);
    let rest = &text[19..];
    let zone = rest.find(|c: char| "Zz+-".contains(c)).expect("a zone");
    let (fraction, zone) = rest.split_at(zone);
    let fraction = format!("{:0<6.6}", fraction.get(1..).unwrap_or_default());
    let digits: String = zone.chars().filter(char::is_ascii_digit).collect();
    let offset = match digits.len() {
        0 => 0,
        length => {
            let hours: i64 = digits[..2].parse().expect("digits");
            let minutes: i64 = if length > 2 {
                digits[2..].parse().expect("digits")
            } else {
                0
            };
            (hours * 60 + minutes) * 60
        }
    };
    let offset = if zone.starts_with('-') {
        -offset
    } else {
        offset
    };
    (days * 86_400 + time - offset) * SECOND + fraction.parse::<i64>().expect("digits")
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = str::from_utf8(bytes)
        && let Some(time) = parse(text)
    {
        assert!(text.is_ascii());
        assert_eq!(time, expected(text), "{text}");
        assert!(parse(&format!("{text}0Z")).is_none());
    }
    // A date and a time, valid or not.
    let [a, b, month, day, hour, minute, second, ..] = *bytes else {
        return;
    };
    let year = i64::from(u16::from_be_bytes([a, b])) % 10_000;
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.25Z");
    let is_month = (1..=12).contains(&month);
    let is_date = is_month && (1..=days_of(year, month.into())).contains(&i64::from(day));
    let is_time = hour < 24 && minute < 60 && second < 60;
    assert_eq!(parse(&text).is_some(), is_date && is_time, "{text}");
});
