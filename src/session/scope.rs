//! How long an identity lasts, and the role that comes with it.

use pgrx::pg_sys;

/// How long an identity lasts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Until the transaction ends, as `SET LOCAL`.
    Transaction,
    /// Until the session ends or another statement changes it, as `SET`.
    Session,
}

impl From<bool> for Scope {
    /// As `set_config` has it: true for a local setting.
    fn from(is_local: bool) -> Self {
        if is_local {
            Scope::Transaction
        } else {
            Scope::Session
        }
    }
}

impl Scope {
    /// The same, as settings know it.
    pub fn action(self) -> pg_sys::GucAction::Type {
        match self {
            Scope::Transaction => pg_sys::GucAction::GUC_ACTION_LOCAL,
            Scope::Session => pg_sys::GucAction::GUC_ACTION_SET,
        }
    }
}

/// Whether statements that follow can be part of the same transaction: in a transaction block,
/// or in a DO block or a procedure that runs outside one.
pub fn in_block() -> bool {
    // SAFETY: both read the transaction's state.
    unsafe { pg_sys::IsTransactionBlock() || pg_sys::SPI_inside_nonatomic_context() }
}
