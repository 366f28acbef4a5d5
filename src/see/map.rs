//! The answer of `neon_auth.access_report` as an HTML page without scripts, which needs no other file: a row for each
//! table, a column for each user, and four cells where they meet.

use std::fmt::Write;

use super::access::Access;

/// Widths and heights in the picture, in pixels.
const CELL: usize = 46;
const LINE: usize = 30;
const GAP: usize = 14;
const HEAD: usize = 62;
const NAMES: usize = 260;
/// How many characters of the names of tables and users are shown; hovering shows all.
const TABLE: usize = 35;
const USER: usize = 18;

const STYLE: &str = "
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem; color: #1f2328; background: #fff }
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.name { font-size: 13px }
.head { text-anchor: middle; font-weight: 600 }
.command { text-anchor: middle; fill: #656d76 }
.count { text-anchor: middle }
rect { stroke: #d0d7de; stroke-width: 1 }
.none rect { fill: #fff }
.none text { fill: #8c959f }
.some rect { fill: #ddf4ff; stroke: #54aeff }
.all rect { fill: #b6e3ff; stroke: #0969da }
.nobody rect { fill: #ffebe9; stroke: #cf222e; stroke-width: 2 }
.unknown rect { fill: #fff8c5; stroke: #bf8700 }
g:hover > rect { stroke-width: 3 }
";

/// The page. The accesses are in the order of tables, and each table has the same users.
pub fn page(role: &str, accesses: &[Access]) -> String {
    let tables: Vec<&[Access]> = accesses
        .chunk_by(|one, next| one.table == next.table)
        .collect();
    let users = tables.first().copied().unwrap_or_default();
    let column = 4 * CELL + GAP;
    let (width, height) = (
        NAMES + users.len() * column,
        HEAD + tables.len() * LINE + GAP,
    );
    let mut svg = format!(
        "<svg role=\"img\" aria-label=\"Access by table and user\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" xmlns=\"http://www.w3.org/2000/svg\">\n"
    );
    for (number, access) in users.iter().enumerate() {
        let x = NAMES + number * column;
        let who = access.user_id.as_deref().unwrap_or("nobody");
        text(&mut svg, "head", x + 2 * CELL, 18, who, USER);
        for (place, command) in ["read", "insert", "change", "delete"].iter().enumerate() {
            text(
                &mut svg,
                "command",
                x + place * CELL + CELL / 2,
                44,
                command,
                USER,
            );
        }
    }
    for (number, table) in tables.iter().enumerate() {
        let y = HEAD + number * LINE;
        text(&mut svg, "name", 0, y + 18, &table[0].table, TABLE);
        for (number, access) in table.iter().enumerate() {
            cells(&mut svg, role, access, NAMES + number * column, y);
        }
    }
    svg.push_str("</svg>");
    let role = escaped(role);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Access as {role}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>Access as {role}</h1>\n<p>What users, and nobody, can do as the role {role}: rows that they read, change and delete, and which they may insert. Red: somebody who is not signed in can. Yellow: not known. Point at a cell to see why.</p>\n{svg}\n</body>\n</html>\n"
    )
}

/// The four cells of a table and a user.
fn cells(svg: &mut String, role: &str, access: &Access, x: usize, y: usize) {
    let counted = |count: Option<i64>| count.map(|count| count.to_string());
    let found = [
        ("read", counted(access.selects)),
        ("insert", access.inserts.clone()),
        ("change", counted(access.updates)),
        ("delete", counted(access.deletes)),
    ];
    for (place, (verb, value)) in found.into_iter().enumerate() {
        let class = match value.as_deref() {
            None => "unknown",
            Some("0" | "none") => "none",
            Some(_) if access.user_id.is_none() => "nobody",
            Some("any" | "others") => "all",
            Some(_) => "some",
        };
        let shown = value.as_deref().map_or_else(|| "?".to_owned(), short);
        let (x, width, height) = (x + place * CELL, CELL - 2, LINE - 4);
        let why = escaped(&why(role, access, verb, value.as_deref()));
        let _ = writeln!(
            svg,
            "<g class=\"{class}\"><title>{why}</title><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"3\"/><text class=\"count\" x=\"{}\" y=\"{}\">{}</text></g>",
            x + width / 2,
            y + 17,
            escaped(&shown),
        );
    }
}

/// A word, or a count that fits into a cell.
fn short(value: &str) -> String {
    let (thousands, unit) = match value.parse::<i64>() {
        Ok(count) if count >= 1_000_000_000 => (3, "G"),
        Ok(count) if count >= 1_000_000 => (2, "M"),
        Ok(count) if count >= 100_000 => (1, "k"),
        _ => (0, ""),
    };
    format!("{}{unit}", &value[..value.len() - 3 * thousands])
}

/// What hovering shows.
fn why(role: &str, access: &Access, verb: &str, value: Option<&str>) -> String {
    let who = match &access.user_id {
        Some(user) => format!("user {user}"),
        None => "nobody".to_owned(),
    };
    let what = match (verb, value) {
        (_, None) => format!("{verb}: not known"),
        ("insert", Some(which)) => format!("insert: {which}"),
        (_, Some(rows)) => format!("{verb}: {rows} rows"),
    };
    let mut why = format!("{}, {who} as {role}\n{what}", access.table);
    if !access.policies.is_empty() {
        let _ = write!(why, "\npolicies: {}", access.policies.join(", "));
    }
    if let Some(note) = &access.note {
        let _ = write!(why, "\n{note}");
    }
    why
}

/// A text that is cut, with all of it on hover.
fn text(svg: &mut String, class: &str, x: usize, y: usize, content: &str, most: usize) {
    let shown = match content.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &content[..end]),
        None => content.to_owned(),
    };
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x}\" y=\"{y}\"><title>{}</title>{}</text>",
        escaped(content),
        escaped(&shown),
    );
}

/// For content and attributes of HTML. Control characters, which HTML forbids, are shown as a replacement, and so are
/// those that change the direction of the text after them, which could make one name look like another.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push('\n'),
            '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => escaped.push(char::REPLACEMENT_CHARACTER),
            character if character.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            character => escaped.push(character),
        }
    }
    escaped
}
