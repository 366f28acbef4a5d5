/// A small generator with a fixed seed (xorshift64), so that a failure repeats.
pub struct Random(pub u64);

impl Random {
    /// A number from 0 up to the limit, without it.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap_or(0)
    }
}
