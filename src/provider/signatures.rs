//! The server's cache of valid signatures, in shared memory. It exists only with preloading.
//!
//! `SignatureCache` of the crate says why sharing it is safe. Here it gets its memory, once at the start
//! of the server and again after a crash, with a new salt each time; and the OID of the session's
//! database as its scope, so that nobody learns from the time of a sign-in what happens in another one.

use std::cell::Cell;
use std::slice;

use neon_auth_token::{CacheSet, Salt, SignatureCache};
use pgrx::prelude::*;

use crate::clock;
use crate::pg::compat;
use crate::process_local::process_local;
use crate::settings::TOKEN_CACHE_SIZE;
use crate::shared;

process_local! {
    static MEMORY: Cell<Option<Memory>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Memory {
    salt: &'static Salt,
    sets: &'static [CacheSet],
}

/// What the memory begins with; the sets follow it.
#[repr(C)]
struct Beginning {
    salt: Salt,
    _aligns: [CacheSet; 0],
}

/// The cache for one verification in this session's database.
pub fn cache() -> Option<SignatureCache<'static>> {
    let memory = MEMORY.get()?;
    // SAFETY: reads a variable of this process.
    let database = unsafe { pg_sys::MyDatabaseId };
    Some(SignatureCache::new(
        memory.sets,
        memory.salt,
        database.to_u32(),
    ))
}

/// The sets that are looked at to estimate how many entries are in use: a megabyte.
const SAMPLE: usize = 4096;
/// Entries that were not used for so long count as free, in seconds.
const LATELY: i64 = 3600;

/// `neon_auth_internal.token_cache()`: its entries, and how many of them were used in the last hour, estimated from a
/// sample. No row without preloading.
#[pg_extern(sql = false)]
fn token_cache() -> TableIterator<'static, (name!(entries, i64), name!(used, i64))> {
    let state = shared::is_preloaded().then(|| {
        let sets = MEMORY.get().map_or(&[][..], |memory| memory.sets);
        let step = sets.len().div_ceil(SAMPLE).max(1);
        let now = clock::seconds();
        let sample = sets.iter().step_by(step);
        let used: usize = sample.map(|set| set.used_within(LATELY, now)).sum();
        let entries = sets.len() * CacheSet::ENTRIES;
        (entries as i64, (used * step).min(entries) as i64)
    });
    TableIterator::new(state)
}

/// Requests the memory, while the server loads the library.
pub fn define() {
    // SAFETY: on the one thread of the postmaster.
    unsafe {
        compat::on_shmem_request(request);
        PREVIOUS_STARTUP = pg_sys::shmem_startup_hook;
        pg_sys::shmem_startup_hook = Some(start_up);
    }
}

static mut PREVIOUS_STARTUP: pg_sys::shmem_startup_hook_type = None;

/// The size of the memory in bytes, and how many sets fit; `None` if it is switched off.
fn size() -> Option<(usize, usize)> {
    let bytes = usize::try_from(TOKEN_CACHE_SIZE.get()).ok()? * 1024;
    let sets = bytes.checked_sub(size_of::<Beginning>())? / size_of::<CacheSet>();
    Some((bytes, sets))
}

fn request() {
    if let Some((bytes, _)) = size() {
        // SAFETY: when PostgreSQL allows it.
        unsafe { pg_sys::RequestAddinShmemSpace(bytes) };
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn start_up() {
    // SAFETY: the next hook, as PostgreSQL calls it.
    unsafe {
        if let Some(previous) = PREVIOUS_STARTUP {
            pg_sys::submodules::ffi::pg_guard_ffi_boundary(|| previous());
        }
    }
    // The memory of before a crash is gone.
    MEMORY.set(None);
    if let Some((bytes, sets)) = size() {
        // SAFETY: in the hook for it, after the same size was requested.
        MEMORY.set(unsafe { allocate(bytes, sets) });
    }
}

/// Allocates and fills the memory. `None` if there are no random bytes for the salt.
///
/// Only the postmaster calls it, before it has children, so there is nobody to lock out.
///
/// # Safety
/// In `shmem_startup_hook`; a beginning and this number of sets must fit into the bytes.
unsafe fn allocate(bytes: usize, sets: usize) -> Option<Memory> {
    let mut salt = Salt::default();
    let mut found = false;
    // SAFETY: the memory stays as long as the server, nothing else points into it, and PostgreSQL aligns it to
    // lines of 128 bytes, as the assertion makes sure.
    unsafe {
        let is_random = pg_sys::pg_strong_random(salt.as_mut_ptr().cast(), salt.len());
        let name = c"neon_auth_signatures".as_ptr();
        let beginning = pg_sys::ShmemInitStruct(name, bytes, &mut found).cast::<Beginning>();
        assert!(beginning.is_aligned(), "shared memory is not aligned");
        (&raw mut (*beginning).salt).write(salt);
        let first = beginning.add(1).cast::<CacheSet>();
        for place in 0..sets {
            first.add(place).write(CacheSet::default());
        }
        is_random.then(|| Memory {
            salt: &(*beginning).salt,
            sets: slice::from_raw_parts(first, sets),
        })
    }
}
