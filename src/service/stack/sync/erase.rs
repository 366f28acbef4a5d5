//! Erases users who were deleted some time ago.

use crate::background::steps::{Steps, Stop};
use crate::pg::spi;
use crate::settings;

/// Erases users who were deleted `neon_auth.erase_deleted_after` ago, in short transactions.
pub fn erase_deleted(steps: Steps) -> Result<(), Stop> {
    let seconds = settings::ERASE_DELETED_AFTER.get();
    if seconds == 0 {
        return Ok(());
    }
    let seconds = seconds.to_string();
    let mut place = r#"["-infinity", ""]"#.to_owned();
    let erase = "SELECT neon_auth_internal.erase_deleted($1::bigint, $2::jsonb)::text";
    while let Some(next) = steps.transaction(|| spi::write(erase, &[&seconds, &place])) {
        place = next;
        steps.tick()?;
    }
    Ok(())
}
