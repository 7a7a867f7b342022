//! Connections that wait for their next operation, for whoever would have opened the very same one.
//!
//! The last one that was given back is the first one taken: what a storm has opened stays unused, and goes after a while. What a
//! connection is and what time it is are the caller's matter. Nobody ever waits here: who finds nothing opens a connection.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bson::raw::RawDocumentBuf;

/// What a connection was introduced by: the whole hello, if there was one.
#[derive(Clone, Debug)]
pub struct Introduction(Arc<Said>);

#[derive(Debug)]
struct Said {
    /// Tells most others at once.
    hash: u64,
    hello: Option<RawDocumentBuf>,
}

impl Introduction {
    /// By this hello, or by none.
    #[must_use]
    pub fn new(hello: Option<RawDocumentBuf>) -> Self {
        let mut hasher = DefaultHasher::new();
        hello.as_ref().map(|hello| hello.as_bytes()).hash(&mut hasher);
        Self(Arc::new(Said { hash: hasher.finish(), hello }))
    }

    /// Shares the memory of one that is the same.
    pub fn share(&mut self, same: &Self) {
        if !Arc::ptr_eq(&self.0, &same.0) {
            self.0 = Arc::clone(&same.0);
        }
    }

    fn bytes(&self) -> Option<&[u8]> {
        self.0.hello.as_ref().map(|hello| hello.as_bytes())
    }

    /// The hello.
    #[must_use]
    pub fn hello(&self) -> Option<&RawDocumentBuf> {
        self.0.hello.as_ref()
    }
}

impl PartialEq for Introduction {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.hash == other.0.hash && self.bytes() == other.bytes()
    }
}

/// The connections that wait.
#[derive(Debug)]
pub struct Pool<K, C> {
    /// The longest unused first.
    idle: VecDeque<Idle<K, C>>,
}

#[derive(Debug)]
struct Idle<K, C> {
    key: K,
    connection: C,
    /// When it was given back.
    since: u64,
}

impl<K, C> Default for Pool<K, C> {
    fn default() -> Self {
        Self { idle: VecDeque::new() }
    }
}

impl<K: PartialEq, C> Pool<K, C> {
    /// Takes the one of this key that was given back last and is usable; those that are not are dropped on the way.
    pub fn take(&mut self, key: &K, mut is_usable: impl FnMut(&mut C) -> bool) -> Option<(K, C)> {
        loop {
            let at = self.idle.iter().rposition(|idle| idle.key == *key)?;
            let Idle { key, mut connection, .. } = self.idle.remove(at)?;
            if is_usable(&mut connection) {
                return Some((key, connection));
            }
        }
    }

    /// Keeps one that is not used any more. Of more than `most` the longest unused goes, whatever its key.
    pub fn give_back(&mut self, key: K, connection: C, now: u64, most: usize) {
        self.idle.push_back(Idle { key, connection, since: now });
        while self.idle.len() > most {
            self.idle.pop_front();
        }
    }

    /// Drops those that were given back before `oldest`, and those that are not usable.
    pub fn sweep(&mut self, oldest: u64, mut is_usable: impl FnMut(&mut C) -> bool) {
        self.idle.retain_mut(|idle| idle.since >= oldest && is_usable(&mut idle.connection));
        self.idle.shrink_to(self.idle.len().saturating_mul(2));
    }

    /// Drops all.
    pub fn clear(&mut self) {
        self.idle = VecDeque::new();
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.idle.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.idle.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    const MOST: usize = 3;

    /// A pool to which these were given back, one after the other.
    fn pool(given: &[(&'static str, u32)]) -> Pool<&'static str, u32> {
        let mut pool = Pool::default();
        for (now, (key, connection)) in (0..).zip(given) {
            pool.give_back(*key, *connection, now, MOST);
        }
        pool
    }

    /// What is taken for these keys, one after the other.
    fn taken(pool: &mut Pool<&'static str, u32>, keys: &[&'static str]) -> Vec<Option<u32>> {
        keys.iter().map(|key| pool.take(key, |_| true).map(|(_, connection)| connection)).collect()
    }

    #[test]
    fn the_last_one_given_back_is_the_first_one_taken_and_by_its_own_key_alone() {
        let mut pool = pool(&[("a", 1), ("b", 2), ("a", 3)]);
        assert_eq!(taken(&mut pool, &["a", "c", "a", "a", "b"]), [Some(3), None, Some(1), None, Some(2)]);
        assert!(pool.is_empty());
    }

    #[test]
    fn of_too_many_the_longest_unused_goes_whatever_its_key() {
        let mut pool = pool(&[("b", 1), ("a", 2), ("a", 3)]);
        let (key, used) = pool.take(&"b", |_| true).unwrap();
        pool.give_back(key, used, 9, MOST);
        pool.give_back("c", 4, 9, MOST);
        assert_eq!(taken(&mut pool, &["a", "a", "b", "c"]), [Some(3), None, Some(1), Some(4)]);
    }

    #[test]
    fn when_fewer_may_wait_the_others_go_with_the_next_one_given_back() {
        let mut pool = pool(&[("a", 1), ("a", 2), ("a", 3)]);
        pool.give_back("a", 4, 9, 1);
        assert_eq!(taken(&mut pool, &["a", "a"]), [Some(4), None]);
        pool.give_back("a", 4, 9, 0);
        assert!(pool.is_empty());
    }

    #[test]
    fn one_that_is_not_usable_is_never_handed_out_and_does_not_stay() {
        let mut pool = pool(&[("a", 1), ("b", 2), ("a", 3)]);
        assert_eq!(pool.take(&"a", |connection| *connection != 3), Some(("a", 1)));
        assert_eq!(pool.len(), 1);
        assert_eq!(pool.take(&"b", |_| false), None);
        assert!(pool.is_empty());
    }

    #[test]
    fn what_is_unused_for_long_or_not_usable_is_swept_out() {
        let mut pool = pool(&[("a", 1), ("b", 2), ("a", 3)]);
        pool.sweep(1, |connection| *connection != 3);
        assert_eq!(taken(&mut pool, &["a", "b"]), [None, Some(2)]);
    }

    #[test]
    fn what_is_used_again_and_again_is_not_swept_out() {
        let mut pool = pool(&[("a", 1), ("a", 2)]);
        for now in 2..10 {
            let (key, connection) = pool.take(&"a", |_| true).unwrap();
            pool.give_back(key, connection, now, MOST);
            pool.sweep(now - 1, |_| true);
        }
        assert_eq!(taken(&mut pool, &["a", "a"]), [Some(2), None]);
    }

    #[test]
    fn introductions_are_the_same_when_all_of_their_hellos_is() {
        let hello = |application: &str| Some(rawdoc! { "hello": 1, "client": { "application": { "name": application } } });
        let of = |hello: Option<RawDocumentBuf>| Introduction::new(hello);
        assert_eq!(of(hello("a")), of(hello("a")));
        assert_eq!(of(None), of(None));
        assert_ne!(of(hello("a")), of(hello("b")));
        assert_ne!(of(hello("a")), of(None));
        let forged = Introduction(Arc::new(Said { hash: of(hello("a")).0.hash, hello: hello("b") }));
        assert_ne!(of(hello("a")), forged, "a hash proves nothing");
    }
}
