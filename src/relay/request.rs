//! The client's message on its way to the upstream.

use super::RelayError;
use super::copy::{Broken, copy, copy_until_rest_is_there};
use super::head::{self, HEAD_LEN};
use crate::authz::Allowed;
use crate::authz::rewrite::{Rewrite, Splice, lengthen};
use crate::net::channel::Channel;
use crate::net::incoming::Incoming;
use crate::wire::MAX_MESSAGE_SIZE;
use crate::wire::checksum::{CHECKSUM_LEN, Checksum};
use crate::wire::head::body_range;
use crate::wire::header::{HEADER_LEN, Header};

/// The end of a message, which is there and was not sent yet: without it the upstream does nothing.
#[derive(Debug)]
#[must_use = "the upstream stands inside a message"]
pub struct Rest {
    /// How many bytes are to be sent.
    length: usize,
    /// How many bytes behind them are not.
    behind: usize,
    /// How many bytes the message has for the upstream.
    total: usize,
    /// Whether the client was waited for, and things may have changed since the message was judged.
    pub was_late: bool,
}

/// Sends the message that begins in `client`'s incoming bytes to the upstream, as it arrives, but for its end. `checksum`: whether
/// it ends in one; then it must not be one that is changed on the way. Its body has to be there.
///
/// # Errors
/// Either side ends, or the checksum is wrong; then the upstream was not given the whole message.
pub async fn forward(
    allowed: Allowed,
    client: &mut Channel,
    upstream: &mut Channel,
    header: Header,
    checksum: bool,
) -> Result<Rest, RelayError> {
    let length = usize::try_from(header.message_length).map_err(|error| RelayError::Protocol(error.to_string()))?;
    let was_late = client.incoming.len() < length;
    if checksum {
        if !matches!(allowed.rewrite(), Rewrite::None) {
            return Err(RelayError::Protocol("a message with a checksum was to be changed on the way".to_owned()));
        }
        Box::pin(without_checksum(client, upstream, header, length)).await?;
        return Ok(Rest { length: 1, behind: CHECKSUM_LEN, total: length, was_late });
    }
    let total = change(&mut client.incoming, length, &allowed)
        .ok_or_else(|| RelayError::Protocol("a message that was to be changed has no body".to_owned()))?;
    let length = if was_late {
        Box::pin(copy_until_rest_is_there(client, upstream, total)).await.map_err(Broken::on_the_way_out)?
    } else {
        total
    };
    Ok(Rest { length, behind: 0, total, was_late })
}

/// Sends the end of a message; gives how many bytes the whole had.
///
/// # Errors
/// The upstream ends.
pub async fn finish(rest: Rest, client: &mut Channel, upstream: &mut Channel) -> Result<u64, RelayError> {
    copy(client, upstream, rest.length, None).await.map_err(Broken::on_the_way_out)?;
    client.incoming.consume(rest.behind);
    Ok(u64::try_from(rest.total).unwrap_or(u64::MAX))
}

/// Changes a message of `length` bytes whose beginning is there; gives its new length.
fn change(incoming: &mut Incoming, length: usize, allowed: &Allowed) -> Option<usize> {
    let rewrite = allowed.rewrite();
    let body = match rewrite {
        Rewrite::None => return Some(length),
        Rewrite::Session(_) | Rewrite::Body(_) => body_range(incoming.available(), length)?,
    };
    let changed = match rewrite {
        Rewrite::None => length,
        Rewrite::Session(splice) => {
            incoming.replace(body.start.checked_add(splice.at())?, 0, &Splice::bytes(allowed.digest()?));
            let message = incoming.available_mut();
            for offset in splice.lengths() {
                lengthen(message, body.start.checked_add(offset)?, Splice::LEN);
            }
            length.checked_add(Splice::LEN)?
        }
        Rewrite::Body(new) => {
            let new = new.as_bytes();
            incoming.replace(body.start, body.len(), new);
            length.checked_sub(body.len())?.checked_add(new.len())?
        }
    };
    let field = incoming.available_mut().first_chunk_mut()?;
    *field = u32::try_from(changed).ok()?.to_le_bytes();
    Some(changed)
}

