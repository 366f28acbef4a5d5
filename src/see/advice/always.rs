//! Conditions that are true for every row by their form, and that PostgreSQL does not simplify: `done OR NOT done`,
//! `owner IS NULL OR owner IS NOT NULL`, and `owner = owner` if `owner` cannot be NULL.
//!
//! What is no AND, OR, NOT or test for NULL is a fact, which can be true, false or NULL, whatever the other facts are.
//! So what is true for all values of its facts is true for every row; the contrary does not follow.

use std::ffi::c_void;

use pgrx::pg_sys;

use super::columns::{is_never_null, without_relabel};
use crate::pg::nodes::{elements, walk_into};

/// More facts are not tried: each triples the work.
const MOST_FACTS: usize = 6;

/// Whether a condition of the table is true for every row.
///
/// # Safety
/// It must be a simplified condition of a policy of the table.
pub unsafe fn is_always_true(condition: *mut pg_sys::Node, table: pg_sys::Oid) -> bool {
    // SAFETY: as the caller promises, a condition of a policy of the table.
    unsafe {
        if pg_sys::contain_volatile_functions(condition) {
            return false;
        }
        let mut facts = Facts {
            table,
            facts: Vec::new(),
        };
        let formula = facts.formula(condition);
        facts.facts.len() <= MOST_FACTS && facts.all_make_true(&formula)
    }
}

/// NULL is unknown.
type Value = Option<bool>;

struct Fact {
    expression: *mut pg_sys::Node,
    can_be_null: bool,
}

enum Formula {
    Constant(Value),
    Fact {
        number: usize,
        is_negated: bool,
    },
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    /// IS NULL of a fact, or IS NOT NULL.
    NullTest {
        number: usize,
        is_null: bool,
    },
    /// IS TRUE, or IS FALSE, or IS UNKNOWN; or IS NOT.
    Test {
        of: Box<Self>,
        value: Value,
        is_negated: bool,
    },
    /// A comparison of a fact with itself: true or NULL.
    Same {
        number: usize,
    },
}

struct Facts {
    table: pg_sys::Oid,
    facts: Vec<Fact>,
}

impl Facts {
    unsafe fn formula(&mut self, node: *mut pg_sys::Node) -> Formula {
        use pg_sys::NodeTag::*;
        // SAFETY: a node of the policy's condition; it has the type that its tag says.
        unsafe {
            match (*node).type_ {
                T_Const => {
                    let value = &*node.cast::<pg_sys::Const>();
                    Formula::Constant((!value.constisnull).then(|| value.constvalue.value() != 0))
                }
                T_BoolExpr => self.joint(&*node.cast()),
                T_NullTest => {
                    let test = &*node.cast::<pg_sys::NullTest>();
                    if test.argisrow {
                        return self.fact(node);
                    }
                    let (number, _) = self.number(test.arg.cast());
                    let is_null = test.nulltesttype == pg_sys::NullTestType::IS_NULL;
                    Formula::NullTest { number, is_null }
                }
                T_BooleanTest => self.test(&*node.cast()),
                T_OpExpr => match same(&*node.cast()) {
                    Some(expression) => {
                        let (number, _) = self.number(expression);
                        Formula::Same { number }
                    }
                    None => self.fact(node),
                },
                _ => self.fact(node),
            }
        }
    }

    unsafe fn joint(&mut self, joint: &pg_sys::BoolExpr) -> Formula {
        use pg_sys::BoolExprType::*;
        // SAFETY: the parts of a condition.
        unsafe {
            let mut parts: Vec<Formula> = elements(joint.args)
                .map(|part| self.formula(part))
                .collect();
            match joint.boolop {
                AND_EXPR => Formula::And(parts),
                OR_EXPR => Formula::Or(parts),
                _ => Formula::Not(Box::new(parts.remove(0))),
            }
        }
    }

    unsafe fn test(&mut self, test: &pg_sys::BooleanTest) -> Formula {
        use pg_sys::BoolTestType::*;
        let (value, is_negated) = match test.booltesttype {
            IS_TRUE => (Some(true), false),
            IS_NOT_TRUE => (Some(true), true),
            IS_FALSE => (Some(false), false),
            IS_NOT_FALSE => (Some(false), true),
            IS_UNKNOWN => (None, false),
            _ => (None, true),
        };
        // SAFETY: the argument of a test of the condition.
        let of = Box::new(unsafe { self.formula(test.arg.cast()) });
        Formula::Test {
            of,
            value,
            is_negated,
        }
    }

