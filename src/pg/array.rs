//! Arrays of texts, for which each text is copied once; by PostgreSQL's own builder, several times.

use pgrx::pg_sys;

/// The header of an array of one dimension without NULL: size, dimensions, offset of data, type,
/// elements, first subscript.
const HEADER: usize = 6 * size_of::<i32>();
/// The header of a text that is not compressed.
const LENGTH: usize = size_of::<i32>();

/// A `text[]`, in the current memory context.
pub fn of_texts(texts: &[&str]) -> pg_sys::Datum {
    if texts.is_empty() {
        // SAFETY: allocates an array of no dimensions.
        return unsafe { pg_sys::construct_empty_array(pg_sys::TEXTOID).into() };
    }
    let padded = |text: &str| (LENGTH + text.len()).next_multiple_of(LENGTH);
    let size = HEADER + texts.iter().map(|text| padded(text)).sum::<usize>();
    // SAFETY: writes as many bytes as are allocated; PostgreSQL refuses to allocate 1 GB.
    unsafe {
        let array = pg_sys::palloc(size).cast::<u8>();
        pgrx::set_varsize_4b(array.cast(), size as i32);
        let header = [1, 0, pg_sys::TEXTOID.to_u32() as i32, texts.len() as i32, 1];
        array.add(LENGTH).cast::<[i32; 5]>().write(header);
        let mut end = array.add(HEADER);
        for text in texts {
            // The padding.
            end.add(padded(text) - LENGTH).cast::<i32>().write(0);
            pgrx::set_varsize_4b(end.cast(), (LENGTH + text.len()) as i32);
            end.add(LENGTH)
                .copy_from_nonoverlapping(text.as_ptr(), text.len());
            end = end.add(padded(text));
        }
        array.into()
    }
}
