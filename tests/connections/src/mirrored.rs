//! How a world's mirror stands, and what `status` and `stats` say of it.

use crate::wait::eventually;
use crate::world::World;

impl World {
    /// How many users the mirror has, without those that are deleted.
    #[track_caller]
    pub fn mirrored(&self) -> usize {
        let query = "SELECT count(*)::text FROM neon_auth.users_sync WHERE deleted_at IS NULL";
        let count = self.superuser().value(query, &[]);
        let count = count.map(|count| count.parse());
        count.expect("there is a count").expect("it is a number")
    }

    #[track_caller]
    pub fn await_users(&self, users: usize) {
        eventually("the users are mirrored", || self.mirrored() == users);
    }

    /// Health and detail of a component of `neon_auth.status`.
    #[track_caller]
    pub fn status(&self, component: &str) -> (bool, String) {
        let query = "SELECT ok, detail FROM neon_auth.status WHERE component = $1";
        let row = self.superuser().query_one(query, &[&component]);
        let row = row.expect("status has the component");
        (row.get(0), row.get(1))
    }

    /// Waits until a synchronisation has come to its end.
    #[track_caller]
    pub fn await_synchronisation(&self) {
        eventually("a synchronisation is finished", || {
            let (ok, detail) = self.status("synchronisation");
            ok && detail.starts_with("Rows changed: ")
        });
    }

    /// A counter of `neon_auth.stats`.
    #[track_caller]
    pub fn counted(&self, counter: &str) -> i64 {
        let query = "SELECT value FROM neon_auth.stats WHERE counter = $1";
        let row = self.superuser().query_one(query, &[&counter]);
        row.expect("stats has the counter").get(0)
    }
}
