//! What is wrong with policies: what `neon_auth.advice` needs to know that the catalogs do not say.
//!
//! `condition_facts` is what advice needs to know of a policy's condition: `nobody` decides what a condition is
//! when nobody is signed in, `always` whether it is true by its form, and `settings` which settings then decide;
//! `shape` says how PostgreSQL evaluates it, `set_clauses` what it cannot inline, and `sub_selects` what it reads of
//! other tables. `by_uuid` writes a comparison so that it can use an index; `columns` and `written` are what these share.

mod always;
mod by_uuid;
mod columns;
mod condition_facts;
mod nobody;
mod set_clauses;
mod settings;
mod shape;
mod sub_selects;
mod written;
