//! Random numbers of an event.

use std::convert::Infallible;
use std::f64::consts::TAU;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::TryRng;

/// Random numbers, from [`Context::random`](crate::Context::random). It is also a generator for the crates `rand`
/// and `rand_distr`, which have all other distributions.
///
/// The generator is PCG64-MCG (M. E. O'Neill, *PCG: A Family of Simple Fast Space-Efficient Statistically Good
/// Algorithms for Random Number Generation*, 2014).
#[derive(Clone, Debug)]
pub struct Random(Pcg64Mcg);

impl Random {
    pub(crate) fn new(seed: u128) -> Random {
        Random(Pcg64Mcg::new(seed))
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let Ok(bits) = self.0.try_next_u64();
        bits
    }

    /// Evenly from 0 up to, but without, 1, in steps of 2^-53.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Gaussian, with mean 0 and standard deviation 1: by the formula of Box and Muller (1958), from two even
    /// numbers. Logarithm and cosine are those of the system: their last bit may differ from one kind of computer to
    /// another.
    pub fn gauss(&mut self) -> f64 {
        // Not 0, of which there is no logarithm.
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (TAU * self.uniform()).cos()
    }
}

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_every_version() {
        let mut random = Random::new(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!([random.bits(), random.bits()], [0xc30f_8bf8_8f35_882a, 0x56b7_b3cb_7a72_3f1d]);
        assert_eq!(random.uniform().to_bits(), 0x3fef_d43a_9cab_d99b);
    }

    #[test]
    fn the_distributions_are_what_they_say() {
        let mut random = Random::new(1);
        let n = 200_000;
        let even: Vec<f64> = (0..n).map(|_| random.uniform()).collect();
        assert!(even.iter().all(|x| (0.0..1.0).contains(x)));
        let mean = even.iter().sum::<f64>() / f64::from(n);
        assert!((mean - 0.5).abs() < 0.003, "{mean}");
        let gauss: Vec<f64> = (0..n).map(|_| random.gauss()).collect();
        let moment = |k: i32| gauss.iter().map(|x| x.powi(k)).sum::<f64>() / f64::from(n);
        // Five standard deviations of each.
        for (k, wanted, near) in [(1, 0.0, 0.012), (2, 1.0, 0.016), (3, 0.0, 0.044), (4, 3.0, 0.11)] {
            assert!((moment(k) - wanted).abs() < near, "moment {k}: {}", moment(k));
        }
    }
}
