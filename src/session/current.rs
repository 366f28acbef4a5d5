//! The current identity: set, cleared, and read from the setting that contains it.

use std::cell::{Cell, RefCell};
use std::ffi::CString;
use std::rc::Rc;

use pgrx::pg_sys;

use super::scope::Scope;
use super::standing::{self, Look};
use super::{actor, hooks, role, setting, statement, wal};
use crate::error::Problem;
use crate::identity::Identity;
use crate::process_local::process_local;
use crate::provider;

/// Prefixes in the setting of an identity that is not in force any more.
const ENDINGS: [(Ending, &str); 2] = [(Ending::Expired, "expired "), (Ending::Ended, "ended ")];

process_local! {
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
    /// Whether it was out of force when the query of these parallel workers began, which the
    /// workers cannot find out.
    told: Option<Ending>,
    pub identity: Rc<Identity>,
}

/// How an identity goes out of force.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Its time has passed.
    Expired,
    /// Its provider's service has ended it.
    Ended,
}

/// The current identity for this statement: `None` if nobody is signed in, an error if it has
/// expired or its service has ended it.
pub fn current() -> Result<Option<Rc<Identity>>, Problem> {
    let Some(kept) = kept().filter(Kept::is_valid) else {
        return Ok(None);
    };
    kept.in_force(statement::began, Look::Now)?;
    Ok(Some(kept.identity))
}

/// Who acts, as JSON, whether or not the identity has expired; `None` if nobody is signed in.
pub fn actor() -> Option<String> {
    let kept = kept().filter(Kept::is_valid)?;
    Some(actor::json(&kept.identity))
}

/// Whether an identity is set, valid or not.
pub fn is_anybody() -> bool {
    kept().is_some()
}

/// Sets `identity` for the session or transaction, and its role. Returns its epoch.
pub fn assume(identity: Rc<Identity>, scope: Scope) -> Result<u64, Problem> {
    if identity.role.is_some() || identity.valid_until.is_some() || provider::can_end(&identity) {
        hooks::join();
    }
    role::replace(brought().as_deref(), identity.role.as_deref(), scope)?;
    let epoch = NEXT_EPOCH.replace(NEXT_EPOCH.get() + 1);
    standing::found_good(epoch);
    let kept = Kept {
        epoch,
        told: None,
        identity,
    };
    setting::set(&kept.to_setting(), scope);
    CURRENT.set(Parsed::now(Some(kept)));
    wal::enter(false);
    Ok(epoch)
}

/// Whether the identity that `assume` has set with this epoch is the current one.
pub fn is_set(epoch: u64) -> bool {
    kept().is_some_and(|kept| kept.epoch == epoch && kept.is_valid())
}

/// Clears the identity at every scope, and the role if the identity had one, as a SET does: an
/// abort of the transaction undoes it.
pub fn forget() -> Result<(), Problem> {
    let role = brought();
    setting::set(c"", Scope::Session);
    wal::enter(false);
    role::replace(role.as_deref(), None, Scope::Session)
}

/// Makes an identity, or nobody, the current one for a subtransaction that its caller rolls back, and calls
/// `taken_back` after that. The role stays as it is. What is written meanwhile is nobody's, as it is undone.
pub fn lend(identity: Option<Rc<Identity>>) {
    wal::enter(true);
    let Some(identity) = identity else {
        setting::set(c"", Scope::Transaction);
        return;
    };
    if identity.valid_until.is_some() {
        hooks::join();
    }
    let kept = Kept {
        epoch: NEXT_EPOCH.replace(NEXT_EPOCH.get() + 1),
        told: None,
        identity,
    };
    setting::set(&kept.to_setting(), Scope::Transaction);
    CURRENT.set(Parsed::now(Some(kept)));
}

/// The subtransaction with the lent identity was rolled back.
pub fn taken_back() {
    wal::enter(false);
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
        wal::enter(true);
        Self(())
    }

    pub fn succeed(self) {
        std::mem::forget(self);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        // An identity that was set meanwhile, and becomes void now, may have written.
        wal::leaves();
        wal::enter(false);
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
    /// only if needed; or if its provider's service has ended it.
    pub fn in_force(&self, began: impl FnOnce() -> i64, look: Look) -> Result<(), Problem> {
        if let Some(until) = self.identity.valid_until {
            // Times that were passed to impersonate() may be as large as an integer.
            let ago = began().saturating_sub(until);
            if ago >= 0 || self.told == Some(Ending::Expired) {
                return Err(Problem::Expired { ago: ago.max(0) });
            }
        }
        if self.told == Some(Ending::Ended) {
            return Err(standing::ended_for_workers());
        }
        match look {
            Look::Now => standing::demand(self.epoch, &self.identity),
            Look::AtTheNextQuery => Ok(()),
        }
    }

    /// Tells the parallel workers that inherit the setting that the identity is out of force. The
    /// end of the transaction undoes it.
    pub fn tell_workers(&self, ended: &Problem) {
        // SAFETY: reads the transaction's state.
        if self.told.is_some() || unsafe { pg_sys::IsInParallelMode() } {
            return;
        }
        let told = match ended {
            Problem::Expired { .. } => Ending::Expired,
            _ => Ending::Ended,
        };
        let told = Self {
            told: Some(told),
            ..self.clone()
        };
        setting::set(&told.to_setting(), Scope::Transaction);
        CURRENT.set(Parsed::now(Some(told)));
    }

    fn to_setting(&self) -> CString {
        let mut text = format!("{} ", self.epoch);
        let told = ENDINGS
            .iter()
            .find(|(ending, _)| Some(*ending) == self.told);
        text.push_str(told.map_or("", |(_, prefix)| prefix));
        self.identity.write_to(&mut text);
        CString::new(text).expect("JSON text contains no NUL")
    }

    fn from_setting(text: &str) -> Option<Self> {
        let (epoch, rest) = text.split_once(' ')?;
        let told = ENDINGS
            .iter()
            .find_map(|(ending, prefix)| Some((*ending, rest.strip_prefix(prefix)?)));
        let identity = told.map_or(rest, |(_, identity)| identity);
        Some(Self {
            epoch: epoch.parse().ok()?,
            told: told.map(|(ending, _)| ending),
            identity: Rc::new(Identity::from_text(identity)?),
        })
    }
}
