//! Claims and the policy they are held against, whatever credential they are from.

use crate::Policy;
use crate::value::{Map, Value};

/// The claims of a token, or of another credential.
pub(super) struct Said<'s> {
    pub(super) members: &'s Map<String, Value>,
    pub(super) policy: &'s Policy,
}
