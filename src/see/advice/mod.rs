//! What is wrong with policies: what `neon_auth.advice` needs to know that the catalogs do not say.
//!
//! `condition_facts` is what advice needs to know of a policy's condition: `nobody` decides what a condition is
//! when nobody is signed in, `shape` how PostgreSQL evaluates it, and `by_uuid` writes a comparison so that it can
//! use an index.

mod by_uuid;
mod condition_facts;
mod nobody;
mod shape;
