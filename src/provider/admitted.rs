//! The result of verifying a credential.

use std::cell::Cell;
use std::rc::Rc;

use neon_auth_token::Verified;

use super::role;
use super::trust::Provider;
use crate::identity::Identity;

/// A credential that a provider accepts.
pub struct Admitted {
    /// `None` for an API key whose owner no provider vouches for.
    pub provider: Option<Rc<Provider>>,
    pub proof: Proof,
    pub identity: Rc<Identity>,
    pub role: role::Choice,
    /// Whether the last sign-in by it has found the user's row in the mirror; `false` if it did not
    /// have to look.
    pub has_row: Cell<bool>,
}

/// The kind of credential.
pub enum Proof {
    Jwt(Verified),
    /// A session token of Better Auth; the identity has the session's id.
    Session,
    /// An API key; the identity has it.
    ApiKey,
}
