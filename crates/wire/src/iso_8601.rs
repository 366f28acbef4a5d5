//! Times in ISO 8601, as JavaScript and PostgreSQL write them into JSON.

/// One second, in microseconds.
const SECOND: i64 = 1_000_000;

/// The microseconds since 1970 of a time in ISO 8601 with seconds and a time zone, such as
/// `2026-01-31T12:00:00.000Z` or `2026-01-31 12:00:00+01:00`; `None` for any other text.
pub fn parse(text: &str) -> Option<i64> {
    let mut reading = Reading(text.as_bytes());
    let (year, month, day) = (
        reading.number(4)?,
        reading.after(b"-", 2)?,
        reading.after(b"-", 2)?,
    );
    let (hour, minute, second) = (
        reading.after(b"Tt ", 2)?,
        reading.after(b":", 2)?,
        reading.after(b":", 2)?,
    );
    let fraction = match reading.skip(b".,") {
        true => reading.microseconds()?,
        false => 0,
    };
    let offset = match reading.skip(b"Zz") {
        true => 0,
        false => reading.offset()?,
    };
    let is_time = hour < 24 && minute < 60 && second < 60;
    if !reading.0.is_empty() || !is_time || !(1..=days_of(year, month)?).contains(&day) {
        return None;
    }
    let days = days_since_1970(year, month, day);
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - offset;
    Some(seconds * SECOND + fraction)
}

/// The rest of a text that is read from its beginning.
struct Reading<'t>(&'t [u8]);

impl Reading<'_> {
    /// A number of that many digits.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number.iter().try_fold(0, |value, digit| {
            Some(value * 10 + i64::from(char::from(*digit).to_digit(10)?))
        })
    }

    /// A number after one of these separators.
    fn after(&mut self, separators: &[u8], digits: usize) -> Option<i64> {
        self.skip(separators).then(|| self.number(digits))?
    }

    /// Whether one of these was next, and is skipped.
    fn skip(&mut self, any: &[u8]) -> bool {
        let [next, rest @ ..] = self.0 else {
            return false;
        };
        let found = any.contains(next);
        if found {
            self.0 = rest;
        }
        found
    }

    /// Digits of a fraction of a second; those after the sixth are ignored.
    fn microseconds(&mut self) -> Option<i64> {
        let length = self
            .0
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (digits, rest) = self.0.split_at_checked(length).filter(|_| length > 0)?;
        self.0 = rest;
        let places = digits
            .iter()
            .copied()
            .chain(std::iter::repeat(b'0'))
            .take(6);
        Some(places.fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
    }

    /// A time zone as its distance from UTC in seconds.
    fn offset(&mut self) -> Option<i64> {
        let sign = match (self.skip(b"+"), self.skip(b"-")) {
            (true, false) => 1,
            (false, true) => -1,
            _ => return None,
        };
        let hours = self.number(2)?;
        let minutes = match self.0 {
            [] => 0,
            _ => {
                self.skip(b":");
                self.number(2)?
            }
        };
        (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60)
    }
}

fn days_of(year: i64, month: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => Some(28 + i64::from(is_leap)),
        4 | 6 | 9 | 11 => Some(30),
        1..=12 => Some(31),
        _ => None,
    }
}

/// Years begin in March here, so that a leap day is the last of its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    // Rounded down: January of the year 0 is in the year -1 here.
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 719_469
}
