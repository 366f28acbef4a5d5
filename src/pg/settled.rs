//! Text output that does not depend on the session's settings.

use pgrx::pg_sys;

/// While it exists, output functions write as if the session had these settings: DateStyle ISO,
/// IntervalStyle iso_8601, TimeZone UTC, bytea_output hex, extra_float_digits 1. The variables are set
/// themselves, without what SET does in addition. Nothing that user code can see may run meanwhile.
pub struct Settled {
    date_style: i32,
    interval_style: i32,
    float_digits: i32,
    bytea: i32,
    zone: *mut pg_sys::pg_tz,
}

unsafe extern "C" {
    static mut bytea_output: i32;
}

const BYTEA_OUTPUT_HEX: i32 = 1;

impl Settled {
    pub fn enter() -> Self {
        // SAFETY: variables of this process, restored when this is dropped, also after an ERROR.
        unsafe {
            let zone = pg_sys::pg_tzset(c"UTC".as_ptr());
            let before = Self {
                date_style: pg_sys::DateStyle,
                interval_style: pg_sys::IntervalStyle,
                float_digits: pg_sys::extra_float_digits,
                bytea: bytea_output,
                zone: pg_sys::session_timezone,
            };
            pg_sys::DateStyle = pg_sys::USE_ISO_DATES as i32;
            pg_sys::IntervalStyle = pg_sys::INTSTYLE_ISO_8601 as i32;
            pg_sys::extra_float_digits = 1;
            bytea_output = BYTEA_OUTPUT_HEX;
            if !zone.is_null() {
                pg_sys::session_timezone = zone;
            }
            before
        }
    }
}

impl Drop for Settled {
    fn drop(&mut self) {
        // SAFETY: the same variables.
        unsafe {
            pg_sys::DateStyle = self.date_style;
            pg_sys::IntervalStyle = self.interval_style;
            pg_sys::extra_float_digits = self.float_digits;
            bytea_output = self.bytea;
            pg_sys::session_timezone = self.zone;
        }
    }
}
