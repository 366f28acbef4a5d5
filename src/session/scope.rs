//! How long an identity and its role last.

use pgrx::pg_sys;

/// How long an identity lasts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Until the transaction ends, as with `SET LOCAL`.
    Transaction,
    /// Until the session ends or another statement changes it, as with `SET`.
    Session,
}

impl From<bool> for Scope {
    /// The argument of `set_config`: true for a local setting.
    fn from(is_local: bool) -> Self {
        if is_local {
            Scope::Transaction
        } else {
            Scope::Session
        }
    }
}

impl Scope {
    /// The same, for settings in C.
    pub fn action(self) -> pg_sys::GucAction::Type {
        match self {
            Scope::Transaction => pg_sys::GucAction::GUC_ACTION_LOCAL,
            Scope::Session => pg_sys::GucAction::GUC_ACTION_SET,
        }
    }
}

/// Whether later statements can be part of the same transaction: in a transaction block, or in a DO
/// block or a procedure that runs outside one.
pub fn in_block() -> bool {
    // SAFETY: both read the transaction's state.
    unsafe { pg_sys::IsTransactionBlock() || pg_sys::SPI_inside_nonatomic_context() }
}
