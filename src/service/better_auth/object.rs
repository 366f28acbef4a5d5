//! The object that stands for a row of Better Auth in the column `raw_json` of the mirror.
//!
//! It has the members that the mirror's generated columns read, under the names that Stack Auth gives
//! them, and then the row's own columns, except those that may contain secrets.

use std::ffi::{CStr, CString};

use pgrx::{direct_function_call_as_datum, pg_sys};

use crate::clock;
use crate::mirror::object::{AUTH_ISSUER, AUTH_PROVIDER};
use crate::pg::jsonb::JsonbPart;
use crate::pg::others::{Column, OthersRow, with_text};
use crate::provider::{Bound, What};

/// What a column's name, in lower case and without _ and -, contains if it may be a secret.
const SECRETS: [&str; 14] = [
    "password",
    "passwd",
    "secret",
    "token",
    "hash",
    "backupcode",
    "privatekey",
    "apikey",
    "accesskey",
    "otp",
    "pwd",
    "recoverycode",
    "passphrase",
    "salt",
];
/// The largest value that is mirrored, in bytes, and the most that those of one row have together. A jsonb has
/// less than 256 MiB, and a user who cannot be mirrored must not keep the others out.
const LARGEST: usize = 1 << 20;
const LARGEST_TOGETHER: usize = 16 << 20;
/// The last millisecond of the year 9999.
const LAST_MILLISECOND: i64 = 253_402_300_799_999;

/// A member under another name than its column.
struct Renamed {
    canonical: &'static str,
    member: &'static CStr,
}

const fn renamed(canonical: &'static str, member: &'static CStr) -> Renamed {
    Renamed { canonical, member }
}

const USER: &[Renamed] = &[
    renamed("name", c"display_name"),
    renamed("email", c"primary_email"),
    renamed("emailVerified", c"primary_email_verified"),
    renamed("image", c"profile_image_url"),
];
const ORGANIZATION: &[Renamed] = &[renamed("name", c"display_name")];
const TEAM: &[Renamed] = &[
    renamed("name", c"display_name"),
    renamed("organizationId", c"organization_id"),
];

/// How the rows of a table become objects.
pub struct Objects<'b> {
    renamed: Vec<(&'static CStr, Option<&'b Column>)>,
    created: (&'static CStr, Option<&'b Column>),
    own: Vec<(CString, &'b Column)>,
}

impl<'b> Objects<'b> {
    pub fn of(what: What, bound: &'b Bound) -> Self {
        let (renamed, created) = match what {
            What::User => (USER, c"signed_up_at_millis"),
            What::Team => (TEAM, c"created_at_millis"),
            _ => (ORGANIZATION, c"created_at_millis"),
        };
        let is_renamed = |canonical: &str| {
            matches!(canonical, "id" | "createdAt")
                || renamed.iter().any(|member| member.canonical == canonical)
        };
        // Columns of the application must not make the user one of another provider.
        let is_taken = |name: &str| {
            name == "id"
                || what == What::User && matches!(name, AUTH_PROVIDER | AUTH_ISSUER)
                || name.as_bytes() == created.to_bytes()
                || renamed
                    .iter()
                    .any(|one| one.member.to_bytes() == name.as_bytes())
        };
        let named = bound
            .named()
            .filter(|(canonical, _)| !is_renamed(canonical));
        let own = named
            .map(|(_, column)| column)
            .chain(bound.others())
            .filter(|column| !may_be_secret(&column.name) && !is_taken(&column.name))
            .filter_map(|column| Some((CString::new(column.name.as_str()).ok()?, column)))
            .collect();
        Self {
            renamed: renamed
                .iter()
                .map(|one| (one.member, bound.column(one.canonical)))
                .collect(),
            created: (created, bound.column("createdAt")),
            own,
        }
    }

