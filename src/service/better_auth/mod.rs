//! Better Auth, whose tables are in this database.

mod trigger;
