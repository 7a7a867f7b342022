//! What of a command is changed on its way to the upstream.
//!
//! The changes are inside [`super::Allowed`], so that the bytes that were judged are the bytes that are sent, but for these.

use bson::raw::RawDocumentBuf;

use super::sessions;

/// What is changed.
#[derive(Debug)]
pub enum Rewrite {
    /// Nothing.
    None,
    /// The user's digest is put into the logical session.
    Session(Splice),
    /// The body is replaced by this one; the message's other sections stay.
    Body(RawDocumentBuf),
}

impl Rewrite {
    /// The change that gives the logical session of a body the user of this digest. `None` for a body that must not be sent.
    #[must_use]
    pub fn naming(body: &[u8], digest: &[u8; 32]) -> Option<Self> {
        sessions::name_user(body, sessions::find(body).ok()?, digest).ok()
    }

    /// The body after the change; `None` if it stays. `digest` is that of the user.
    #[must_use]
    pub fn apply(&self, body: &[u8], digest: &[u8; 32]) -> Option<Vec<u8>> {
        match self {
            Self::None => None,
            Self::Body(body) => Some(body.as_bytes().to_vec()),
            Self::Session(splice) => {
                let mut changed = Vec::with_capacity(body.len().saturating_add(Splice::LEN));
                let (before, after) = body.split_at_checked(splice.at())?;
                changed.extend_from_slice(before);
                changed.extend_from_slice(&Splice::bytes(digest));
                changed.extend_from_slice(after);
                for offset in splice.lengths() {
                    lengthen(&mut changed, offset, Splice::LEN);
                }
                Some(changed)
            }
        }
    }
}

/// Adds to the length that stands at `offset`. What is not there is left alone.
pub(crate) fn lengthen(bytes: &mut [u8], offset: usize, by: usize) {
    let Some(field) = bytes.get_mut(offset..).and_then(<[u8]>::first_chunk_mut::<4>) else { return };
    let by = u32::try_from(by).unwrap_or(u32::MAX);
    *field = u32::from_le_bytes(*field).saturating_add(by).to_le_bytes();
}

/// The digest of the user, put at the end of the logical session of a body: `uid: BinData(0, …)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Splice {
    session: u32,
    at: u32,
}

impl Splice {
    /// How many bytes are put in: type, name, length, subtype, digest.
    pub const LEN: usize = 1 + 4 + 4 + 1 + 32;

    /// Into the document that begins at `session` and whose last byte is at `at`, both counted from the beginning of the body.
    /// `None` for a body that is no document of this world.
    pub(super) fn new(session: usize, at: usize) -> Option<Self> {
        Some(Self { session: u32::try_from(session).ok()?, at: u32::try_from(at).ok()? })
    }

    /// Where the bytes are put in, from the beginning of the body.
    #[must_use]
    pub fn at(&self) -> usize {
        usize::try_from(self.at).unwrap_or(usize::MAX)
    }

    /// Where the lengths stand that grow by [`LEN`](Self::LEN), from the beginning of the body.
    #[must_use]
    pub fn lengths(&self) -> [usize; 2] {
        [0, usize::try_from(self.session).unwrap_or(usize::MAX)]
    }

    /// What is put in.
    #[must_use]
    pub fn bytes(digest: &[u8; 32]) -> [u8; Self::LEN] {
        const HEAD: &[u8; Splice::LEN - 32] = b"\x05uid\0\x20\0\0\0\0";
        let mut bytes = [0; Self::LEN];
        if let Some((head, rest)) = bytes.split_first_chunk_mut() {
            *head = *HEAD;
            rest.copy_from_slice(digest);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use bson::{Binary, rawdoc, spec::BinarySubtype};

    use super::*;

    #[test]
    fn a_spliced_session_is_the_document_that_a_driver_would_have_sent() {
        let digest = [7; 32];
        let uid = Binary { subtype: BinarySubtype::Generic, bytes: digest.to_vec() };
        let body = rawdoc! { "find": "t", "lsid": { "id": 1 }, "$db": "app" };
        // The length of `{find: "t"`, then of `lsid`'s type and name.
        let session = 4 + (1 + 5 + 4 + 2) + (1 + 5);
        let splice = Splice::new(session, session + rawdoc! { "id": 1 }.as_bytes().len() - 1).unwrap();
        let expected = rawdoc! { "find": "t", "lsid": { "id": 1, "uid": uid }, "$db": "app" };
        assert_eq!(Rewrite::Session(splice).apply(body.as_bytes(), &digest).unwrap(), expected.as_bytes());
    }
}
