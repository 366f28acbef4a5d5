//! Before a statement runs, and before a query continues: removes an identity that a refusal has
//! made void from the setting, and resets its role, and the role of an identity that has expired or
//! that its service has ended.

use pgrx::PgLogLevel;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::scope::Scope;
use super::standing::Look;
use super::{current, hooks, role, statement};
use crate::clock;
use crate::error::Problem;
use crate::pg::nodes::reads_a_table;

/// Registers with the hooks.
pub fn define() {
    hooks::define(before_query, before_utility);
}

/// A query on a table was planned with the policies of a role, and the plan cannot be changed any
/// more. A query without a table may be the call that signs in or out. Returns when the query
/// began.
#[pg_guard]
unsafe extern "C-unwind" fn before_query(query: *const pg_sys::QueryDesc) -> i64 {
    // A foreign key's query is part of the statement that fires it. It runs as the tables' owner,
    // and no policy applies.
    // SAFETY: reads a variable of this process.
    if !current::is_anybody() || unsafe { pg_sys::InNoForceRLSOperation() } {
        return hooks::NEVER;
    }
    // SAFETY: a query has a plan, and perhaps a snapshot.
    let (plan, snapshot) = unsafe { (&*(*query).plannedstmt, (*query).snapshot) };
    let began = if current::may_expire() {
        statement::with_snapshot(snapshot)
    } else {
        hooks::NEVER
    };
    if let Err(problem) = settle(|| began, Look::Now, Some(plan)) {
        ErrorReport::from(problem).report(PgLogLevel::ERROR);
    }
    began
}

/// Nothing has been planned yet. A failed transaction can only be ended.
#[pg_guard]
unsafe extern "C-unwind" fn before_utility(statement: *const pg_sys::PlannedStmt) {
    // SAFETY: reads the transaction's state.
    if !unsafe { pg_sys::IsTransactionState() } {
        return;
    }
    // RESET ALL clears the identity, but PostgreSQL exempts the role from it.
    // SAFETY: a statement that PostgreSQL passes.
    let resets_all = current::is_anybody() && unsafe { resets_all((*statement).utilityStmt) };
    // SAFETY: reads the process's state.
    let look = match unsafe { pg_sys::ActiveSnapshotSet() } {
        true => Look::Now,
        false => Look::AtTheNextQuery,
    };
    let outcome = settle(clock::seconds, look, None).and_then(|()| {
        if resets_all {
            current::forget()?;
        }
        Ok(())
    });
    if let Err(problem) = outcome {
        ErrorReport::from(problem).report(PgLogLevel::ERROR);
    }
}

unsafe fn resets_all(statement: *const pg_sys::Node) -> bool {
    use pg_sys::VariableSetKind::VAR_RESET_ALL;
    // SAFETY: the caller passes the statement of a utility command; it has the type that its tag says.
    unsafe {
        (*statement).type_ == pg_sys::NodeTag::T_VariableSetStmt
            && (*statement.cast::<pg_sys::VariableSetStmt>()).kind == VAR_RESET_ALL
    }
}

/// Called before a statement that began at a given time; `plan` is `None` unless it is a query.
/// Removes an identity that a refusal has made void from the setting, which other processes
/// inherit, and resets the role of one that has expired or that its service has ended. Returns an
/// error if the plan was made for the role of that identity, or if the role cannot be reset.
fn settle(
    began: impl FnOnce() -> i64,
    look: Look,
    plan: Option<&pg_sys::PlannedStmt>,
) -> Result<(), Problem> {
    let Some(kept) = current::kept() else {
        return Ok(());
    };
    let is_void = !kept.is_valid();
    let ended = if is_void {
        Problem::Ended
    } else {
        match kept.in_force(began, look) {
            Err(ended) => ended,
            Ok(()) => return Ok(()),
        }
    };
    let role = kept.identity.role.as_deref();
    let is_current = role.is_some_and(role::is_current);
    // SAFETY: a list of the plan.
    let reads_a_table = || plan.is_some_and(|plan| unsafe { reads_a_table(plan.rtable) });
    if is_current && (!role::can_change() || reads_a_table()) {
        return Err(ended);
    }
    if is_void {
        return current::forget();
    }
    if is_current {
        role::replace(role, None, Scope::Session)?;
    }
    if plan.is_some_and(|plan| plan.parallelModeNeeded) {
        kept.tell_workers(&ended);
    }
    Ok(())
}
