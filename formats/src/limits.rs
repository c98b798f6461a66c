//! What a reader believes of the claims that its input makes.

/// Bounds on sizes and counts that input claims. What exceeds them is damage, not a reason to
/// allocate.
///
/// ```
/// use pactolus_formats::Limits;
/// let limits = Limits { event: 1 << 30, ..Limits::default() };
/// assert!(limits.event > Limits::default().event);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest event, header included, also when put together from fragments; and the sum of all
    /// fragments that wait for their rest \[bytes].
    pub event: usize,
    /// Longest line of a text file \[bytes].
    pub line: usize,
    /// Largest window or block that a compressed stream may ask the decoder to keep \[bytes].
    pub window: usize,
}

impl Default for Limits {
    /// Events of up to 256 MiB, lines of up to 16 MiB, windows of up to 128 MiB. Memory follows the
    /// bytes that arrive, not the claim.
    fn default() -> Limits {
        Limits { event: 256 << 20, line: 16 << 20, window: 128 << 20 }
    }
}
