//! Wrong on purpose: what models have to notice.

use super::{Body, Receiver};

impl Receiver {
    /// Takes a part in the ring and gives its room back before it is copied.
    pub fn copy_after_releasing(&mut self, to: &mut [std::mem::MaybeUninit<u8>]) {
        let at = match self.next() {
            Ok(Some(record)) => match record.body {
                Body::Bytes(bytes) => bytes.at,
                _ => unreachable!("the model sends parts in the ring"),
            },
            _ => unreachable!("the model has sent something"),
        };
        self.release();
        self.bytes(at, to.len()).copy_to(to);
    }
}
