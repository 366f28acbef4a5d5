//! Identities that no token gave, and what they would do if nothing guarded the setting.
//!
//! A forged text that is none in the library's eyes makes nobody anybody, guarded or not: a test
//! with such a text cannot fail. So the text comes from the library itself, and is shown to count.

use crate::library::library;
use crate::session::Session;
use crate::world::World;

/// Whom `forged_identity` would make its holder.
pub const FORGED_USER: &str = "somebody";

/// The text of the guarded setting for an identity of `FORGED_USER`, as the library writes it.
#[track_caller]
pub fn forged_identity(world: &World) -> String {
    let mut writer = superuser(world);
    writer.run(&format!(
        "SELECT auth.impersonate('{FORGED_USER}', is_local => false)"
    ));
    let forged = writer
        .value("SELECT pg_temp.unguarded_get('neon_auth.identity')", &[])
        .expect("an identity has a text");
    let user = unguarded_user(world, &forged);
    assert_eq!(user.as_deref(), Some(FORGED_USER), "it would not count");
    forged
}

/// Who is signed in, in a session of its own, once the setting has a text past its guard.
#[track_caller]
pub fn unguarded_user(world: &World, text: &str) -> Option<String> {
    let mut session = superuser(world);
    assert_eq!(session.user(), None);
    let set = "SELECT pg_temp.unguarded_set('neon_auth.identity', $1)::text";
    session.value(set, &[&text]);
    session.user()
}

/// A superuser's session with the functions of tests/libraries/unguarded.c.
#[track_caller]
fn superuser(world: &World) -> Session {
    let library = library("unguarded");
    let mut session = world.superuser();
    session.run(&format!(
        "CREATE FUNCTION pg_temp.unguarded_get(text) RETURNS text LANGUAGE c STRICT AS '{library}';
         CREATE FUNCTION pg_temp.unguarded_set(text, text) RETURNS void LANGUAGE c STRICT AS '{library}'"
    ));
    session
}
