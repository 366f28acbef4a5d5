//! PostgreSQL interfaces that the extension needs in addition to pgrx.
//!
//! `spi` runs SQL as the tables' owner, and `as_owner` as the owner of another role's table, both with
//! what `pinned` puts in force; `heap` reads all rows of a small table and `index` rows by
//! their key, both without a query, from the `tables` that are named there, and each as a `row`;
//! `append` adds rows to a table without indexes, also without a query; `heirs` finds partitions;
//! `jsonb` reads and builds values of that type, and `array` builds arrays; `kept_plan` prepares
//! statements once; `lock` has the extension's own locks; `nodes` walks query trees; `raised`
//! preserves errors as they were raised; `attempt` runs what may raise one; `setting` sets one of the
//! session; `value` builds results of
//! functions without a Rust value in between.

pub mod append;
pub mod array;
mod as_owner;
pub mod attempt;
pub mod compat;
pub mod context;
pub mod functions;
pub mod heap;
pub mod heirs;
pub mod index;
pub mod jsonb;
pub mod kept_plan;
pub mod lock;
pub mod nodes;
pub mod others;
pub mod pinned;
pub mod raised;
pub mod row;
pub mod set;
pub mod setting;
pub mod settled;
pub mod spi;
pub mod tables;
pub mod value;
