//! What comes of a credential that a provider vouches for.

use std::rc::Rc;

use neon_auth_token::Verified;

use super::role;
use super::trust::Provider;
use crate::identity::Identity;

/// A credential that a provider vouches for.
pub struct Admitted {
    pub provider: Rc<Provider>,
    pub proof: Proof,
    pub identity: Rc<Identity>,
    pub role: role::Choice,
}

/// What the credential was.
pub enum Proof {
    Jwt(Verified),
}
