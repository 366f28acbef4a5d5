//! What a generated case consists of: a sequence of numbers, each below a bound.

use neon_auth_connections::Random;

/// Makes choices at random and remembers them, or makes those again that were made before.
///
/// Generators put what is simple first, so a smaller number makes a smaller case. After the last
/// choice that is made again, all are 0.
pub struct Choices {
    made: Vec<usize>,
    next: usize,
    random: Option<Random>,
}

impl Choices {
    pub fn at_random(seed: u64) -> Self {
        Self {
            made: Vec::new(),
            next: 0,
            random: Some(Random::seeded(seed)),
        }
    }

    pub fn again(made: &[usize]) -> Self {
        Self {
            made: made.to_vec(),
            next: 0,
            random: None,
        }
    }

    pub fn below(&mut self, bound: usize) -> usize {
        let known = self.made.get(self.next).map(|choice| choice % bound);
        self.next += 1;
        known.unwrap_or_else(|| {
            let choice = self.random.as_mut().map_or(0, |random| random.below(bound));
            self.made.push(choice);
            choice
        })
    }

    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// True in so many of a hundred cases, and never where all choices are 0.
    pub fn happens(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    /// The choices that were made.
    pub fn made(self) -> Vec<usize> {
        let mut made = self.made;
        made.truncate(self.next);
        made
    }
}
