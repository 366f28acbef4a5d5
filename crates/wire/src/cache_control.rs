//! The header `Cache-Control` of a response (RFC 9111, 5.2.2).

/// What it says about how long the response may be used.
#[derive(Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// `no-store` or `no-cache`.
    Forbidden,
    /// `max-age`, in seconds.
    Seconds(i64),
    /// Nothing that is understood.
    Unsaid,
}

impl Lifetime {
    pub fn parse(cache_control: &str) -> Self {
        let directives = || cache_control.split(',').map(str::trim);
        let is_forbidden = |name: &str| {
            name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache")
        };
        if directives().any(is_forbidden) {
            return Self::Forbidden;
        }
        let max_age = directives().find_map(|directive| {
            let (name, seconds) = directive.split_once('=')?;
            name.eq_ignore_ascii_case("max-age")
                .then(|| seconds.trim_matches('"').parse::<i64>().ok())?
        });
        max_age.map_or(Self::Unsaid, Self::Seconds)
    }
}
