//! Buffers that the connections of a thread share: each has one while it computes, none while it waits.

use std::cell::Cell;
use std::thread::LocalKey;

thread_local! {
    /// Where records are received and decrypted.
    pub(super) static RECEIVING: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// Where records are encrypted.
    pub(super) static SENDING: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends a buffer of at least `size` bytes. Somebody else's bytes may be in it.
pub(super) fn with<T>(buffer: &'static LocalKey<Cell<Vec<u8>>>, size: usize, work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut bytes = buffer.take();
    if bytes.len() < size {
        // From the allocator, which knows memory that is zero already: a page that is never touched costs nothing.
        bytes = vec![0; size];
    }
    let done = work(&mut bytes);
    buffer.set(bytes);
    done
}
