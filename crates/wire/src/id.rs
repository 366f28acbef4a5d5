//! The ids of the auth service's objects.

/// Most bytes in an id.
pub const LONGEST: usize = 255;

/// Whether the text is the id of an object that can become a row.
pub fn is_id(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && !text.contains('\0')
}
