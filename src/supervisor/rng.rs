//! The core's own randomness: a seed goes in, so a life can be replayed.

use super::time::Duration;

/// `SplitMix64` (Steele, Lea, Flood 2014): small, and good enough for jitter.
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

impl Rng {
    /// The same seed draws the same numbers.
    #[must_use]
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Evenly from nothing to `limit`.
    pub(super) fn up_to(&mut self, limit: Duration) -> Duration {
        limit.mul_f64(self.unit())
    }

    /// `around` ± 10 %, so that a fleet does not march in step.
    pub(super) fn jittered(&mut self, around: Duration) -> Duration {
        around.mul_f64(0.9 + 0.2 * self.unit())
    }

    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or_default();
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of the reference implementation for this seed (Vigna, `splitmix64.c`).
    #[test]
    fn draws_what_the_reference_draws() {
        let mut rng = Rng::new(1_234_567);
        for drawn in [6_457_827_717_110_365_317_u64, 3_203_168_211_198_807_973] {
            let expected = f64::from(u32::try_from(drawn >> 32).unwrap()) / 4_294_967_296.0;
            assert!((rng.unit() - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn jitter_is_ten_percent_either_way() {
        let mut rng = Rng::new(1);
        let drawn: Vec<_> = (0..1000)
            .map(|_| rng.jittered(Duration::from_secs(100)).as_secs())
            .collect();
        assert_eq!(drawn.iter().min(), Some(&90));
        assert_eq!(drawn.iter().max(), Some(&109));
    }
}
