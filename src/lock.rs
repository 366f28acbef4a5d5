//! Locks of the extension's own.
//!
//! They are advisory locks in key spaces of their own: `pg_advisory_lock()` writes 1 or 2 into the
//! field that holds the space here, so no user can hold up authentication or webhooks by taking one.

use std::hash::{DefaultHasher, Hash, Hasher};

use pgrx::pg_sys;

/// What the locks are about.
#[derive(Clone, Copy)]
pub enum Space {
    Keys = 0x4e41,
    Mirror = 0x4e42,
}

/// The tag of one lock of this database.
pub fn tag(space: Space, kind: u32, object: u32) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: reads a variable of this process.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: object,
        locktag_field3: kind,
        locktag_field4: space as u16,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}

/// A number for a name, the same in every process.
pub fn number(name: &str) -> u32 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish() as u32
}
