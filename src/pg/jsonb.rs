//! `jsonb` values, from JSON text and to it.

use std::cmp::Ordering;
use std::ffi::{CStr, CString, c_char, c_int};

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{AnyElement, IntoDatum, direct_function_call_as_datum, pg_sys};

unsafe extern "C-unwind" {
    // Without pgrx's guard: it only compares names.
    fn getKeyJsonValueFromContainer(
        container: *mut pg_sys::JsonbContainer,
        name: *const c_char,
        length: c_int,
        member: *mut pg_sys::JsonbValue,
    ) -> *mut pg_sys::JsonbValue;
}

/// A stored `jsonb` value.
pub struct Jsonb(Box<[u8]>);

impl Jsonb {
    /// From JSON text that was parsed before, and so is valid.
    pub fn from_json(json: &str) -> Self {
        let json = CString::new(json).expect("JSON text contains no NUL");
        // SAFETY: jsonb_in takes a C string and returns a varlena, which is copied and freed.
        unsafe {
            let argument = Some(pg_sys::Datum::from(json.as_ptr()));
            let datum = direct_function_call_as_datum(pg_sys::jsonb_in, &[argument])
                .expect("jsonb_in never returns NULL");
            let value = datum.cast_mut_ptr::<pg_sys::varlena>();
            let length = pgrx::varsize_any(value);
            let bytes = std::slice::from_raw_parts(value.cast::<u8>(), length).into();
            pg_sys::pfree(value.cast());
            Self(bytes)
        }
    }

    /// From a `jsonb` datum in any storage form.
    ///
    /// # Safety
    /// It must be a `jsonb`.
    pub unsafe fn from_datum(datum: pg_sys::Datum) -> Self {
        // SAFETY: as the caller promises, the datum is a `jsonb`; its bytes are copied before the detoasted
        // copy is freed.
        unsafe {
            let stored = datum.cast_mut_ptr::<pg_sys::varlena>();
            let value = pg_sys::pg_detoast_datum(stored);
            let length = pgrx::varsize_any(value);
            let bytes = std::slice::from_raw_parts(value.cast::<u8>(), length).into();
            if value != stored {
                pg_sys::pfree(value.cast());
            }
            Self(bytes)
        }
    }

    /// As JSON text.
    pub fn to_text(&self) -> String {
        // SAFETY: the copy is a jsonb, and aligned as one.
        unsafe {
            let copy = self.to_datum();
            let text = text_of_datum(copy);
            pg_sys::pfree(copy.cast_mut_ptr());
            text
        }
    }

    /// A copy in the caller's memory context.
    pub fn to_datum(&self) -> pg_sys::Datum {
        // SAFETY: as many bytes as the value has, in memory that is fresh.
        unsafe {
            let copy = pg_sys::palloc(self.0.len()).cast::<u8>();
            copy.copy_from_nonoverlapping(self.0.as_ptr(), self.0.len());
            pg_sys::Datum::from(copy)
        }
    }
}

/// The JSON text of an argument that is `jsonb` by its SQL declaration. `jsonb` can contain more
/// than some JSON parsers accept, so parse the text with care.
pub fn text_of(jsonb: &AnyElement) -> String {
    // SAFETY: the argument is a jsonb.
    unsafe { text_of_datum(jsonb.datum()) }
}

unsafe fn text_of_datum(jsonb: pg_sys::Datum) -> String {
    // SAFETY: jsonb_out takes a jsonb and returns a C string in UTF-8, the database's encoding.
    unsafe {
        let datum = direct_function_call_as_datum(pg_sys::jsonb_out, &[Some(jsonb)])
            .expect("jsonb_out never returns NULL");
        let text = datum.cast_mut_ptr();
        let owned = CStr::from_ptr(text).to_string_lossy().into_owned();
        pg_sys::pfree(text.cast());
        owned
    }
}

/// A part of a `jsonb` value, read in place: nothing is parsed or copied, so reading two members of
/// an object does not cost anything for the others.
#[derive(Clone, Copy)]
pub struct JsonbPart(pg_sys::JsonbValue);

impl JsonbPart {
    /// The whole of an argument that is `jsonb` by its SQL declaration.
    ///
    /// # Safety
    /// Neither it nor any part of it may be used after the argument, or the now current memory
    /// context, is freed.
    pub unsafe fn whole(jsonb: &AnyElement) -> Self {
        // SAFETY: the SQL declaration makes the argument a `jsonb`; the caller promises not to use the parts
        // for longer than it lasts.
        unsafe { Self::of_datum(jsonb.datum()) }
    }