    unsafe fn fact(&mut self, node: *mut pg_sys::Node) -> Formula {
        // SAFETY: a part of the condition.
        let (number, is_negated) = unsafe { self.number(node) };
        Formula::Fact { number, is_negated }
    }

    /// The number of a fact, and whether the node is its contrary, such as `<>` of `=`.
    unsafe fn number(&mut self, node: *mut pg_sys::Node) -> (usize, bool) {
        // SAFETY: a node of the policy's condition; it has the type that its tag says.
        unsafe {
            let node = without_relabel(node);
            // A parameter stands for any unknown value, and not always for the same.
            let is_known = !has_parameter(node, std::ptr::null_mut());
            for (number, fact) in self.facts.iter().enumerate().filter(|_| is_known) {
                if pg_sys::equal(fact.expression.cast(), node.cast()) {
                    return (number, false);
                }
                if are_contrary(fact.expression, node) {
                    return (number, true);
                }
            }
            self.facts.push(Fact {
                expression: node,
                can_be_null: !is_never_null(node, self.table),
            });
            (self.facts.len() - 1, false)
        }
    }

    fn all_make_true(&self, formula: &Formula) -> bool {
        let mut values = vec![Some(false); self.facts.len()];
        self.rest_makes_true(formula, &mut values, 0)
    }

    /// With all values of the facts from this one on.
    fn rest_makes_true(&self, formula: &Formula, values: &mut [Value], from: usize) -> bool {
        let Some(fact) = self.facts.get(from) else {
            return formula.value(values) == Some(true);
        };
        [Some(false), Some(true), None]
            .into_iter()
            .filter(|value| value.is_some() || fact.can_be_null)
            .all(|value| {
                values[from] = value;
                self.rest_makes_true(formula, values, from + 1)
            })
    }
}

impl Formula {
    fn value(&self, facts: &[Value]) -> Value {
        match self {
            Self::Constant(value) => *value,
            Self::Fact { number, is_negated } => facts[*number].map(|value| value != *is_negated),
            Self::And(parts) => joined(parts, facts, false),
            Self::Or(parts) => joined(parts, facts, true),
            Self::Not(part) => part.value(facts).map(|value| !value),
            Self::NullTest { number, is_null } => Some(facts[*number].is_none() == *is_null),
            Self::Test {
                of,
                value,
                is_negated,
            } => Some((of.value(facts) == *value) != *is_negated),
            Self::Same { number } => facts[*number].map(|_| true),
        }
    }
}

/// AND, which false decides, or OR, which true decides.
fn joined(parts: &[Formula], facts: &[Value], decides: bool) -> Value {
    let mut joined = Some(!decides);
    for part in parts {
        match part.value(facts) {
            Some(value) if value == decides => return Some(decides),
            Some(_) => {}
            None => joined = None,
        }
    }
    joined
}

/// What is compared with itself by an operator that is an equality.
unsafe fn same(operator: &pg_sys::OpExpr) -> Option<*mut pg_sys::Node> {
    // SAFETY: the arguments of an operator are expressions.
    unsafe {
        let mut arguments = elements::<pg_sys::Node>(operator.args);
        let (one, other) = (arguments.next()?, arguments.next()?);
        let is_equality = pg_sys::op_mergejoinable(operator.opno, pg_sys::exprType(one));
        (is_equality
            && !has_parameter(one, std::ptr::null_mut())
            && pg_sys::equal(one.cast(), other.cast()))
        .then_some(one)
    }
}

/// A walker.
unsafe extern "C-unwind" fn has_parameter(node: *mut pg_sys::Node, nothing: *mut c_void) -> bool {
    // SAFETY: PostgreSQL's walker passes nodes of the expression, each of the type that its tag says; the
    // context is not used.
    unsafe {
        !node.is_null()
            && ((*node).type_ == pg_sys::NodeTag::T_Param
                || walk_into(node, has_parameter, nothing))
    }
}

unsafe fn are_contrary(one: *mut pg_sys::Node, other: *mut pg_sys::Node) -> bool {
    // SAFETY: two parts of the condition, each of the type that its tag says.
    unsafe {
        if (*one).type_ != pg_sys::NodeTag::T_OpExpr || (*other).type_ != pg_sys::NodeTag::T_OpExpr
        {
            return false;
        }
        let (one, other) = (
            &*one.cast::<pg_sys::OpExpr>(),
            &*other.cast::<pg_sys::OpExpr>(),
        );
        pg_sys::get_negator(one.opno) == other.opno
            && pg_sys::equal(one.args.cast(), other.args.cast())
    }
}