    /// The object of a row, in the current memory context.
    pub fn object(&self, id: &str, row: &OthersRow) -> pg_sys::Datum {
        let mut object = Object::begin();
        object.member(c"id", &mut string(id.as_bytes()));
        let mut room = Room(LARGEST_TOGETHER);
        for (member, column) in &self.renamed {
            let column = column.filter(|column| room.has_for(column, row));
            object.member(member, &mut value(column, row));
        }
        if let Some(millis) = self.created.1.and_then(|column| millis(column, row)) {
            object.member(self.created.0, &mut number(millis));
        }
        for (member, column) in &self.own {
            if !room.has_for(column, row) {
                continue;
            }
            object.member(member, &mut value(Some(column), row));
        }
        object.end()
    }
}

/// How many bytes the object of a row can still get.
struct Room(usize);

impl Room {
    fn has_for(&mut self, column: &Column, row: &OthersRow) -> bool {
        let size = row.size(column);
        let fits = size <= LARGEST && size <= self.0;
        if fits {
            self.0 -= size;
        }
        fits
    }
}

fn may_be_secret(name: &str) -> bool {
    let name: String = name
        .chars()
        .filter(|&letter| letter != '_' && letter != '-')
        .flat_map(char::to_lowercase)
        .collect();
    SECRETS.iter().any(|secret| name.contains(secret))
}

/// Milliseconds since 1970, of times that the generated columns can contain.
fn millis(column: &Column, row: &OthersRow) -> Option<i64> {
    let millis = row.microseconds(column)?.div_euclid(clock::SECOND / 1000);
    (0..=LAST_MILLISECOND).contains(&millis).then_some(millis)
}

/// An object under construction.
struct Object(*mut pg_sys::JsonbParseState);

impl Object {
    fn begin() -> Self {
        let mut state = std::ptr::null_mut();
        let begin = pg_sys::JsonbIteratorToken::WJB_BEGIN_OBJECT;
        // SAFETY: begins an object, in the current memory context.
        unsafe { pg_sys::pushJsonbValue(&raw mut state, begin, std::ptr::null_mut()) };
        Self(state)
    }

    fn member(&mut self, name: &CStr, value: &mut pg_sys::JsonbValue) {
        use pg_sys::JsonbIteratorToken::{WJB_KEY, WJB_VALUE};
        // SAFETY: names and values live until the object is built.
        unsafe {
            pg_sys::pushJsonbValue(&raw mut self.0, WJB_KEY, &mut string(name.to_bytes()));
            pg_sys::pushJsonbValue(&raw mut self.0, WJB_VALUE, value);
        }
    }

    fn end(mut self) -> pg_sys::Datum {
        let end = pg_sys::JsonbIteratorToken::WJB_END_OBJECT;
        // SAFETY: ends the object that was begun.
        unsafe {
            let whole = pg_sys::pushJsonbValue(&raw mut self.0, end, std::ptr::null_mut());
            pg_sys::Datum::from(pg_sys::JsonbValueToJsonb(whole))
        }
    }
}

fn string(text: &[u8]) -> pg_sys::JsonbValue {
    let mut value = pg_sys::JsonbValue {
        type_: pg_sys::jbvType::jbvString,
        ..Default::default()
    };
    value.val.string.len = text.len() as i32;
    value.val.string.val = text.as_ptr().cast_mut().cast();
    value
}

fn number(number: i64) -> pg_sys::JsonbValue {
    // SAFETY: makes a numeric in the current memory context.
    numeric(unsafe { pg_sys::int64_to_numeric(number) })
}

fn numeric(number: pg_sys::Numeric) -> pg_sys::JsonbValue {
    let mut value = pg_sys::JsonbValue {
        type_: pg_sys::jbvType::jbvNumeric,
        ..Default::default()
    };
    value.val.numeric = number;
    value
}

