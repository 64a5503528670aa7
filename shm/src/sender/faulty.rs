//! Wrong on purpose: what models have to notice.

use super::{Sender, size};

impl Sender {
    /// Publishes a part before it is written. There has to be room without going round.
    pub fn publish_before_writing(&mut self, body: &[u8]) {
        let at = self.staged;
        self.advance(size(body.len()), false);
        self.publish();
        self.staged = at;
        self.put_body(body, false);
    }
}