    /// The whole of a datum.
    ///
    /// # Safety
    /// It must be a `jsonb`, and live as long.
    pub unsafe fn of_datum(jsonb: pg_sys::Datum) -> Self {
        // SAFETY: a jsonb is a varlena, whose content is its outermost container. A scalar is
        // stored as the only element of an array that is marked so.
        unsafe {
            let value = pg_sys::pg_detoast_datum(jsonb.cast_mut_ptr());
            let container: *mut pg_sys::JsonbContainer = pgrx::vardata_any(value).cast_mut().cast();
            if (*container).header & pg_sys::JB_FSCALAR != 0 {
                return Self(*pg_sys::getIthJsonbValueFromContainer(container, 0));
            }
            let mut whole = pg_sys::JsonbValue {
                type_: pg_sys::jbvType::jbvBinary,
                ..Default::default()
            };
            whole.val.binary.len = pgrx::varsize_any_exhdr(value) as i32;
            whole.val.binary.data = container;
            Self(whole)
        }
    }

    /// Reads a datum, and frees what had to be detoasted.
    ///
    /// # Safety
    /// It must be a `jsonb`.
    pub unsafe fn read<T>(jsonb: pg_sys::Datum, read: impl FnOnce(&Self) -> T) -> T {
        // SAFETY: as the caller promises, the datum is a `jsonb`; `read` returns nothing that borrows from it
        // before the copy is freed.
        unsafe {
            let value = pg_sys::pg_detoast_datum(jsonb.cast_mut_ptr());
            let result = read(&Self::of_datum(pg_sys::Datum::from(value)));
            if value != jsonb.cast_mut_ptr() {
                pg_sys::pfree(value.cast());
            }
            result
        }
    }

    /// From JSON text, in the current memory context; raises an error for JSON that `jsonb` cannot
    /// contain.
    ///
    /// Neither it nor any part of it may be used after that context is freed.
    pub fn parse(json: &str) -> Self {
        let json = CString::new(json).expect("PostgreSQL's text contains no NUL");
        // SAFETY: jsonb_in takes a C string and returns a jsonb, which lives in the context.
        unsafe {
            let argument = Some(pg_sys::Datum::from(json.as_ptr()));
            let jsonb = direct_function_call_as_datum(pg_sys::jsonb_in, &[argument])
                .expect("jsonb_in never returns NULL");
            Self::of_datum(jsonb)
        }
    }

    /// The value for the builders of `jsonb`, which copy it.
    pub fn value(self) -> pg_sys::JsonbValue {
        self.0
    }

    /// A copy as a separate `jsonb`, in the current memory context.
    pub fn to_datum(mut self) -> pg_sys::Datum {
        // SAFETY: the value is copied.
        unsafe { pg_sys::Datum::from(pg_sys::JsonbValueToJsonb(&raw mut self.0)) }
    }

    /// A copy of an object without some members, in the current memory context.
    pub fn without(self, names: &[&str]) -> pg_sys::Datum {
        let present = names.iter().filter(|name| self.member(name).is_some());
        present.fold(self.to_datum(), |object, name| {
            // SAFETY: jsonb_delete takes a jsonb object and a text, and returns a jsonb.
            unsafe {
                direct_function_call_as_datum(
                    pg_sys::jsonb_delete,
                    &[Some(object), name.into_datum()],
                )
                .expect("jsonb_delete never returns NULL")
            }
        })
    }

