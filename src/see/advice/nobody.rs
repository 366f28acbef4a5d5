//! What a condition is when nobody is signed in: each reader is NULL, and PostgreSQL simplifies what follows.
//!
//! Nothing of other people runs here: a call of a function that is not PostgreSQL's own is NULL if the function is
//! strict and an argument is NULL, and otherwise an unknown value.

use std::ffi::{c_char, c_void};

use pgrx::prelude::*;

use super::always::is_always_true;
use super::columns::is_never_null;
use crate::pg::nodes::{
    check_functions_in_node, elements, expression_tree_mutator, expression_tree_walker,
    mutate_query,
};
use crate::session::{is_reader_call, only_expression};

unsafe extern "C-unwind" {
    safe fn func_strict(function: pg_sys::Oid) -> bool;
}

/// Which rows a condition lets pass.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Passes {
    All,
    None,
    /// It depends on the row, or is not known.
    Some,
}

impl Passes {
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::None => "none",
            Self::Some => "some",
        }
    }
}

/// What is assumed.
pub struct Assumed {
    pub table: pg_sys::Oid,
    /// A column that can be NULL, and is compared with a reader by `IS DISTINCT FROM`, is NULL.
    pub is_ownerless: bool,
    /// Somebody is signed in, of whom only that is known: `auth.user_id()` and `auth.uid()` are not NULL.
    pub signed_in: Option<[pg_sys::Oid; 2]>,
}

/// A condition in which what is assumed is written.
///
/// # Safety
/// It must be a condition of a policy of the table.
pub unsafe fn assuming(condition: *mut pg_sys::Node, mut assumed: Assumed) -> *mut pg_sys::Node {
    // SAFETY: as the caller promises, a condition of a policy; `nobody` gets the `Assumed` that it expects.
    unsafe { nobody(condition, std::ptr::from_mut(&mut assumed).cast()) }
}

/// Which rows such a condition of the table lets pass.
///
/// # Safety
/// It must be of `assuming`.
pub unsafe fn passes(condition: *mut pg_sys::Node, table: pg_sys::Oid) -> Passes {
    // SAFETY: as the caller promises, a condition of a policy of the table.
    unsafe {
        let simplified = pg_sys::eval_const_expressions(std::ptr::null_mut(), condition);
        // A condition that is NULL lets no row pass, so that an AND with NULL is false.
        match constant(pg_sys::canonicalize_qual(simplified.cast(), false).cast()) {
            Some(value) if !value.constisnull && value.constvalue.value() != 0 => Passes::All,
            Some(_) => Passes::None,
            None if is_always_true(simplified, table) => Passes::All,
            None => Passes::Some,
        }
    }
}

/// A mutator.
unsafe extern "C-unwind" fn nobody(
    node: *mut pg_sys::Node,
    context: *mut c_void,
) -> *mut pg_sys::Node {
    use pg_sys::NodeTag::*;
    // SAFETY: PostgreSQL's mutator passes nodes of the expression, each of the type that its tag says, and the
    // context of `assuming`.
    unsafe {
        if node.is_null() {
            return node;
        }
        let signed_in = (*context.cast::<Assumed>()).signed_in;
        match (*node).type_ {
            T_NullTest if signed_in.is_some_and(|ids| tests_user(node.cast(), ids)) => {
                let test = &*node.cast::<pg_sys::NullTest>();
                let is_true = test.nulltesttype == pg_sys::NullTestType::IS_NOT_NULL;
                pg_sys::makeBoolConst(is_true, false)
            }
            _ if is_reader_call(node) && signed_in.is_some() => unknown_like(node),
            _ if is_reader_call(node) => null_like(node),
            T_Query => {
                let query = pg_sys::copyObjectImpl(node.cast()).cast::<pg_sys::Query>();
                mutate_query(query, nobody, context);
                query.cast()
            }
            T_SubLink => sub_link(node.cast(), context),
            _ => {
                let node = expression_tree_mutator(node, nobody, context);
                match (*node).type_ {
                    T_DistinctExpr => distinct(node.cast(), context),
                    T_ScalarArrayOpExpr => compared_with_list(node.cast()),
                    T_CoerceToDomain => unknown_unless_null(node, true),
                    T_CoerceViaIO | T_ArrayCoerceExpr if is_of_others(pg_sys::exprType(node)) => {
                        unknown_unless_null(node, true)
                    }
                    _ => known(node),
                }
            }
        }
    }
}

