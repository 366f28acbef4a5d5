//! When a token is valid (RFC 7519 sections 4.1.4 to 4.1.6).

use super::Check;
use super::facts::{Facts, require};
use crate::refusal::Kind;
use crate::shown;

impl Facts<'_> {
    pub(super) const TIME: [Check<Self>; 6] = [
        Check {
            name: "clock",
            run: Self::clock,
            describe: Self::describe_clock,
        },
        Check {
            name: "expiry",
            run: Self::expiry,
            describe: Self::describe_expiry,
        },
        Check {
            name: "not before",
            run: Self::not_before,
            describe: Self::describe_not_before,
        },
        Check {
            name: "issued at",
            run: Self::issued_at,
            describe: Self::describe_issued_at,
        },
        Check {
            name: "time order",
            run: Self::order,
            describe: Self::describe_order,
        },
        Check {
            name: "lifetime",
            run: Self::lifetime,
            describe: Self::describe_lifetime,
        },
    ];

    fn leeway(&self) -> i64 {
        i64::try_from(self.policy.leeway).unwrap_or(i64::MAX)
    }

    /// The latest time at which the issuer's clock may be.
    fn latest_now(&self) -> i64 {
        self.now.saturating_add(self.leeway())
    }

    /// A time before 1970 comes from a clock that was never set.
    fn clock(&self) -> Result<(), Kind> {
        require(self.now >= 0, Kind::BadClock)
    }

    fn describe_clock(&self) -> String {
        format!("now is {} seconds after 1970", self.now)
    }

    fn expiry(&self) -> Result<(), Kind> {
        let end = self.content.claims.expires_at.saturating_add(self.leeway());
        require(self.now < end, Kind::Expired)
    }

    fn describe_expiry(&self) -> String {
        self.beside_now("exp", Some(self.content.claims.expires_at))
    }

    fn not_before(&self) -> Result<(), Kind> {
        let reached = |start| start <= self.latest_now();
        require(
            self.content.claims.not_before.is_none_or(reached),
            Kind::NotYetValid,
        )
    }

    fn describe_not_before(&self) -> String {
        self.beside_now("nbf", self.content.claims.not_before)
    }

    fn issued_at(&self) -> Result<(), Kind> {
        let reached = |start| start <= self.latest_now();
        require(
            self.content.claims.issued_at.is_none_or(reached),
            Kind::IssuedInFuture,
        )
    }

    fn describe_issued_at(&self) -> String {
        self.beside_now("iat", self.content.claims.issued_at)
    }

    fn beside_now(&self, name: &str, date: Option<i64>) -> String {
        format!(
            "{name} is {}; now is {} with {} seconds of leeway",
            shown::seconds(date),
            self.now,
            self.policy.leeway
        )
    }

    fn order(&self) -> Result<(), Kind> {
        let claims = &self.content.claims;
        let earlier = |start| start < claims.expires_at;
        require(
            claims.not_before.is_none_or(earlier) && claims.issued_at.is_none_or(earlier),
            Kind::InconsistentTimes,
        )
    }

    fn describe_order(&self) -> String {
        let claims = &self.content.claims;
        format!(
            "exp is {}; expected after nbf, which is {}, and iat, which is {}",
            claims.expires_at,
            shown::seconds(claims.not_before),
            shown::seconds(claims.issued_at)
        )
    }

    fn lifetime(&self) -> Result<(), Kind> {
        let Some(longest) = self.policy.max_lifetime else {
            return Ok(());
        };
        let claims = &self.content.claims;
        let issued_at = claims.issued_at.ok_or(Kind::MissingClaim)?;
        require(
            claims.expires_at.abs_diff(issued_at) <= longest,
            Kind::LifetimeTooLong,
        )
    }

    fn describe_lifetime(&self) -> String {
        let claims = &self.content.claims;
        let longest = self
            .policy
            .max_lifetime
            .map_or_else(|| "any".to_owned(), |longest| format!("at most {longest}"));
        format!(
            "exp is {} and iat is {}; accepted seconds between them: {longest}",
            claims.expires_at,
            shown::seconds(claims.issued_at),
        )
    }
}
