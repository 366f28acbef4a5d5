//! Any bytes as a page of a REST list: however they arrive, the items are those of the document.

#![no_main]

use std::cell::RefCell;
use std::io::Read;

use libfuzzer_sys::fuzz_target;
use neon_auth_wire::items::{self, Reader};
use neon_auth_wire::list::{read_list, read_object};
use serde_json::Value;

/// A body that arrives byte by byte.
struct Slow<'b>(&'b [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let most = bytes.len().min(1);
        self.0.read(&mut bytes[..most])
    }
}

type Page = (Result<Option<String>, String>, Vec<String>, Vec<String>);

fn page(body: impl Read, item: Reader) -> Page {
    let (items, defects) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let end = read_list(body, item, &|part| {
        items.borrow_mut().extend(part.items);
        defects.borrow_mut().extend(part.defects);
        true
    });
    (end, items.into_inner(), defects.into_inner())
}

/// Whether a member of the outermost object may be there twice.
fn may_repeat(bytes: &[u8]) -> bool {
    let count = |name: &[u8]| {
        bytes
            .windows(name.len())
            .filter(|found| *found == name)
            .count()
    };
    count(b"items") > 1 || count(b"pagination") > 1 || bytes.contains(&b'\\')
}

fuzz_target!(|bytes: &[u8]| {
    let (end, texts, _) = page(bytes, items::object);
    for item in [
        items::object,
        items::membership,
        items::team_permission,
        items::project_permission,
    ] {
        let found = page(bytes, item);
        assert_eq!(page(Slow(bytes), item).0, found.0);
        assert_eq!(found.0, end);
        if end.is_ok() {
            assert_eq!(page(Slow(bytes), item), found);
            assert_eq!(found.1.len() + found.2.len(), texts.len());
        }
        for text in &found.1 {
            // What is stored is read as the same again.
            let raw = serde_json::from_str(text).expect("JSON");
            assert_eq!(item(raw).as_ref(), Ok(text));
        }
        assert!(
            found
                .2
                .iter()
                .all(|defect| !defect.is_empty() && defect.len() < 2_000)
        );
    }
    let document = serde_json::from_slice::<Value>(bytes);
    if let (Ok(cursor), Ok(document), false) = (&end, &document, may_repeat(bytes)) {
        let parsed = texts
            .iter()
            .map(|text| serde_json::from_str(text).expect("JSON"));
        assert_eq!(document["items"], Value::Array(parsed.collect()));
        assert_eq!(
            document["pagination"]["next_cursor"].as_str(),
            cursor.as_deref()
        );
    }
    if let Ok(object) = read_object(bytes) {
        assert_eq!(read_object(object.as_bytes()), Ok(object));
    } else {
        assert!(document.is_err());
    }
});
