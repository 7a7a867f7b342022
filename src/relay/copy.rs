//! Bytes from one channel to the other, as they arrive.

use std::io;

use crate::net::channel::Channel;

/// Which end of a copy broke.
pub(super) enum Broken {
    /// The one that is read from.
    Reading(io::Error),
    /// The one that is written to.
    Writing(io::Error),
}

/// Who looks at the bytes on their way.
pub(super) type Seen<'a> = &'a mut (dyn FnMut(&[u8]) + Send);

/// Moves bytes until all that is left of `count` is there, and returns how many that are.
pub(super) async fn copy_until_rest_is_there(from: &mut Channel, to: &mut Channel, mut count: usize) -> Result<usize, Broken> {
    while from.incoming.len() < count {
        let available = from.incoming.len();
        copy(from, to, available, None).await?;
        count = count.saturating_sub(available);
        if from.fill().await.map_err(Broken::Reading)? == 0 {
            return Err(Broken::Reading(io::ErrorKind::UnexpectedEof.into()));
        }
    }
    Ok(count)
}

/// Moves `count` bytes, and shows them to `seen` on the way. Nothing is read ahead of what could be written.
pub(super) async fn copy(
    from: &mut Channel,
    to: &mut Channel,
    mut count: usize,
    mut seen: Option<Seen<'_>>,
) -> Result<(), Broken> {
    while count > 0 {
        if from.incoming.is_empty() && from.fill().await.map_err(Broken::Reading)? == 0 {
            return Err(Broken::Reading(io::ErrorKind::UnexpectedEof.into()));
        }
        let available = from.incoming.available();
        let chunk = available.get(..count).unwrap_or(available);
        if let Some(seen) = seen.as_deref_mut() {
            seen(chunk);
        }
        to.write(chunk).await.map_err(Broken::Writing)?;
        let moved = chunk.len();
        from.incoming.consume(moved);
        count = count.saturating_sub(moved);
    }
    Ok(())
}
