//! Runs a query of our own; runs one expression, and returns its value as text; prepares a statement.

use std::ffi::{CStr, c_char};

use pgrx::prelude::*;

use crate::pg::compat;
use crate::pg::nodes::elements;

/// What CONTEXT and logs may call it.
const TEXT: &CStr = c"a query of neon_auth.explain_policy or neon_auth.access_report";

/// A query of one row with one column.
pub struct Query {
    query: *mut pg_sys::Query,
    /// The type of `$1`, and its value as text.
    row: Option<(pg_sys::Oid, *const c_char)>,
}

// Without pgrx's guard: they run inside `raised::attempt`.
unsafe extern "C-unwind" {
    fn AcquireRewriteLocks(query: *mut pg_sys::Query, executes: bool, pushed_down: bool);
    fn QueryRewrite(query: *mut pg_sys::Query) -> *mut pg_sys::List;
    fn planner(
        query: *mut pg_sys::Query,
        text: *const c_char,
        options: i32,
        parameters: pg_sys::ParamListInfo,
    ) -> *mut pg_sys::PlannedStmt;
    fn CreateQueryDesc(
        plan: *mut pg_sys::PlannedStmt,
        text: *const c_char,
        snapshot: pg_sys::Snapshot,
        crosscheck: pg_sys::Snapshot,
        receiver: *mut pg_sys::DestReceiver,
        parameters: pg_sys::ParamListInfo,
        environment: *mut pg_sys::QueryEnvironment,
        instruments: i32,
    ) -> *mut pg_sys::QueryDesc;
    fn ExecutorStart(query: *mut pg_sys::QueryDesc, flags: i32);
    fn ExecutorFinish(query: *mut pg_sys::QueryDesc);
    fn ExecutorEnd(query: *mut pg_sys::QueryDesc);
    fn FreeQueryDesc(query: *mut pg_sys::QueryDesc);
    fn GetActiveSnapshot() -> pg_sys::Snapshot;
    fn PushCopiedSnapshot(snapshot: pg_sys::Snapshot);
    fn UpdateActiveSnapshotCommandId();
    fn PopActiveSnapshot();
    fn CommandCounterIncrement();
    fn makeParamList(count: i32) -> pg_sys::ParamListInfo;
    fn getTypeInputInfo(of: pg_sys::Oid, function: *mut pg_sys::Oid, io_type: *mut pg_sys::Oid);
    fn getTypeOutputInfo(of: pg_sys::Oid, function: *mut pg_sys::Oid, is_varlena: *mut bool);
    fn OidInputFunctionCall(
        function: pg_sys::Oid,
        text: *const c_char,
        io_type: pg_sys::Oid,
        modifier: i32,
    ) -> pg_sys::Datum;
    fn OidOutputFunctionCall(function: pg_sys::Oid, value: pg_sys::Datum) -> *mut c_char;
    fn MemoryContextStrdup(context: pg_sys::MemoryContext, text: *const c_char) -> *mut c_char;
    fn SPI_connect() -> i32;
    fn SPI_prepare(
        statement: *const c_char,
        count: i32,
        types: *mut pg_sys::Oid,
    ) -> pg_sys::SPIPlanPtr;
    fn SPI_finish() -> i32;
    fn slot_getsomeattrs_int(slot: *mut pg_sys::TupleTableSlot, columns: i32);
}

/// Parses and rewrites a statement, without executing it.
///
/// # Safety
/// Inside `raised::attempt`.
pub unsafe fn prepare(statement: *const c_char) {
    // SAFETY: as the caller promises, inside `raised::attempt`, after whose ERROR a subtransaction is rolled back,
    // which ends SPI; the statement is a C string.
    unsafe {
        SPI_connect();
        SPI_prepare(statement, 0, std::ptr::null_mut());
        SPI_finish();
    }
}

/// The plan of a SELECT. Row-level security of its tables is that of the current user.
///
/// # Safety
/// Inside `raised::attempt`; once, because it changes the query.
pub unsafe fn plan(query: *mut pg_sys::Query) -> *mut pg_sys::PlannedStmt {
    // SAFETY: as the caller promises, inside `raised::attempt`; the query may be changed.
    unsafe {
        AcquireRewriteLocks(query, true, false);
        let rewritten = elements::<pg_sys::Query>(QueryRewrite(query)).next();
        let query = rewritten.unwrap_or(query);
        planner(query, TEXT.as_ptr(), 0, std::ptr::null_mut())
    }
}

/// Runs a plan, whose rows go to the receiver.
///
/// # Safety
/// Inside `raised::attempt`; the parameters must be those of the plan.
pub unsafe fn run(
    plan: *mut pg_sys::PlannedStmt,
    parameters: pg_sys::ParamListInfo,
    receiver: *mut pg_sys::DestReceiver,
) {
    // SAFETY: as the caller promises, inside `raised::attempt`; plan, parameters and receiver live through the
    // call.
    unsafe {
        CommandCounterIncrement();
        PushCopiedSnapshot(GetActiveSnapshot());
        UpdateActiveSnapshotCommandId();
        let query = CreateQueryDesc(
            plan,
            TEXT.as_ptr(),
            GetActiveSnapshot(),
            std::ptr::null_mut(),
            receiver,
            parameters,
            std::ptr::null_mut(),
            0,
        );
        ExecutorStart(query, 0);
        compat::run_to_the_end(query);
        ExecutorFinish(query);
        ExecutorEnd(query);
        FreeQueryDesc(query);
        PopActiveSnapshot();
    }
}

