//! What comes of a token that a provider vouches for.

use std::rc::Rc;

use neon_auth_token::Verified;

use super::role;
use super::trust::Provider;
use crate::identity::Identity;

/// A token that a provider vouches for.
pub struct Admitted {
    pub provider: Rc<Provider>,
    pub verified: Verified,
    pub identity: Rc<Identity>,
    pub role: role::Choice,
}
