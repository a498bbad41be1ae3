//! The writer id, by which a repeated write recognises the item that it stored.

use crate::engine::item::{Item, b, bytes};

/// A random id of one write, stored in the item. When the response is lost and the SDK repeats the write, the condition
/// fails; the writer id in the stored item then shows that the first attempt succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writer(pub [u8; 16]);

/// The attribute that holds the writer id of the item's current version.
pub(crate) const WRITER: &str = "writer";

impl Writer {
    /// Marks an item as written by this writer.
    pub(crate) fn sign(&self, item: &mut Item) {
        item.insert(WRITER.into(), b(&self.0));
    }

    /// Whether a stored item was written by this writer.
    pub(crate) fn wrote(&self, stored: &Item) -> bool {
        bytes(stored, WRITER) == Some(&self.0)
    }
}
