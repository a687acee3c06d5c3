//! What `testing::laws` holds against its laws (feature `testing`), and nobody else needs.

use crate::supervisor::readiness::Word;

use super::notify;

/// What a datagram says.
pub(crate) fn read_words(datagram: &[u8]) -> Vec<Word> {
    notify::read_words(datagram)
}
