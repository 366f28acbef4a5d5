//! JSON numbers as they were written, never rounded to a double.

use std::fmt;

/// Most digits before the point, and most after it, of a number that is written out without an
/// exponent. Doubles need 309 and 340. What a token can make of a few characters such as `1e99999`
/// stays small when PostgreSQL writes it out.
pub(crate) const MAX_DIGITS: i64 = 400;

/// A number of RFC 8259 section 6, exactly.
///
/// Two are equal if their values are, as in `jsonb`: `1`, `1.0` and `10e-1`.
#[derive(Clone)]
pub struct Number(Box<str>);

impl Number {
    /// Takes over a text of the grammar of RFC 8259; `None` if it has too many digits.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let (_, whole, fraction, exponent) = split(text);
        let exponent = exponent?;
        let before = i64::try_from(whole.len()).ok()?.saturating_add(exponent);
        let after = i64::try_from(fraction.len()).ok()?.saturating_sub(exponent);
        (before <= MAX_DIGITS && after <= MAX_DIGITS).then(|| Self(text.into()))
    }

    /// The number as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value where it is a whole number that fits, however it is written.
    pub fn as_i64(&self) -> Option<i64> {
        self.floor().filter(|floor| self.ceil() == Some(*floor))
    }

    /// The greatest whole number that is not greater.
    pub fn floor(&self) -> Option<i64> {
        let decimal = Decimal::of(self);
        let down = i128::from(decimal.negative && decimal.has_fraction());
        i64::try_from(decimal.whole()? - down).ok()
    }

    /// The least whole number that is not less.
    pub fn ceil(&self) -> Option<i64> {
        let decimal = Decimal::of(self);
        let up = i128::from(!decimal.negative && decimal.has_fraction());
        i64::try_from(decimal.whole()? + up).ok()
    }
}

/// Sign, digits before and after the point, and the exponent; that is `None` beyond 64 bits.
fn split(text: &str) -> (bool, &str, &str, Option<i64>) {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse().ok()),
        None => (unsigned, Some(0)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    (negative, whole, fraction, exponent)
}

/// The value `0.digits` × 10^`point`, in the one form that it has.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    /// Neither begins nor ends with a zero; empty for zero.
    digits: Vec<u8>,
    point: i64,
}

impl Decimal {
    fn of(number: &Number) -> Self {
        let (negative, whole, fraction, exponent) = split(&number.0);
        let mut digits = [whole.as_bytes(), fraction.as_bytes()].concat();
        let leading = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..leading);
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        if digits.is_empty() {
            return Self {
                negative: false,
                digits,
                point: 0,
            };
        }
        let shift = whole.len() as i64 - leading as i64;
        Self {
            negative,
            digits,
            point: exponent.unwrap_or_default().saturating_add(shift),
        }
    }

    fn has_fraction(&self) -> bool {
        self.digits.len() as i64 > self.point
    }

    /// The value without its fraction; `None` if it has more digits than 64 bits can.
    fn whole(&self) -> Option<i128> {
        let length = usize::try_from(self.point.max(0)).ok()?;
        if length > 19 {
            return None;
        }
        let digits = self.digits.iter().chain(std::iter::repeat(&b'0'));
        let whole = digits
            .take(length)
            .fold(0, |whole, digit| whole * 10 + i128::from(digit - b'0'));
        Some(if self.negative { -whole } else { whole })
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || Decimal::of(self) == Decimal::of(other)
    }
}

impl Eq for Number {}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
