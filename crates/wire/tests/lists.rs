use std::cell::RefCell;

use neon_auth_wire::items;
use neon_auth_wire::list::{CHUNK, read_list, read_object};

#[test]
fn hands_items_over_in_parts_and_returns_the_cursor() {
    let items = vec![r#"{"id":"u"}"#; CHUNK + 1].join(",");
    let page = format!(r#"{{"x":[{{}}],"items":[{items}],"pagination":{{"next_cursor":"c"}}}}"#);
    let parts = RefCell::new(Vec::new());
    let end = read_list(page.as_bytes(), items::object, &|part| {
        parts.borrow_mut().push(part.items.len());
        true
    });
    assert_eq!(end, Ok(Some("c".to_owned())));
    let parts = parts.into_inner();
    assert!(parts.len() >= 2 && parts.iter().all(|length| *length <= CHUNK));
    assert_eq!(parts.iter().sum::<usize>(), CHUNK + 1);
}

#[test]
fn reports_items_that_are_not_of_the_documented_form() {
    let page = r#"{"items":[{"team_id":"t","user_id":"u","more":1},{"team_id":""},{"team_id":"","user_id":"u"}]}"#;
    let found = RefCell::new(None);
    let end = read_list(page.as_bytes(), items::membership, &|part| {
        found.replace(Some(part));
        true
    });
    assert_eq!(end, Ok(None));
    let part = found.into_inner().expect("a part");
    assert_eq!(part.items, [r#"{"team_id":"t","user_id":"u"}"#]);
    assert_eq!(part.defects.len(), 2);
}

#[test]
fn refuses_what_is_not_a_list() {
    let long = format!(
        r#"{{"items":[],"pagination":{{"next_cursor":"{}"}}}}"#,
        "c".repeat(1025)
    );
    for page in [
        "",
        "[]",
        "{}",
        r#"{"items":1}"#,
        r#"{"items":[]} x"#,
        r#"{"items":["#,
        &long,
    ] {
        assert!(
            read_list(page.as_bytes(), items::object, &|_| true).is_err(),
            "{page}"
        );
    }
    assert!(read_object(&b"{} x"[..]).is_err());
    assert_eq!(
        read_object(&b" {\"a\": 1} "[..]).as_deref(),
        Ok("{\"a\": 1}")
    );
}
