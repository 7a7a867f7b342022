//! Tickets with which clients resume sessions: mongod gives two for a handshake, good for two hours, and so does doorward.
//!
//! The keys are random and in memory only. Those of an hour encrypt; they and those of the hour before decrypt; then nobody has them
//! any more. Source: measured with a mongod 6.0.5; RFC 8446 section 4.6.1, RFC 5077.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::Error;
use rustls::crypto::GetRandomFailed;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;
use rustls::ticketer::TicketRotator;

/// How long keys encrypt; a ticket is good for at most twice as long.
const SECONDS: u32 = 60 * 60;

/// Keys of their own, which nobody else has tickets of.
///
/// # Errors
/// The operating system has no randomness.
pub(super) fn keys() -> Result<Arc<dyn ProducesTickets>, Error> {
    Ok(Arc::new(TicketRotator::new(SECONDS, keys_of_an_hour)?))
}

fn keys_of_an_hour() -> Result<Box<dyn ProducesTickets>, GetRandomFailed> {
    let keys = Ticketer::new().map_err(|_error| GetRandomFailed)?;
    let life = Duration::from_secs(u64::from(SECONDS)).saturating_mul(2);
    Ok(Box::new(Keys { keys, made: Instant::now(), life }))
}

/// The library's own, whose longer life never comes to its end. The rotation changes keys only when somebody comes: if nobody did for
/// hours, the keys that it would still decrypt with are older than they may be.
#[derive(Debug)]
struct Keys {
    keys: Arc<dyn ProducesTickets>,
    made: Instant,
    /// How long they decrypt.
    life: Duration,
}

impl ProducesTickets for Keys {
    fn enabled(&self) -> bool {
        self.keys.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.keys.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.keys.encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        if self.made.elapsed() < self.life { self.keys.decrypt(cipher) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_for_two_hours_as_mongods_and_for_its_own_keys_only() {
        let (ours, others) = (keys().unwrap(), keys().unwrap());
        assert_eq!(ours.lifetime(), 7200);
        let ticket = ours.encrypt(b"session").unwrap();
        assert_eq!(ours.decrypt(&ticket).as_deref(), Some(b"session".as_slice()));
        assert!(others.encrypt(b"another").is_some());
        assert_eq!(others.decrypt(&ticket), None);
    }

    #[test]
    fn keys_that_nobody_replaced_in_time_decrypt_nothing_any_more() {
        let hour = Duration::from_secs(u64::from(SECONDS));
        for (life, is_good) in [(hour, true), (Duration::ZERO, false)] {
            let keys = Keys { keys: Ticketer::new().unwrap(), made: Instant::now(), life };
            let ticket = keys.encrypt(b"session").unwrap();
            assert_eq!(keys.decrypt(&ticket).is_some(), is_good, "{life:?}");
        }
    }
}
