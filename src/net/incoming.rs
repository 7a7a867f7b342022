//! Bytes that were read and not yet used. The room grows with what a connection really moves and shrinks when it is idle, so that
//! an idle connection costs little and nothing is ever reserved for a length that somebody merely declared.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// The room of a connection that sends little, in bytes.
const SMALL: usize = 4 * 1024;
/// The most room that is asked for, and kept, without knowing what comes, in bytes.
const MIDDLE: usize = 16 * 1024;
/// The most room that is used for streaming, in bytes.
const LARGE: usize = 256 * 1024;

/// The bytes read from one stream and not yet used.
#[derive(Debug, Default)]
pub struct Incoming {
    bytes: Vec<u8>,
    /// How many of `bytes` are used already.
    used: usize,
    /// How much is asked for at the next read.
    step: usize,
}

impl Incoming {
    /// Starts with bytes that were read before.
    #[must_use]
    pub fn starting_with(bytes: Vec<u8>) -> Self {
        Self { bytes, used: 0, step: SMALL }
    }

    /// What is there.
    #[must_use]
    pub fn available(&self) -> &[u8] {
        self.bytes.get(self.used..).unwrap_or_default()
    }

    /// How much is there.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.used)
    }

    /// Whether nothing is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Marks the first `count` bytes as used.
    pub fn consume(&mut self, count: usize) {
        self.used = self.used.saturating_add(count).min(self.bytes.len());
        if self.used == self.bytes.len() {
            self.bytes.clear();
            self.used = 0;
        }
    }

    /// Puts `new` in the place of the bytes that are there from `at` to `at + length`. Cheap at the front, however much follows.
    pub fn replace(&mut self, at: usize, length: usize, new: &[u8]) {
        let begin = self.used.saturating_add(at).min(self.bytes.len());
        let end = begin.saturating_add(length).min(self.bytes.len());
        let growth = new.len().saturating_sub(end.saturating_sub(begin));
        if growth > 0 && growth <= self.used {
            // What was used already leaves room in front: the few bytes before the change move, and what follows stays.
            let used = self.used.saturating_sub(growth);
            self.bytes.copy_within(self.used..begin, used);
            put(self.bytes.get_mut(begin.saturating_sub(growth)..end), new);
            self.used = used;
        } else if growth > 0 {
            // By hand, in whole pieces: every command with a logical session comes by here.
            let before = self.bytes.len();
            self.bytes.extend_from_slice(new.get(..growth).unwrap_or_default());
            self.bytes.copy_within(end..before, end.saturating_add(growth));
            put(self.bytes.get_mut(begin..end.saturating_add(growth)), new);
        } else {
            self.bytes.splice(begin..end, new.iter().copied());
        }
    }

    /// What is there, to be changed in its place.
    pub fn available_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.used..).unwrap_or_default()
    }

    /// Whether another read would stay within the room for bytes that nobody waits for yet.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.len() < LARGE
    }

    /// Gives the memory back before a wait of unknown length. What large messages needed is forgotten down to a middle size.
    pub fn rest(&mut self) {
        self.step = self.step.min(MIDDLE);
        if self.is_empty() {
            spare::keep(std::mem::take(&mut self.bytes));
        }
    }

    /// Whether it has no memory: then it is to be filled when there is something to read, not before.
    #[must_use]
    pub const fn is_at_rest(&self) -> bool {
        self.bytes.capacity() == 0
    }

    /// Puts `new` behind what is there.
    pub fn append(&mut self, new: &[u8]) {
        self.drop_used_when_full(new.len());
        if self.bytes.capacity() == 0 && new.len() <= SMALL {
            self.bytes = spare::take();
        }
        self.bytes.extend_from_slice(new);
    }

    /// Makes room by what was used already, before more memory is asked for `count` bytes.
    fn drop_used_when_full(&mut self, count: usize) {
        if self.used > 0 && self.bytes.capacity().saturating_sub(self.bytes.len()) < count {
            self.bytes.drain(..self.used);
            self.used = 0;
        }
    }

    /// Reads once and returns how many bytes came; 0 is the end of the stream. Cancel safe.
    ///
    /// # Errors
    /// Those of the stream.
    pub async fn fill<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<usize> {
        self.drop_used_when_full(1);
        let step = self.step.max(SMALL);
        if self.bytes.capacity() == 0 && step == SMALL {
            self.bytes = spare::take();
        }
        if self.bytes.capacity().saturating_sub(self.bytes.len()) < step / 2 {
            self.bytes.reserve(step);
        }
        let room = self.bytes.capacity().saturating_sub(self.bytes.len());
        let count = stream.read_buf(&mut self.bytes).await?;
        self.step = if count >= room {
            (step * 4).min(LARGE)
        } else if count < step / 4 {
            (step / 2).max(SMALL)
        } else {
            step
        };
        Ok(count)
    }
}

