//! Connections that wait for their next operation, for whoever would have opened the very same one.
//!
//! The last one that was given back is the first one taken: what a storm has opened stays unused, and goes. What a connection is is the
//! caller's matter, and time is counted in sweeps. Nobody ever waits here: who finds nothing opens a connection.

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
    /// How often it was swept.
    now: u64,
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
        Self { idle: VecDeque::new(), now: 0 }
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

    /// Keeps one that is not used any more.
    pub fn give_back(&mut self, key: K, connection: C) {
        self.idle.push_back(Idle { key, connection, since: self.now });
    }

    /// Drops those that are not usable; those that nobody used for `longest` sweeps; and of more than `most` the longest unused, whatever
    /// its key, unless it was used since the sweep before. Operations come and end in bursts: who closed at once what is too much would
    /// open it again in the next moment.
    pub fn sweep(&mut self, most: usize, longest: u64, mut is_usable: impl FnMut(&mut C) -> bool) {
        self.now = self.now.saturating_add(1);
        let now = self.now;
        self.idle.retain_mut(|idle| now.saturating_sub(idle.since) <= longest && is_usable(&mut idle.connection));
        while self.idle.len() > most && self.idle.front().is_some_and(|idle| now.saturating_sub(idle.since) > 1) {
            self.idle.pop_front();
        }
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

    /// A pool to which these were given back, one after the other.
    fn pool(given: &[(&'static str, u32)]) -> Pool<&'static str, u32> {
        let mut pool = Pool::default();
        given.iter().for_each(|(key, connection)| pool.give_back(*key, *connection));
        pool
    }

    /// What is taken for these keys, one after the other.
    fn taken(pool: &mut Pool<&'static str, u32>, keys: &[&'static str]) -> Vec<Option<u32>> {
        keys.iter().map(|key| pool.take(key, |_| true).map(|(_, connection)| connection)).collect()
    }

    /// Takes one and gives it back.
    fn use_once(pool: &mut Pool<&'static str, u32>, key: &'static str) {
        let (key, connection) = pool.take(&key, |_| true).unwrap();
        pool.give_back(key, connection);
    }

    #[test]
    fn the_last_one_given_back_is_the_first_one_taken_and_by_its_own_key_alone() {
        let mut pool = pool(&[("a", 1), ("b", 2), ("a", 3)]);
        assert_eq!(taken(&mut pool, &["a", "c", "a", "a", "b"]), [Some(3), None, Some(1), None, Some(2)]);
        assert!(pool.is_empty());
    }

    #[test]
    fn of_too_many_the_longest_unused_go_whatever_their_keys() {
        let mut pool = pool(&[("b", 1), ("a", 2), ("a", 3), ("c", 4)]);
        use_once(&mut pool, "b");
        pool.sweep(2, 60, |_| true);
        assert_eq!(pool.len(), 4, "all of them were used a moment ago");
        pool.sweep(2, 60, |_| true);
        assert_eq!(taken(&mut pool, &["a", "b", "c"]), [None, Some(1), Some(4)]);
    }

    #[test]
    fn those_that_are_in_use_all_the_time_stay_however_many_they_are() {
        let mut pool = pool(&[("a", 1), ("b", 2), ("c", 3), ("d", 4)]);
        for _ in 0..10 {
            ["a", "b", "c"].iter().for_each(|key| use_once(&mut pool, key));
            pool.sweep(1, 60, |_| true);
        }
        assert_eq!(taken(&mut pool, &["a", "b", "c", "d"]), [Some(1), Some(2), Some(3), None]);
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
    fn what_is_unused_for_long_goes_and_so_does_what_is_not_usable_any_more() {
        let mut pool = pool(&[("a", 1), ("b", 2), ("c", 3)]);
        for _ in 0..5 {
            use_once(&mut pool, "b");
            pool.sweep(9, 5, |_| true);
        }
        assert_eq!(pool.len(), 3);
        pool.sweep(9, 5, |_| true);
        assert_eq!(pool.len(), 1);
        pool.sweep(9, 5, |_| false);
        assert_eq!(taken(&mut pool, &["b"]), [None]);
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
