//! The current identity: set, cleared, and read from the setting that contains it.

use std::cell::{Cell, RefCell};
use std::ffi::CString;
use std::rc::Rc;

use pgrx::pg_sys;

use super::scope::Scope;
use super::{hooks, role, setting, statement};
use crate::error::Problem;
use crate::identity::Identity;

/// Prefix of an expired identity in the setting.
const HAD_EXPIRED: &str = "expired ";

thread_local! {
    /// The setting's value, parsed.
    static CURRENT: RefCell<Parsed> = const { RefCell::new(Parsed::NEVER) };
    /// The epoch of the next identity.
    static NEXT_EPOCH: Cell<u64> = const { Cell::new(1) };
    /// Identities of an earlier epoch are void, see `Admission`.
    static FIRST_VALID_EPOCH: Cell<u64> = const { Cell::new(0) };
}

/// A value of the setting, parsed.
struct Parsed {
    /// The setting's change counter at that time.
    changes: u64,
    kept: Option<Kept>,
}

impl Parsed {
    /// The setting is empty at first.
    const NEVER: Self = Self {
        changes: 0,
        kept: None,
    };

    /// For the setting's current value.
    fn now(kept: Option<Kept>) -> Self {
        Self {
            changes: setting::changes(),
            kept,
        }
    }
}

/// An identity and how it was set.
#[derive(Clone)]
pub struct Kept {
    epoch: u64,
    /// Whether it had expired when the query of these parallel workers began: the workers do not
    /// know when that was.
    had_expired: bool,
    pub identity: Rc<Identity>,
}

/// The current identity for this statement: `None` if nobody is signed in, an error if it has
/// expired.
pub fn current() -> Result<Option<Rc<Identity>>, Problem> {
    let Some(kept) = kept().filter(Kept::is_valid) else {
        return Ok(None);
    };
    kept.in_force(statement::began)?;
    Ok(Some(kept.identity))
}

/// Whether an identity is set, valid or not.
pub fn is_anybody() -> bool {
    kept().is_some()
}

/// Sets `identity` for the session or transaction, and its role.
pub fn assume(identity: Rc<Identity>, scope: Scope) -> Result<(), Problem> {
    if identity.role.is_some() || identity.valid_until.is_some() {
        hooks::join();
    }
    role::replace(brought().as_deref(), identity.role.as_deref(), scope)?;
    let epoch = NEXT_EPOCH.replace(NEXT_EPOCH.get() + 1);
    let kept = Kept {
        epoch,
        had_expired: false,
        identity,
    };
    setting::set(&kept.to_setting(), scope);
    CURRENT.set(Parsed::now(Some(kept)));
    Ok(())
}

/// Clears the identity at every scope, and the role if the identity had one, as a SET does: an
/// abort of the transaction undoes it.
pub fn forget() -> Result<(), Problem> {
    let role = brought();
    setting::set(c"", Scope::Session);
    role::replace(role.as_deref(), None, Scope::Session)
}

/// The role of the current identity.
fn brought() -> Option<String> {
    kept().and_then(|kept| kept.identity.role.clone())
}

/// Whether somebody is signed in with an identity that will expire.
pub fn may_expire() -> bool {
    kept().is_some_and(|kept| kept.identity.valid_until.is_some())
}

/// An attempt to set an identity: unless it ends in `succeed`, nobody is signed in afterwards.
///
/// Settings cannot guarantee that: the error of a refused token aborts the (sub)transaction, and
/// the abort would restore the previous identity. So every identity has an epoch, and a refusal
/// makes all earlier epochs void. The epoch is a variable of this process that no abort undoes.
#[must_use]
pub struct Admission(());

impl Admission {
    pub fn begin() -> Self {
        Self(())
    }

    pub fn succeed(self) {
        std::mem::forget(self);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        FIRST_VALID_EPOCH.set(NEXT_EPOCH.get());
        hooks::join();
    }
}

/// The identity in the setting, valid or void.
pub fn kept() -> Option<Kept> {
    CURRENT.with_borrow_mut(|current| {
        if current.changes != setting::changes() {
            *current = Parsed::now(setting::text().and_then(Kept::from_setting));
        }
        current.kept.clone()
    })
}

impl Kept {
    pub fn is_valid(&self) -> bool {
        self.epoch >= FIRST_VALID_EPOCH.get()
    }

    /// An error if it has expired, for a statement that began at a given time, which is computed
    /// only if needed.
    pub fn in_force(&self, began: impl FnOnce() -> i64) -> Result<(), Problem> {
        let Some(until) = self.identity.valid_until else {
            return Ok(());
        };
        // Times that were passed to impersonate() may be as large as an integer.
        match began().saturating_sub(until) {
            ago if ago >= 0 || self.had_expired => Err(Problem::Expired { ago: ago.max(0) }),
            _ => Ok(()),
        }
    }

    /// Tells the parallel workers that inherit the setting that the identity has expired. The end
    /// of the transaction undoes it.
    pub fn tell_workers(&self) {
        // SAFETY: reads the transaction's state.
        if self.had_expired || unsafe { pg_sys::IsInParallelMode() } {
            return;
        }
        let told = Self {
            had_expired: true,
            ..self.clone()
        };
        setting::set(&told.to_setting(), Scope::Transaction);
        CURRENT.set(Parsed::now(Some(told)));
    }

    fn to_setting(&self) -> CString {
        let mut text = format!("{} ", self.epoch);
        if self.had_expired {
            text.push_str(HAD_EXPIRED);
        }
        self.identity.write_to(&mut text);
        CString::new(text).expect("JSON text contains no NUL")
    }

    fn from_setting(text: &str) -> Option<Self> {
        let (epoch, rest) = text.split_once(' ')?;
        let expired = rest.strip_prefix(HAD_EXPIRED);
        let identity = expired.unwrap_or(rest);
        Some(Self {
            epoch: epoch.parse().ok()?,
            had_expired: expired.is_some(),
            identity: Rc::new(Identity::from_text(identity)?),
        })
    }
}