/// Copies what fits exactly.
fn put(place: Option<&mut [u8]>, new: &[u8]) {
    if let Some(place) = place.filter(|place| place.len() == new.len()) {
        place.copy_from_slice(new);
    }
}

/// A few small buffers a thread, handed from connections that begin to wait to those that begin to read.
mod spare {
    use std::cell::RefCell;

    use super::SMALL;

    /// How many are kept.
    const MOST: usize = 16;

    thread_local! {
        static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    }

    /// Keeps a buffer, if it is a small one.
    pub(super) fn keep(mut buffer: Vec<u8>) {
        buffer.clear();
        if buffer.capacity() == SMALL {
            BUFFERS.with_borrow_mut(|buffers| {
                if buffers.len() < MOST {
                    buffers.push(buffer);
                }
            });
        }
    }

    /// An empty buffer.
    pub(super) fn take() -> Vec<u8> {
        BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(SMALL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_come_out_in_the_order_they_went_in() {
        let data: Vec<u8> = (0..1_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let mut source: &[u8] = &data;
        let mut incoming = Incoming::default();
        let mut seen = Vec::new();
        while incoming.fill(&mut source).await.unwrap() > 0 {
            let count = incoming.len().div_ceil(2);
            seen.extend_from_slice(&incoming.available()[..count]);
            incoming.consume(count);
        }
        seen.extend_from_slice(incoming.available());
        assert_eq!(seen, data);
    }

    #[test]
    fn bytes_are_replaced_wherever_they_stand() {
        for used in [0, 3, 100] {
            for (at, length, new) in [(0, 0, "x"), (2, 3, "four"), (5, 0, ""), (1, 4, "y"), (9, 1, "end"), (10, 0, "more")] {
                let mut incoming = Incoming::starting_with([&vec![b'.'; used][..], b"0123456789"].concat());
                incoming.consume(used);
                incoming.replace(at, length, new.as_bytes());
                let mut expected = b"0123456789".to_vec();
                expected.splice(at..at + length, new.bytes());
                assert_eq!(incoming.available(), expected, "{used} {at} {length} {new}");
            }
        }
    }

    #[tokio::test]
    async fn the_room_of_a_stream_stays_bounded_when_it_is_used_up_at_each_step() {
        let data = vec![7; 48_000_000];
        let mut source: &[u8] = &data;
        let mut incoming = Incoming::default();
        while incoming.fill(&mut source).await.unwrap() > 0 {
            incoming.consume(incoming.len());
        }
        assert!(incoming.bytes.capacity() <= 4 * LARGE, "{}", incoming.bytes.capacity());
    }

    #[tokio::test]
    async fn a_connection_at_rest_gives_its_memory_back() {
        let mut incoming = Incoming::default();
        let data = vec![7; 100_000];
        let mut source: &[u8] = &data;
        while incoming.fill(&mut source).await.unwrap() > 0 {
            incoming.consume(incoming.len());
        }
        incoming.rest();
        assert!(incoming.is_at_rest());
        // And what it learned of large messages does not make the next wait a large one.
        let mut few: &[u8] = b"few";
        incoming.fill(&mut few).await.unwrap();
        assert!(incoming.bytes.capacity() <= 2 * MIDDLE, "{}", incoming.bytes.capacity());
    }
}