/// Whether it asks if the user's id is NULL.
unsafe fn tests_user(test: *mut pg_sys::NullTest, ids: [pg_sys::Oid; 2]) -> bool {
    // SAFETY: a test of the condition, whose argument is never NULL; each node has the type that its tag says.
    unsafe {
        let mut node: *mut pg_sys::Node = (*test).arg.cast();
        while (*node).type_ == pg_sys::NodeTag::T_SubLink {
            match only_expression(&*node.cast()) {
                Some(expression) => node = expression,
                None => return false,
            }
        }
        (*node).type_ == pg_sys::NodeTag::T_FuncExpr
            && ids.contains(&(*node.cast::<pg_sys::FuncExpr>()).funcid)
    }
}

/// `x IS DISTINCT FROM NULL`. `x` is a column that names the owner of the row.
unsafe fn distinct(node: *mut pg_sys::DistinctExpr, context: *mut c_void) -> *mut pg_sys::Node {
    // SAFETY: a comparison of the condition, and the context of `assuming`.
    unsafe {
        let assumed = &*context.cast::<Assumed>();
        let mut nulls = 0;
        let mut other = std::ptr::null_mut();
        for argument in elements::<pg_sys::Node>((*node).args) {
            match constant(argument) {
                Some(value) if value.constisnull => nulls += 1,
                Some(_) => return node.cast(),
                None => other = argument,
            }
        }
        if nulls != 1 || other.is_null() {
            return node.cast();
        }
        let is_null = assumed.is_ownerless && !is_never_null(other, assumed.table);
        pg_sys::makeBoolConst(!is_null, false)
    }
}

/// `x = ANY (list)`, and `x <> ALL (list)`, are known without `x` if the list is NULL or empty.
unsafe fn compared_with_list(node: *mut pg_sys::ScalarArrayOpExpr) -> *mut pg_sys::Node {
    // SAFETY: a comparison of the condition: its second argument is an array, and a constant that is not NULL
    // has one.
    unsafe {
        let Some(list) = elements((*node).args)
            .nth(1)
            .and_then(|list| constant(list))
        else {
            return known(node.cast());
        };
        if list.constisnull {
            return null_like(node.cast());
        }
        let array = pg_sys::pg_detoast_datum(list.constvalue.cast_mut_ptr());
        if (*array.cast::<pg_sys::ArrayType>()).ndim == 0 {
            return pg_sys::makeBoolConst(!(*node).useOr, false);
        }
        known(node.cast())
    }
}

/// A sub-select that returns no row has a known value.
unsafe fn sub_link(link: *mut pg_sys::SubLink, context: *mut c_void) -> *mut pg_sys::Node {
    use pg_sys::SubLinkType::*;
    // SAFETY: a sub-select of the condition, which is not planned yet, and the context of `assuming`.
    unsafe {
        if let Some(expression) = only_expression(&*link) {
            let expression = pg_sys::copyObjectImpl(expression.cast()).cast();
            pg_sys::IncrementVarSublevelsUp(expression, -1, 1);
            return nobody(expression, context);
        }
        let link = pg_sys::copyObjectImpl(link.cast()).cast::<pg_sys::SubLink>();
        (*link).testexpr = nobody((*link).testexpr, context);
        let query = (*link).subselect.cast::<pg_sys::Query>();
        mutate_query(query, nobody, context);
        let is_empty = returns_no_row(&*query);
        match (*link).subLinkType {
            EXISTS_SUBLINK | ANY_SUBLINK if is_empty => pg_sys::makeBoolConst(false, false),
            ALL_SUBLINK if is_empty => pg_sys::makeBoolConst(true, false),
            EXPR_SUBLINK if is_empty => null_like(link.cast()),
            ARRAY_SUBLINK if is_empty => {
                let array = pg_sys::exprType(link.cast());
                let element = pg_sys::get_base_element_type(array);
                let empty = pg_sys::construct_empty_array(element);
                let node = pg_sys::makeConst(
                    array,
                    -1,
                    pg_sys::exprCollation(link.cast()),
                    -1,
                    pg_sys::Datum::from(empty),
                    false,
                    false,
                );
                node.cast()
            }
            // It is NULL, or false for an empty list: in no case true.
            ANY_SUBLINK if constant((*link).testexpr).is_some_and(|value| value.constisnull) => {
                null_like(link.cast())
            }
            _ => link.cast(),
        }
    }
}

