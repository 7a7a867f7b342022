//! Taking numbers and strings off the front of a byte slice. Nothing here panics: what is not there is `None`.

/// Takes `count` bytes off the front.
pub(super) fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

/// Takes one byte off the front.
pub(super) fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (&byte, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(byte)
}

/// Takes a little-endian `int32` off the front.
pub(super) fn take_i32(bytes: &mut &[u8]) -> Option<i32> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(i32::from_le_bytes(*taken))
}

/// Takes a string up to its NUL off the front; the NUL is taken too, but not given.
pub(super) fn take_cstring<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = bytes.iter().position(|&byte| byte == 0)?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest.get(1..)?;
    Some(taken)
}

/// The little-endian `int32` at `offset`.
pub(super) fn i32_at(bytes: &[u8], offset: usize) -> Option<i32> {
    bytes.get(offset..)?.first_chunk().map(|chunk| i32::from_le_bytes(*chunk))
}

/// The little-endian `uint32` at `offset`.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|chunk| u32::from_le_bytes(*chunk))
}

/// A length read from a message as a number of bytes; `None` when it is negative.
pub(super) fn length(number: i32) -> Option<usize> {
    usize::try_from(number).ok()
}

/// A `uint32` as a number of bytes. (Never saturates on a platform that doorward runs on.)
pub(super) fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
