//! What the extension needs of PostgreSQL, beyond what pgrx has.
//!
//! `spi` runs SQL as the tables' owner, `heap` reads all rows of a small table and `index` rows by
//! their key, both without a query, from the `tables` that are named there, and each as a `row`; `jsonb` reads and makes values of that type; `lock` has locks
//! of the extension's own; `nodes` walks query trees; `raised` passes errors on as they were raised; `value` is what
//! functions return without a Rust value in between.

pub mod compat;
pub mod heap;
pub mod index;
pub mod jsonb;
pub mod lock;
pub mod nodes;
pub mod raised;
pub mod row;
pub mod spi;
pub mod tables;
pub mod value;