/// A column's value, in the current memory context. JSON's null for NULL.
fn value(column: Option<&Column>, row: &OthersRow) -> pg_sys::JsonbValue {
    use pg_sys::{BOOLOID, FLOAT4OID, FLOAT8OID, INT2OID, INT4OID, INT8OID, JSONBOID, NUMERICOID};
    use pg_sys::{DATEOID, TEXTOID, TIMEOID, TIMESTAMPOID, TIMESTAMPTZOID, TIMETZOID, VARCHAROID};
    let found = column.and_then(|column| Some((column, row.datum(column)?)));
    let Some((column, datum)) = found else {
        return pg_sys::JsonbValue {
            type_: pg_sys::jbvType::jbvNull,
            ..Default::default()
        };
    };
    // SAFETY: each datum is of the column's type.
    unsafe {
        match column.of_type {
            BOOLOID => {
                let mut value = pg_sys::JsonbValue {
                    type_: pg_sys::jbvType::jbvBool,
                    ..Default::default()
                };
                value.val.boolean = datum.value() != 0;
                value
            }
            INT2OID => number((datum.value() as i16).into()),
            INT4OID => number((datum.value() as i32).into()),
            INT8OID => number(datum.value() as i64),
            NUMERICOID => {
                let copy = pg_sys::pg_detoast_datum_copy(datum.cast_mut_ptr());
                let number: pg_sys::Numeric = copy.cast();
                if pg_sys::numeric_is_nan(number) || pg_sys::numeric_is_inf(number) {
                    output(column, row)
                } else {
                    numeric(number)
                }
            }
            FLOAT4OID | FLOAT8OID => float(column, row),
            JSONBOID => JsonbPart::of_datum(datum).value(),
            TIMESTAMPTZOID | TIMESTAMPOID => time(datum, TIMESTAMPTZOID),
            DATEOID | TIMEOID | TIMETZOID => time(datum, column.of_type),
            TEXTOID | VARCHAROID => with_text(datum, |text| string(copied(text))),
            _ => output(column, row),
        }
    }
}

/// What the type's output function writes.
fn output(column: &Column, row: &OthersRow) -> pg_sys::JsonbValue {
    string(copied(row.text(column).unwrap_or_default().as_bytes()))
}

fn float(column: &Column, row: &OthersRow) -> pg_sys::JsonbValue {
    let text = row.text(column).unwrap_or_default();
    let is_finite = text.parse::<f64>().is_ok_and(f64::is_finite);
    let (true, Ok(digits)) = (is_finite, CString::new(text)) else {
        return output(column, row);
    };
    let arguments = [
        Some(pg_sys::Datum::from(digits.as_ptr())),
        Some(pg_sys::Datum::from(pg_sys::InvalidOid)),
        Some(pg_sys::Datum::from(-1_i32)),
    ];
    // SAFETY: numeric_in takes a C string and returns a numeric.
    unsafe {
        let number = direct_function_call_as_datum(pg_sys::numeric_in, &arguments)
            .expect("numeric_in never returns NULL");
        numeric(number.cast_mut_ptr())
    }
}

/// A time in ISO 8601; with a time zone, in UTC.
unsafe fn time(datum: pg_sys::Datum, of_type: pg_sys::Oid) -> pg_sys::JsonbValue {
    let no_offset = 0;
    // SAFETY: the caller passes a datum of the type that it names; the text is in this memory context, and the
    // value keeps its bytes there.
    unsafe {
        let text =
            pg_sys::JsonEncodeDateTime(std::ptr::null_mut(), datum, of_type, &raw const no_offset);
        string(CStr::from_ptr(text).to_bytes())
    }
}

/// A copy in the current memory context.
fn copied(text: &[u8]) -> &'static [u8] {
    // SAFETY: as many bytes as the text has, in memory that is fresh, and used while the context lives.
    unsafe {
        let copy = pg_sys::palloc(text.len().max(1)).cast::<u8>();
        copy.copy_from_nonoverlapping(text.as_ptr(), text.len());
        std::slice::from_raw_parts(copy, text.len())
    }
}