    /// What `jsonb_typeof` returns.
    pub fn kind(&self) -> &'static str {
        match self.0.type_ {
            pg_sys::jbvType::jbvNull => "null",
            pg_sys::jbvType::jbvString => "string",
            pg_sys::jbvType::jbvNumeric => "number",
            pg_sys::jbvType::jbvBool => "boolean",
            _ if self.is(pg_sys::JB_FOBJECT) => "object",
            _ => "array",
        }
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        if self.0.type_ != pg_sys::jbvType::jbvString {
            return None;
        }
        // SAFETY: a string of the value, in UTF-8, the database's encoding.
        unsafe {
            let string = self.0.val.string;
            let bytes = std::slice::from_raw_parts(string.val.cast::<u8>(), string.len as usize);
            Some(std::str::from_utf8_unchecked(bytes))
        }
    }

    pub fn boolean(&self) -> Option<bool> {
        if self.0.type_ != pg_sys::jbvType::jbvBool {
            return None;
        }
        // SAFETY: the value of a boolean.
        Some(unsafe { self.0.val.boolean })
    }

    /// A number without sign and fraction, if it is stored in the form of those below 10^16.
    pub fn unsigned(&self) -> Option<u64> {
        /// Bits of the header of a short `numeric`: its form, sign, digits after the point, weight.
        const FORM: u16 = 0xC000;
        const SHORT: u16 = 0x8000;
        const SIGN_AND_SCALE: u16 = 0x3F80;
        const WEIGHT: u16 = 0x007F;
        if self.0.type_ != pg_sys::jbvType::jbvNumeric {
            return None;
        }
        // SAFETY: a numeric is a varlena of a header of two bytes, and digits to base 10000.
        let words = unsafe {
            let number = self.0.val.numeric.cast::<pg_sys::varlena>();
            std::slice::from_raw_parts(
                pgrx::vardata_any(number).cast::<[u8; 2]>(),
                pgrx::varsize_any_exhdr(number) / 2,
            )
        };
        let mut words = words.iter().map(|word| u16::from_ne_bytes(*word));
        let header = words.next()?;
        let weight = header & WEIGHT;
        if header & FORM != SHORT || header & SIGN_AND_SCALE != 0 || weight > 3 {
            return None;
        }
        // Zeros at the end are not stored, and of 0 no digit.
        let mut digits = words.chain(std::iter::repeat(0)).map(u64::from);
        Some((0..=weight).fold(0, |number, _| {
            number * 10_000 + digits.next().unwrap_or_default()
        }))
    }

    /// The digits of a number, as `numeric` writes them.
    pub fn digits(&self) -> Option<String> {
        if self.0.type_ != pg_sys::jbvType::jbvNumeric {
            return None;
        }
        // SAFETY: numeric_out takes a numeric and returns a C string, which is copied and freed.
        unsafe {
            let number = Some(pg_sys::Datum::from(self.0.val.numeric));
            let digits: *mut std::ffi::c_char =
                direct_function_call_as_datum(pg_sys::numeric_out, &[number])
                    .expect("numeric_out never returns NULL")
                    .cast_mut_ptr();
            let copy = CStr::from_ptr(digits).to_string_lossy().into_owned();
            pg_sys::pfree(digits.cast());
            Some(copy)
        }
    }

    /// The order of two numbers; `None` unless both are numbers.
    pub fn compare_numbers(&self, other: &Self) -> Option<Ordering> {
        let number = pg_sys::jbvType::jbvNumeric;
        if self.0.type_ != number || other.0.type_ != number {
            return None;
        }
        // SAFETY: numeric_cmp takes two of type numeric and returns an integer.
        unsafe {
            let numbers = [&self.0, &other.0].map(|part| Some(part.val.numeric.into()));
            let order = direct_function_call_as_datum(pg_sys::numeric_cmp, &numbers)
                .expect("numeric_cmp never returns NULL");
            Some((order.value() as i32).cmp(&0))
        }
    }

    /// The number of members of an object, or of elements of an array.
    pub fn size(&self) -> usize {
        match self.0.type_ {
            // SAFETY: the container of an array or object.
            pg_sys::jbvType::jbvBinary => unsafe {
                ((*self.0.val.binary.data).header & pg_sys::JB_CMASK) as usize
            },
            _ => 0,
        }
    }

    /// An object, for reading many of its members.
    pub fn object(&self) -> Option<Object> {
        if !self.is(pg_sys::JB_FOBJECT) {
            return None;
        }
        // SAFETY: an object's container: the entries of its names, those of its values, and the data of
        // both.
        unsafe {
            let container = self.0.val.binary.data;
            let entries = (&raw const (*container).children).cast::<u32>();
            let entries = std::slice::from_raw_parts(entries, 2 * self.size());
            let mut end = 0;
            let ends = entries.iter().map(|entry| {
                let length = entry & pg_sys::JENTRY_OFFLENMASK;
                let is_end = entry & pg_sys::JENTRY_HAS_OFF != 0;
                end = if is_end { length } else { end + length };
                end as usize
            });
            Some(Object {
                kinds: entries.as_ptr(),
                data: entries.as_ptr_range().end.cast(),
                ends: ends.collect(),
            })
        }
    }

    /// A member of an object.
    pub fn member(&self, name: &str) -> Option<Self> {
        if !self.is(pg_sys::JB_FOBJECT) {
            return None;
        }
        let mut member = pg_sys::JsonbValue::default();
        // SAFETY: an object's container; the name is compared as bytes of the length given.
        unsafe {
            let found = getKeyJsonValueFromContainer(
                self.0.val.binary.data,
                name.as_ptr().cast(),
                name.len() as i32,
                &raw mut member,
            );
            (!found.is_null()).then_some(Self(member))
        }
    }

    /// The names and values of an object's members.
    pub fn members(&self) -> Option<Vec<(Self, Self)>> {
        let flat = self.inside(pg_sys::JB_FOBJECT)?;
        Some(flat.chunks(2).map(|pair| (pair[0], pair[1])).collect())
    }

    /// The elements of an array.
    pub fn elements(&self) -> Option<Vec<Self>> {
        self.inside(pg_sys::JB_FARRAY)
    }

    /// The content of an array, or of an object: name, value, name, value.
    fn inside(&self, flag: u32) -> Option<Vec<Self>> {
        use pg_sys::JsonbIteratorToken::{WJB_ELEM, WJB_KEY, WJB_VALUE};
        if !self.is(flag) {
            return None;
        }
        let mut part = pg_sys::JsonbValue::default();
        let mut parts = Vec::new();
        // SAFETY: the container of an array or object; nested containers are skipped as a whole.
        unsafe {
            let mut iterator = pg_sys::JsonbIteratorInit(self.0.val.binary.data);
            // The first step enters the container.
            pg_sys::JsonbIteratorNext(&raw mut iterator, &raw mut part, true);
            while let WJB_ELEM | WJB_KEY | WJB_VALUE =
                pg_sys::JsonbIteratorNext(&raw mut iterator, &raw mut part, true)
            {
                parts.push(Self(part));
            }
        }
        Some(parts)
    }

    /// Whether an object or array equals a `jsonb` datum, as `=` compares. Equal values usually
    /// have the same bytes, which is cheap to compare; different bytes may still be equal, such as
    /// 1 and 1.0.
    ///
    /// # Safety
    /// The datum must be a `jsonb`.
    pub unsafe fn equals(&self, datum: pg_sys::Datum) -> bool {
        // SAFETY: as the caller promises, the datum is a `jsonb`.
        unsafe { self.is_same(datum, |other| self.order(other).is_eq()) }
    }

    /// Whether an object has the members of a `jsonb` datum, each with an equal value, or with one
    /// that is `alike` by the member's name.
    ///
    /// # Safety
    /// The datum must be a `jsonb`.
    pub unsafe fn resembles(
        &self,
        datum: pg_sys::Datum,
        alike: impl Fn(&str, &Self, &Self) -> bool,
    ) -> bool {
        let have_like_members = |other: &Self| {
            let (Some(mine), Some(theirs)) = (self.members(), other.members()) else {
                return false;
            };
            // jsonb sorts the members of an object by their names, which are unique.
            mine.len() == theirs.len()
                && mine.iter().zip(&theirs).all(|(mine, theirs)| {
                    let name = mine.0.text().expect("a name is a string");
                    theirs.0.text() == Some(name)
                        && (mine.1.order(&theirs.1).is_eq() || alike(name, &mine.1, &theirs.1))
                })
        };
        // SAFETY: as the caller promises, the datum is a `jsonb`.
        unsafe { self.is_same(datum, have_like_members) }
    }

    /// Whether the bytes are the same, or `compare` finds that the values are.
    unsafe fn is_same(&self, datum: pg_sys::Datum, compare: impl FnOnce(&Self) -> bool) -> bool {
        // SAFETY: the same bytes are the same container; reading it needs aligned values, which
        // fully detoasted ones are.
        unsafe {
            let given = self.0.val.binary;
            let packed = pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr());
            let mine = std::slice::from_raw_parts(given.data.cast::<u8>(), given.len as usize);
            let same = mine == pgrx::varlena_to_byte_slice(packed) || {
                let aligned = pg_sys::pg_detoast_datum(packed);
                let same = compare(&Self::of_datum(pg_sys::Datum::from(aligned)));
                if aligned != packed {
                    pg_sys::pfree(aligned.cast());
                }
                same
            };
            if packed != datum.cast_mut_ptr() {
                pg_sys::pfree(packed.cast());
            }
            same
        }
    }

    /// Whether two arrays contain the same elements, each as often, in whatever order.
    pub fn has_elements_of(&self, other: &Self) -> bool {
        let (Some(mut mine), Some(mut theirs)) = (self.elements(), other.elements()) else {
            return false;
        };
        if mine.len() != theirs.len() {
            return false;
        }
        mine.sort_unstable_by(Self::order);
        theirs.sort_unstable_by(Self::order);
        let mut pairs = mine.iter().zip(&theirs);
        pairs.all(|(mine, theirs)| mine.order(theirs).is_eq())
    }

    /// An order of values in which those are equal that `=` calls equal; otherwise an order of our
    /// own.
    fn order(&self, other: &Self) -> Ordering {
        use pg_sys::jbvType;
        let kind = self.0.type_;
        if kind != other.0.type_ {
            return kind.cmp(&other.0.type_);
        }
        match kind {
            jbvType::jbvString => self.text().cmp(&other.text()),
            jbvType::jbvNumeric => self.compare_numbers(other).expect("both are numbers"),
            // SAFETY: both are booleans.
            jbvType::jbvBool => unsafe { self.0.val.boolean.cmp(&other.0.val.boolean) },
            // SAFETY: both are containers.
            jbvType::jbvBinary => unsafe {
                let [mine, theirs] = [self, other].map(|value| value.0.val.binary.data);
                pg_sys::compareJsonbContainers(mine, theirs).cmp(&0)
            },
            _ => Ordering::Equal,
        }
    }

    fn is(&self, flag: u32) -> bool {
        // SAFETY: the container of a value that is neither scalar nor an iterator.
        self.0.type_ == pg_sys::jbvType::jbvBinary
            && unsafe { (*self.0.val.binary.data).header & flag != 0 }
    }
}

