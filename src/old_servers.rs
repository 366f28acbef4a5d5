//! What older servers of Stack Auth do not understand.

/// Parameters that older servers refuse, the newest first: before 2026-01 the first one, before
/// 2025-08 both.
pub const PARAMETERS: [&str; 2] = ["include_restricted", "include_anonymous"];

/// A URL without the newest parameters, for servers that refuse them: without the first one, then
/// without both. Empty if the URL has none of them.
pub fn reduced(url: &str) -> Vec<String> {
    let Some((path, query)) = url.split_once('?') else {
        return Vec::new();
    };
    let mut given: Vec<&str> = query.split('&').collect();
    let mut urls = Vec::new();
    for name in PARAMETERS {
        let before = given.len();
        given.retain(|parameter| parameter.split('=').next() != Some(name));
        if given.len() == before {
            continue;
        }
        urls.push(match given.is_empty() {
            true => path.to_owned(),
            false => format!("{path}?{}", given.join("&")),
        });
    }
    urls
}
