//! Makes a case that fails smaller, by making its choices smaller.

/// The most cases that are tried.
const MOST: usize = 400;

/// Fewer and smaller choices for which `fails` still holds.
pub fn shrunk(mut choices: Vec<usize>, mut fails: impl FnMut(&[usize]) -> bool) -> Vec<usize> {
    let mut tried = 0;
    let mut attempt = |candidate: &[usize]| {
        tried += 1;
        tried <= MOST && fails(candidate)
    };
    // Without the end, of ever smaller length.
    let mut length = choices.len() / 2;
    while length > 0 {
        let end = choices.len().saturating_sub(length);
        if attempt(&choices[..end]) {
            choices.truncate(end);
        } else {
            length /= 2;
        }
    }
    // Each choice the simplest; else without it, and what follows in its place.
    let mut at = 0;
    while at < choices.len() {
        let mut simpler = choices.clone();
        simpler[at] = 0;
        if simpler != choices && attempt(&simpler) {
            choices = simpler;
        }
        let mut without = choices.clone();
        without.remove(at);
        if attempt(&without) {
            choices = without;
        } else {
            at += 1;
        }
    }
    choices
}