/// A receiver of rows, with the function that takes each.
pub fn receiver(
    receive: unsafe extern "C-unwind" fn(
        *mut pg_sys::TupleTableSlot,
        *mut pg_sys::DestReceiver,
    ) -> bool,
) -> pg_sys::DestReceiver {
    pg_sys::DestReceiver {
        receiveSlot: Some(receive),
        rStartup: Some(start),
        rShutdown: Some(end),
        rDestroy: Some(end),
        mydest: pg_sys::CommandDest::DestNone,
    }
}

impl Query {
    /// `SELECT expression`, or `SELECT true WHERE expression`: as a condition on rows, its parts are evaluated in
    /// the order of their costs.
    ///
    /// # Safety
    /// The expression must be bound to this row, a copy that nothing else uses.
    pub unsafe fn of(
        expression: *mut pg_sys::Node,
        row: Option<(pg_sys::Oid, *const c_char)>,
        is_filter: bool,
    ) -> Self {
        // SAFETY: as the caller promises, an expression of its own; all nodes are in this memory context.
        unsafe {
            let name = c"value".as_ptr().cast_mut();
            let (value, condition) = match is_filter {
                true => (pg_sys::makeBoolConst(true, false), expression),
                false => (expression, std::ptr::null_mut()),
            };
            let column = pg_sys::makeTargetEntry(value.cast(), 1, name, false);
            let mut query = PgBox::<pg_sys::Query>::alloc_node(pg_sys::NodeTag::T_Query);
            query.commandType = pg_sys::CmdType::CMD_SELECT;
            query.canSetTag = true;
            query.jointree = pg_sys::makeFromExpr(std::ptr::null_mut(), condition);
            query.hasSubLinks = pg_sys::checkExprHasSubLink(expression);
            query.targetList = pg_sys::lappend(std::ptr::null_mut(), column.cast());
            Self {
                query: query.into_pg(),
                row,
            }
        }
    }

    /// The value; null for NULL, or for a filter that lets no row pass.
    ///
    /// # Safety
    /// Inside `raised::attempt`; once.
    pub unsafe fn run(&self) -> *mut c_char {
        // SAFETY: as the caller promises, inside `raised::attempt` and once; the receiver lives through the
        // run.
        unsafe {
            // The plan is made without the row, so that nothing is evaluated before it is needed.
            let plan = plan(self.query);
            let parameters = self.parameters();
            let mut receiver = Receiver::new();
            run(plan, parameters, (&raw mut receiver).cast());
            receiver.value
        }
    }

    unsafe fn parameters(&self) -> pg_sys::ParamListInfo {
        // SAFETY: the text of the row is a C string, which the input function of its type reads.
        unsafe {
            let Some((of, text)) = self.row else {
                return std::ptr::null_mut();
            };
            let (mut function, mut io_type) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
            getTypeInputInfo(of, &raw mut function, &raw mut io_type);
            let list = makeParamList(1);
            let parameter = (*list).params.as_mut_ptr();
            (*parameter).value = OidInputFunctionCall(function, text, io_type, -1);
            (*parameter).isnull = false;
            (*parameter).pflags = 0;
            (*parameter).ptype = of;
            list
        }
    }
}

/// Receives the row of the query.
#[repr(C)]
struct Receiver {
    base: pg_sys::DestReceiver,
    context: pg_sys::MemoryContext,
    value: *mut c_char,
}

impl Receiver {
    fn new() -> Self {
        Self {
            base: receiver(receive),
            // SAFETY: reads a variable of this process.
            context: unsafe { pg_sys::CurrentMemoryContext },
            value: std::ptr::null_mut(),
        }
    }
}

unsafe extern "C-unwind" fn start(
    _receiver: *mut pg_sys::DestReceiver,
    _operation: i32,
    _description: pg_sys::TupleDesc,
) {
}

unsafe extern "C-unwind" fn end(_receiver: *mut pg_sys::DestReceiver) {}

unsafe extern "C-unwind" fn receive(
    slot: *mut pg_sys::TupleTableSlot,
    receiver: *mut pg_sys::DestReceiver,
) -> bool {
    // SAFETY: PostgreSQL passes a slot with the one column of the plan, and the receiver with which it was
    // run, the `Receiver`.
    unsafe {
        let receiver = &mut *receiver.cast::<Receiver>();
        if (*slot).tts_nvalid < 1 {
            slot_getsomeattrs_int(slot, 1);
        }
        if !*(*slot).tts_isnull {
            let of = (*compat::attribute((*slot).tts_tupleDescriptor, 0)).atttypid;
            let (mut function, mut is_varlena) = (pg_sys::InvalidOid, false);
            getTypeOutputInfo(of, &raw mut function, &raw mut is_varlena);
            let text = OidOutputFunctionCall(function, *(*slot).tts_values);
            receiver.value = MemoryContextStrdup(receiver.context, text);
        }
        true
    }
}