/// Sends a message that is there as a whole. Its checksum, if it has one, was verified when it was parsed.
///
/// # Errors
/// The upstream ends.
pub async fn forward_whole(allowed: Allowed, upstream: &mut Channel, message: &[u8], checksum: bool) -> Result<u64, RelayError> {
    let mut rest = message;
    let mut bare: Vec<u8>;
    if checksum && let Ok(Some(header)) = Header::peek(message, MAX_MESSAGE_SIZE) {
        bare = head::without_checksum(header, message.get(HEADER_LEN..HEAD_LEN).unwrap_or_default());
        bare.extend_from_slice(message.get(HEAD_LEN..message.len().saturating_sub(CHECKSUM_LEN)).unwrap_or_default());
        rest = &bare;
    }
    let mut changed;
    if !matches!(allowed.rewrite(), Rewrite::None) {
        changed = Incoming::starting_with(rest.to_vec());
        change(&mut changed, rest.len(), &allowed)
            .ok_or_else(|| RelayError::Protocol("a message that was to be changed has no body".to_owned()))?;
        rest = changed.available();
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

/// Verifies the checksum on the way and sends the message without it. The last byte is held back, so that the upstream never has a
/// whole message that is wrong.
async fn without_checksum(client: &mut Channel, upstream: &mut Channel, header: Header, length: usize) -> Result<(), RelayError> {
    client.fill_to(HEAD_LEN).await.map_err(RelayError::Client)?;
    let mut checksum = Checksum::new();
    let first = client.incoming.available().get(..HEAD_LEN).unwrap_or_default();
    checksum.update(first);
    let rewritten = head::without_checksum(header, first.get(HEADER_LEN..).unwrap_or_default());
    client.incoming.consume(HEAD_LEN);
    upstream.write(&rewritten).await.map_err(RelayError::Upstream)?;

    let middle = length.saturating_sub(HEAD_LEN + 1 + CHECKSUM_LEN);
    copy(client, upstream, middle, Some(&mut |bytes| checksum.update(bytes))).await.map_err(Broken::on_the_way_out)?;
    client.fill_to(1 + CHECKSUM_LEN).await.map_err(RelayError::Client)?;
    let Some(&[last, a, b, c, d]) = client.incoming.available().first_chunk() else { return Err(RelayError::Checksum) };
    checksum.update(&[last]);
    if checksum.finish() != u32::from_le_bytes([a, b, c, d]) {
        return Err(RelayError::Checksum);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bson::raw::RawDocumentBuf;
    use bson::rawdoc;

    use super::*;
    use crate::authz::cursors::Cursors;
    use crate::authz::request::{Request, Sequences};
    use crate::authz::testing;
    use crate::wire::command::Command;
    use crate::wire::request::parse;

    fn section(kind: u8, content: &[u8]) -> Vec<u8> {
        [&[kind], content].concat()
    }

    fn message(sections: &[Vec<u8>]) -> Vec<u8> {
        let sections = sections.concat();
        let header = Header { message_length: 20 + sections.len() as u32, request_id: 1, response_to: 0, opcode: 2013 };
        [&header.to_bytes()[..], &[0; 4], &sections].concat()
    }

    fn sequence() -> Vec<u8> {
        let document = rawdoc! { "a": 1 };
        let content = [b"documents\0", document.as_bytes()].concat();
        section(1, &[&u32::try_from(content.len() + 4).unwrap().to_le_bytes()[..], &content].concat())
    }

    /// What a message becomes when a cluster member sends it.
    fn sent(message: &[u8], body: &RawDocumentBuf) -> Vec<u8> {
        let command: Command<'_> = parse(message).unwrap().command.unwrap();
        assert_eq!(command.body.as_bytes(), body.as_bytes());
        let request = Request { command, canonical_name: command.name, sequences: Sequences::None };
        let allowed = crate::authz::authorize(testing::member(), &request, &Cursors::default(), 0).unwrap();
        // What follows the message in the buffer stays behind it, and what was used before it is no matter.
        let mut incoming = Incoming::starting_with([&[9; 50], message, b"next"].concat());
        incoming.consume(50);
        let length = change(&mut incoming, message.len(), &allowed).unwrap();
        assert_eq!(incoming.available().get(length..), Some(&b"next"[..]));
        incoming.available()[..length].to_vec()
    }

    #[test]
    fn the_user_is_named_in_the_logical_session_wherever_the_body_stands() {
        let body = rawdoc! { "insert": "t", "lsid": { "id": 1 }, "$db": "app" };
        let digest = crate::authz::principal::Principal::member().digest().to_vec();
        let uid = bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: digest };
        let named = rawdoc! { "insert": "t", "lsid": { "id": 1, "uid": uid }, "$db": "app" };
        for order in [[true, false], [false, true]] {
            let of = |body: &RawDocumentBuf| {
                let parts: Vec<_> = order.map(|is_body| if is_body { section(0, body.as_bytes()) } else { sequence() }).into();
                message(&parts)
            };
            assert_eq!(sent(&of(&body), &body), of(&named));
        }
    }

    #[test]
    fn a_message_without_a_logical_session_stays_as_it_is() {
        let body = rawdoc! { "insert": "t", "lsid": null, "$db": "app" };
        let message = message(&[section(0, body.as_bytes()), sequence()]);
        assert_eq!(sent(&message, &body), message);
    }
}