/// An object whose members are read one by one. PostgreSQL's own functions add up the lengths of the
/// members before for each.
pub struct Object {
    kinds: *const u32,
    data: *const u8,
    /// Where the names end, and then the values.
    ends: Vec<usize>,
}

impl Object {
    /// The number of members.
    pub fn len(&self) -> usize {
        self.ends.len() / 2
    }

    /// The place of a member among all, which are sorted; `guess` is looked at first.
    pub fn place(&self, name: &str, guess: usize) -> Option<usize> {
        let name = name.as_bytes();
        if guess < self.len() && self.bytes(guess) == name {
            return Some(guess);
        }
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            let known = self.bytes(middle);
            match known.len().cmp(&name.len()).then_with(|| known.cmp(name)) {
                Ordering::Equal => return Some(middle),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// The value of a member by its place.
    pub fn value(&self, place: usize) -> JsonbPart {
        use pg_sys::jbvType;
        let entry = self.len() + place;
        let bytes = self.bytes(entry);
        // Numbers and containers are aligned.
        let padding = self.start(entry).next_multiple_of(4) - self.start(entry);
        let mut value = pg_sys::JsonbValue::default();
        // SAFETY: the entry says which kind of value the bytes are.
        unsafe {
            match *self.kinds.add(entry) & pg_sys::JENTRY_TYPEMASK {
                pg_sys::JENTRY_ISSTRING => {
                    value.type_ = jbvType::jbvString;
                    value.val.string.val = bytes.as_ptr().cast_mut().cast();
                    value.val.string.len = bytes.len() as i32;
                }
                pg_sys::JENTRY_ISNUMERIC => {
                    value.type_ = jbvType::jbvNumeric;
                    value.val.numeric = bytes.as_ptr().add(padding).cast_mut().cast();
                }
                kind @ (pg_sys::JENTRY_ISBOOL_FALSE | pg_sys::JENTRY_ISBOOL_TRUE) => {
                    value.type_ = jbvType::jbvBool;
                    value.val.boolean = kind == pg_sys::JENTRY_ISBOOL_TRUE;
                }
                pg_sys::JENTRY_ISNULL => value.type_ = jbvType::jbvNull,
                _ => {
                    value.type_ = jbvType::jbvBinary;
                    value.val.binary.data = bytes.as_ptr().add(padding).cast_mut().cast();
                    value.val.binary.len = (bytes.len() - padding) as i32;
                }
            }
        }
        JsonbPart(value)
    }

    fn start(&self, entry: usize) -> usize {
        entry.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    fn bytes(&self, entry: usize) -> &[u8] {
        let start = self.start(entry);
        // SAFETY: where the entries say that the bytes are.
        unsafe { std::slice::from_raw_parts(self.data.add(start), self.ends[entry] - start) }
    }
}

// SAFETY: a copy as a separate jsonb, in the caller's memory context.
unsafe impl BoxRet for JsonbPart {
    unsafe fn box_into<'fcx>(self, call: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: the datum is a `jsonb`, which the SQL function returns by its declaration, in the caller's
        // memory context.
        unsafe { call.return_raw_datum(self.to_datum()) }
    }
}

// SAFETY: no SQL is generated from it; the files in sql/ declare the functions.
unsafe impl SqlTranslatable for JsonbPart {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(JsonbPart);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> =
        Err(ArgumentError::NotValidAsArgument("JsonbPart"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
}
