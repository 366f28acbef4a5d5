//! `neon_auth_internal.better_auth_changed()`: the trigger on Better Auth's tables.

use std::ffi::CStr;

use pgrx::prelude::*;

use super::follow::{self, Change, Concern, Unusable};
use super::ids;
use crate::error::Problem;
use crate::pg::others::OthersRow;
use crate::pg::raised::passes_errors;
use crate::provider::{Bound, What, bound_if_any};

passes_errors! {
    neon_auth_better_auth_changed, pg_finfo_neon_auth_better_auth_changed => changed;
}

/// # Safety
/// PostgreSQL calls it, as a trigger.
#[pg_guard]
unsafe extern "C-unwind" fn changed(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: a trigger's context describes it.
    unsafe {
        let context = (*call).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
            pgrx::error!("this function can only be called as a trigger");
        }
        let trigger = &*context.cast::<pg_sys::TriggerData>();
        let statement = Statement {
            relation: (*trigger.tg_relation).rd_id,
            old: trigger.tg_oldtable,
            new: trigger.tg_newtable,
            is_truncate: trigger.tg_event & pg_sys::TRIGGER_EVENT_OPMASK
                == pg_sys::TRIGGER_EVENT_TRUNCATE,
        };
        if let Some(what) = argument(&*trigger.tg_trigger)
            && what.feeds_the_mirror()
            && statement.has_changed_rows()
        {
            follow::follow(what, || statement.change(what));
        }
    }
    pg_sys::Datum::null()
}

/// The model that the trigger was created for.
unsafe fn argument(trigger: &pg_sys::Trigger) -> Option<What> {
    if trigger.tgnargs != 1 {
        return None;
    }
    // SAFETY: as many arguments as counted.
    let argument = unsafe { CStr::from_ptr(*trigger.tgargs) };
    What::named(argument.to_str().ok()?)
}

impl What {
    fn feeds_the_mirror(self) -> bool {
        !matches!(self, Self::Session | Self::Jwks)
    }
}

/// What a statement did to a table.
struct Statement {
    relation: pg_sys::Oid,
    old: *mut pg_sys::Tuplestorestate,
    new: *mut pg_sys::Tuplestorestate,
    is_truncate: bool,
}

impl Statement {
    fn stores(&self) -> impl Iterator<Item = *mut pg_sys::Tuplestorestate> {
        let stores = [self.old, self.new];
        stores.into_iter().filter(|store| !store.is_null())
    }

    /// Most cascades change none.
    fn has_changed_rows(&self) -> bool {
        // SAFETY: PostgreSQL passes the transition tables that the trigger names.
        self.is_truncate
            || self
                .stores()
                .any(|store| unsafe { pg_sys::tuplestore_tuple_count(store) } > 0)
    }

    /// What has to be read again; nothing if the table is not, or no longer, the bound one.
    fn change(&self, what: What) -> Result<Option<Change>, Problem> {
        let Some(bound) = bound_if_any(what)? else {
            return Ok(None);
        };
        if bound.table().oid() != self.relation {
            return Ok(None);
        }
        let concern = Concern::of(what);
        if self.is_truncate {
            return Ok(Some(Change::everything(concern)));
        }
        let mut ids = Vec::new();
        let mut unusable = None;
        for store in self.stores() {
            let is_new = store == self.new;
            let read = |row: &OthersRow| match id_of(what, &bound, row) {
                Some(id) => ids.push(id),
                // The deletion of a row that the mirror could not have is none of its concern.
                None if is_new => unusable = Some(Unusable),
                None => {}
            };
            // SAFETY: a transition table of the bound table.
            unsafe { bound.table().each_in(store, read) };
        }
        Ok(Some(Change::new(
            concern,
            ids,
            self.old.is_null(),
            unusable,
        )))
    }
}

/// The id by which the mirror finds what a row is about: of a user or a team, or of a team and a user.
fn id_of(what: What, bound: &Bound, row: &OthersRow) -> Option<(String, String)> {
    let id = |name| ids::id(row, bound.required(name));
    let team = |name| ids::team(row, bound.required(name));
    match what {
        What::User | What::Organization => Some((id("id")?, String::new())),
        What::Team => Some((team("id")?, String::new())),
        What::Member => Some((id("organizationId")?, id("userId")?)),
        What::TeamMember => Some((team("teamId")?, id("userId")?)),
        What::OrganizationRole => Some((id("organizationId")?, String::new())),
        What::Session | What::Jwks | What::ApiKey => None,
    }
}
