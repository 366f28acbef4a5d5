//! What becomes of an expression for a row, and which of its parts decide.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::as_user::AsUser;
use super::execute::Query;
use super::expression::{Expression, Joint};
use crate::pg::raised::Raised;

/// What became of an expression.
#[derive(Clone)]
pub enum Outcome {
    /// Its value as text.
    Value(Option<String>),
    Raised(Raised),
    /// It depends on a row, and none was given.
    NeedsRow,
    /// It reads a column that only a stored row has.
    NeedsStoredRow,
    /// It reads a column whose value is not known before the row is stored, such as a number of a sequence.
    NeedsNumber,
}

impl Outcome {
    /// Whether a condition of this value is fulfilled; `None` if that is not known.
    pub fn passes(&self) -> Option<bool> {
        match self {
            Self::Value(value) => Some(value.as_deref() == Some("t")),
            _ => None,
        }
    }

    fn is_unknown(&self) -> bool {
        !matches!(self, Self::Value(_) | Self::Raised(_))
    }
}

/// An expression, or a part of it, and what became of it.
pub struct Found {
    pub sql: String,
    pub outcome: Outcome,
}

/// As whom, and for which row, expressions are evaluated.
pub struct Evaluation<'a> {
    pub user: &'a AsUser,
    pub row_type: pg_sys::Oid,
    /// As `record_out` writes it.
    pub row: Option<&'a CStr>,
    /// Numbers of columns whose values are not known.
    pub unknown: &'a [i16],
}

impl Evaluation<'_> {
    /// The expression, then the parts that decide: those of an AND that are not fulfilled, those of an OR that are.
    pub fn find(&self, expression: Expression) -> Vec<Found> {
        let outcome = self.outcome(expression, false);
        let mut found = vec![Found {
            sql: expression.sql(),
            outcome: outcome.clone(),
        }];
        let Some((joint, parts)) = expression.parts() else {
            return found;
        };
        let decides = match (joint, &outcome) {
            (Joint::And, Outcome::Value(value)) if value.as_deref() == Some("t") => return found,
            (Joint::Or, Outcome::Value(value)) if value.as_deref() != Some("t") => return found,
            (Joint::And, _) => |outcome: &Outcome| outcome.passes() != Some(true),
            (Joint::Or, _) => |outcome: &Outcome| outcome.passes() != Some(false),
        };
        for part in parts {
            let outcome = self.outcome(part, false);
            if !matches!(outcome, Outcome::NeedsRow) && decides(&outcome) {
                let sql = part.sql();
                found.push(Found { sql, outcome });
            }
        }
        found
    }

    /// Whether all conditions are fulfilled, of which later ones are not evaluated for a row that an earlier one
    /// refuses. Privileges of all of them are checked before any row is read.
    pub fn pass(&self, conditions: &[Expression], are_filters: bool) -> Outcome {
        let mut result = Outcome::Value(Some("t".to_owned()));
        for condition in conditions {
            let outcome = self.outcome(*condition, are_filters);
            let lacks_privilege =
                matches!(&outcome, Outcome::Raised(raised) if raised.sqlstate() == "42501");
            let refuses_all_the_same = result.is_unknown() && outcome.passes() == Some(false);
            if lacks_privilege || refuses_all_the_same || result.passes() == Some(true) {
                result = outcome;
            }
            if lacks_privilege {
                break;
            }
        }
        result
    }

    fn outcome(&self, expression: Expression, is_filter: bool) -> Outcome {
        let bound = expression.bound(self.row_type, self.unknown);
        let lacks = match self.row {
            None if bound.reads_row => Outcome::NeedsRow,
            _ if bound.reads_system_column => Outcome::NeedsStoredRow,
            _ if bound.reads_unknown_column => Outcome::NeedsNumber,
            _ => {
                let row = self.row.map(|row| (self.row_type, row.as_ptr()));
                // SAFETY: a copy of the expression, bound to the row; in a transaction.
                return unsafe {
                    let query = Query::of(bound.node, row, is_filter);
                    match self.user.attempt(|| query.run()) {
                        Ok(value) if value.is_null() => Outcome::Value(None),
                        Ok(value) => {
                            let value = CStr::from_ptr(value).to_string_lossy().into_owned();
                            Outcome::Value(Some(value))
                        }
                        Err(raised) => Outcome::Raised(raised),
                    }
                };
            }
        };
        // Parts that are known may decide.
        let Some((joint, parts)) = expression.parts() else {
            return lacks;
        };
        let parts: Vec<Outcome> = parts
            .into_iter()
            .map(|part| self.outcome(part, is_filter))
            .collect();
        let is_any = |passes| parts.iter().any(|part| part.passes() == Some(passes));
        match joint {
            Joint::And if is_any(false) => Outcome::Value(Some("f".to_owned())),
            Joint::Or if is_any(true) => Outcome::Value(Some("t".to_owned())),
            Joint::Or if parts.iter().all(|part| part.passes().is_some()) => {
                let is_null = parts
                    .iter()
                    .any(|part| matches!(part, Outcome::Value(None)));
                Outcome::Value((!is_null).then(|| "f".to_owned()))
            }
            _ => lacks,
        }
    }
}
