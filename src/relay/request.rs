//! The client's message on its way to the upstream.

use super::RelayError;
use super::copy::{Broken, copy};
use super::head::{self, HEAD_LEN};
use crate::authz::Allowed;
use crate::net::channel::Channel;
use crate::wire::MAX_MESSAGE_SIZE;
use crate::wire::checksum::{CHECKSUM_LEN, Checksum};
use crate::wire::header::{HEADER_LEN, Header};

/// Sends the message that begins in `client`'s incoming bytes to the upstream, as it arrives. `checksum`: whether it ends in one.
///
/// # Errors
/// Either side ends, or the checksum is wrong; then the upstream was not given the whole message.
pub async fn forward(
    _allowed: Allowed,
    client: &mut Channel,
    upstream: &mut Channel,
    header: Header,
    checksum: bool,
) -> Result<u64, RelayError> {
    let length = usize::try_from(header.message_length).map_err(|error| RelayError::Protocol(error.to_string()))?;
    if checksum {
        Box::pin(without_checksum(client, upstream, header, length)).await?;
    } else {
        copy(client, upstream, length, None).await.map_err(Broken::on_the_way_out)?;
    }
    Ok(u64::from(header.message_length))
}

/// Sends a message that is there as a whole. Its checksum, if it has one, was verified when it was parsed.
///
/// # Errors
/// The upstream ends.
pub async fn forward_whole(_allowed: Allowed, upstream: &mut Channel, message: &[u8], checksum: bool) -> Result<u64, RelayError> {
    let mut rest = message;
    if checksum && let Ok(Some(header)) = Header::peek(message, MAX_MESSAGE_SIZE) {
        let flags = message.get(HEADER_LEN..HEAD_LEN).unwrap_or_default();
        upstream.write(&head::without_checksum(header, flags)).await.map_err(RelayError::Upstream)?;
        rest = message.get(HEAD_LEN..message.len().saturating_sub(CHECKSUM_LEN)).unwrap_or_default();
    }
    upstream.write(rest).await.map_err(RelayError::Upstream)?;
    Ok(u64::try_from(message.len()).unwrap_or(u64::MAX))
}

impl Broken {
    fn on_the_way_out(self) -> RelayError {
        match self {
            Self::Reading(error) => RelayError::Client(error),
            Self::Writing(error) => RelayError::Upstream(error),
        }
    }
}

/// Verifies the checksum on the way and sends the message without it. The last byte is held back until the checksum is known to be
/// right, so that the upstream never has a whole message that is wrong.
async fn without_checksum(client: &mut Channel, upstream: &mut Channel, header: Header, length: usize) -> Result<(), RelayError> {
    client.fill_to(HEAD_LEN).await.map_err(RelayError::Client)?;
    let mut checksum = Checksum::new();
    let first = client.incoming.available().get(..HEAD_LEN).unwrap_or_default();
    checksum.update(first);
    let rewritten = head::without_checksum(header, first.get(HEADER_LEN..).unwrap_or_default());
    client.incoming.consume(HEAD_LEN);
    upstream.write(&rewritten).await.map_err(RelayError::Upstream)?;

    let middle = length.saturating_sub(HEAD_LEN + 1 + CHECKSUM_LEN);
    copy(client, upstream, middle, Some(&mut checksum)).await.map_err(Broken::on_the_way_out)?;
    client.fill_to(1 + CHECKSUM_LEN).await.map_err(RelayError::Client)?;
    let Some(&[last, a, b, c, d]) = client.incoming.available().first_chunk() else { return Err(RelayError::Checksum) };
    checksum.update(&[last]);
    if checksum.finish() != u32::from_le_bytes([a, b, c, d]) {
        return Err(RelayError::Checksum);
    }
    client.incoming.consume(1 + CHECKSUM_LEN);
    upstream.write(&[last]).await.map_err(RelayError::Upstream)
}