/// Whether the condition of a query is never true.
unsafe fn returns_no_row(query: &pg_sys::Query) -> bool {
    // SAFETY: a query of the condition, which is not planned yet, so it has a jointree.
    unsafe {
        let always_returns = query.hasAggs && query.groupClause.is_null();
        if always_returns
            || !query.groupingSets.is_null()
            || !query.setOperations.is_null()
            || !query.havingQual.is_null()
            || query.jointree.is_null()
        {
            return false;
        }
        never_true((*query.jointree).quals)
    }
}

/// Whether a condition is NULL or false for every row.
///
/// # Safety
/// It must be a condition, of which no function of others is called.
pub unsafe fn never_true(condition: *mut pg_sys::Node) -> bool {
    // SAFETY: as the caller promises, a condition.
    unsafe {
        constant(condition).is_some_and(|value| value.constisnull || value.constvalue.value() == 0)
    }
}

/// The constant that an expression simplifies to.
unsafe fn constant<'a>(expression: *mut pg_sys::Node) -> Option<&'a pg_sys::Const> {
    // SAFETY: NULL or an expression; the simplified one is in this memory context and has the type that its
    // tag says.
    unsafe {
        if expression.is_null() {
            return None;
        }
        let simplified = pg_sys::eval_const_expressions(std::ptr::null_mut(), expression);
        ((*simplified).type_ == pg_sys::NodeTag::T_Const)
            .then(|| &*simplified.cast::<pg_sys::Const>())
    }
}

unsafe fn null_like(node: *mut pg_sys::Node) -> *mut pg_sys::Node {
    // SAFETY: an expression of the condition.
    unsafe { pg_sys::makeNullConst(pg_sys::exprType(node), -1, pg_sys::exprCollation(node)).cast() }
}

/// The same, unless it calls a function that is not PostgreSQL's own.
unsafe fn known(node: *mut pg_sys::Node) -> *mut pg_sys::Node {
    // SAFETY: an expression of the condition; `is_function_of_others` gets the flag that it expects.
    unsafe {
        let mut is_strict = true;
        let found = std::ptr::from_mut(&mut is_strict).cast();
        if check_functions_in_node(node, is_function_of_others, found) {
            unknown_unless_null(node, is_strict)
        } else {
            node
        }
    }
}

/// NULL if it is strict and has an operand that is NULL; otherwise a value that is not known.
unsafe fn unknown_unless_null(node: *mut pg_sys::Node, is_strict: bool) -> *mut pg_sys::Node {
    // SAFETY: an expression of the condition.
    unsafe {
        let nothing = std::ptr::null_mut();
        if is_strict && expression_tree_walker(node, is_null, nothing) {
            return null_like(node);
        }
        unknown_like(node)
    }
}

unsafe fn unknown_like(node: *mut pg_sys::Node) -> *mut pg_sys::Node {
    // SAFETY: an expression of the condition; the new node is in this memory context.
    unsafe {
        let mut unknown = PgBox::<pg_sys::Param>::alloc_node(pg_sys::NodeTag::T_Param);
        unknown.paramkind = pg_sys::ParamKind::PARAM_EXTERN;
        unknown.paramid = 1;
        unknown.paramtype = pg_sys::exprType(node);
        unknown.paramtypmod = -1;
        unknown.paramcollid = pg_sys::exprCollation(node);
        unknown.location = -1;
        unknown.into_pg().cast()
    }
}

/// A walker of the operands.
unsafe extern "C-unwind" fn is_null(node: *mut pg_sys::Node, nothing: *mut c_void) -> bool {
    // SAFETY: PostgreSQL's walker passes nodes of the expression, each of the type that its tag says; the
    // context is not used.
    unsafe {
        if node.is_null() {
            return false;
        }
        if (*node).type_ == pg_sys::NodeTag::T_List {
            return expression_tree_walker(node, is_null, nothing);
        }
        constant(node).is_some_and(|value| value.constisnull)
    }
}

unsafe extern "C-unwind" fn is_function_of_others(
    function: pg_sys::Oid,
    is_strict: *mut c_void,
) -> bool {
    let is_of_others = is_of_others(function);
    if is_of_others {
        // SAFETY: the context is the flag of `known`.
        unsafe { *is_strict.cast::<bool>() = func_strict(function) };
    }
    is_of_others
}

/// Whether a function or a type is not PostgreSQL's own.
pub fn is_of_others(object: pg_sys::Oid) -> bool {
    object.to_u32() >= pg_sys::FirstNormalObjectId
}

unsafe extern "C-unwind" {
    safe fn func_volatile(function: pg_sys::Oid) -> c_char;
}

/// Whether a function may return something else at each call.
pub fn is_volatile(function: pg_sys::Oid) -> bool {
    func_volatile(function) as u8 == b'v'
}
