//! `stack issuer`: keys and tokens in the shape of any other issuer.

use clap::{Args, ValueEnum};
use neon_auth_stack::issuer::Shape;
use serde_json::Value;

use super::{json_value, unix_time};

#[derive(Clone, Copy, ValueEnum)]
enum Part {
    Jwks,
    Token,
}

#[derive(Args)]
pub struct Issuer {
    /// What to print
    #[arg(value_enum)]
    part: Part,
    /// The shape: `{"header": {…}, "claims": {…}, "keys": [{…}]}`, with … for what the key gives
    #[arg(value_name = "JSON", value_parser = json_value)]
    shape: Value,
    /// A merge patch of the shape (RFC 7396); times in it are taken as they are
    #[arg(long, value_name = "JSON", value_parser = json_value)]
    patch: Option<Value>,
    /// The time of issue in seconds since 1970, to which the shape's times move [default: now]
    #[arg(long, value_name = "UNIX")]
    now: Option<i64>,
}

impl Issuer {
    pub fn print(self) -> Result<String, String> {
        let shape: Shape = serde_json::from_value(self.shape).map_err(|error| error.to_string())?;
        let mut shape = shape.issued_at(self.now.unwrap_or_else(unix_time))?;
        if let Some(patch) = self.patch {
            shape = shape.patched(&patch)?;
        }
        match self.part {
            Part::Jwks => Ok(shape.jwks()?.to_string()),
            Part::Token => shape.token(),
        }
    }
}
