//! `OP_COMPRESSED`: a message inside a message.
//!
//! The declared size is capped before anything is allocated, and the data has to be exactly as long as declared: mongod 6.0.5 reads
//! memory behind short zlib data (CVE-2025-14847), so that no such message may reach it.
//! Source: fact sheet "The MongoDB wire protocol and driver behaviour", section 3.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::CloseReason;
use super::bytes::{length, size, take_byte, take_i32};
use super::header::{HEADER_LEN, Header, opcode};
use super::message::build;

/// The level that mongod compresses with by default, zlib and zstd.
const ZLIB_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;

/// A way to compress messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compressor {
    /// snappy, raw format.
    Snappy,
    /// zlib.
    Zlib,
    /// Zstandard.
    Zstd,
}

impl Compressor {
    /// The number in a message.
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::Snappy => 1,
            Self::Zlib => 2,
            Self::Zstd => 3,
        }
    }

    /// The compressor of this number. 0 ("noop") is none: mongod closes on it too.
    #[must_use]
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            1 => Some(Self::Snappy),
            2 => Some(Self::Zlib),
            3 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The name in `hello` and in `net.compression.compressors`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Snappy => "snappy",
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
        }
    }

    /// The compressor of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Snappy, Self::Zlib, Self::Zstd].into_iter().find(|compressor| compressor.name() == name)
    }
}

/// What an `OP_COMPRESSED` stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unwrapped {
    /// The message inside, whole: its header is rebuilt from the outer one.
    Message {
        /// The message.
        message: Vec<u8>,
        /// What it was compressed with, for the reply.
        compressor: Compressor,
    },
    /// An `OP_COMPRESSED` inside an `OP_COMPRESSED`: it gets no reply, and the connection goes on.
    Nested,
}

/// Takes the compression off one whole `OP_COMPRESSED`. The message inside may have up to `max_size` bytes, its header included.
///
/// # Errors
/// The reason to close the connection: a size that is not allowed, an unknown compressor, data that is damaged or not exactly as long
/// as declared. (Bytes behind the end of a zlib stream are ignored, as by mongod.)
pub fn unwrap(message: &[u8], max_size: u32) -> Result<Unwrapped, CloseReason> {
    let header = Header::peek(message, u32::MAX)?.ok_or(CloseReason::NotEnoughData)?;
    if header.response_to != 0 {
        return Err(CloseReason::ResponseTo(header.response_to));
    }
    let (original, inside, compressor) = inflate(&header, message, max_size)?;
    if original == opcode::COMPRESSED {
        return Ok(Unwrapped::Nested);
    }
    Ok(Unwrapped::Message { message: inside, compressor })
}

/// Takes the compression off one whole compressed reply, whose `responseTo` is kept.
///
/// # Errors
/// As [`unwrap`]; a nested message is an unknown opcode here.
#[cfg(test)]
pub(crate) fn unwrap_reply(message: &[u8], max_size: u32) -> Result<Vec<u8>, CloseReason> {
    let header = Header::peek(message, u32::MAX)?.ok_or(CloseReason::NotEnoughData)?;
    let (original, inside, _) = inflate(&header, message, max_size)?;
    if original == opcode::COMPRESSED { Err(CloseReason::UnknownOpcode(original)) } else { Ok(inside) }
}

fn inflate(header: &Header, message: &[u8], max_size: u32) -> Result<(i32, Vec<u8>, Compressor), CloseReason> {
    let mut rest = message.get(HEADER_LEN..).unwrap_or_default();
    let original = take_i32(&mut rest).ok_or(CloseReason::CompressedTooShort)?;
    let declared = take_i32(&mut rest).ok_or(CloseReason::CompressedTooShort)?;
    let id = take_byte(&mut rest).filter(|_| !rest.is_empty()).ok_or(CloseReason::CompressedTooShort)?;
    let total = length(declared).filter(|&declared| declared > 0).and_then(|declared| declared.checked_add(HEADER_LEN));
    let total = total.filter(|&total| total <= size(max_size)).ok_or(CloseReason::UncompressedSize(declared))?;
    let compressor = Compressor::from_id(id).ok_or(CloseReason::UnknownCompressor(id))?;
    let message_length = u32::try_from(total).map_err(|_| CloseReason::UncompressedSize(declared))?;
    let inside = Header { message_length, opcode: original, ..*header };
    let body_length = total.saturating_sub(HEADER_LEN);
    let body = match compressor {
        Compressor::Snappy => snappy(&inside, rest, body_length),
        Compressor::Zlib => zlib(&inside, rest, body_length),
        Compressor::Zstd => zstd(&inside, rest, body_length),
    };
    Ok((original, body.ok_or(CloseReason::Decompression)?, compressor))
}

fn snappy(header: &Header, data: &[u8], body_length: usize) -> Option<Vec<u8>> {
    if snap::raw::decompress_len(data).ok()? != body_length {
        return None;
    }
    // Zeroed memory costs nothing until it is written to.
    let mut message = vec![0; body_length.checked_add(HEADER_LEN)?];
    let (front, body) = message.split_first_chunk_mut()?;
    *front = header.to_bytes();
    let written = snap::raw::Decoder::new().decompress(data, body).ok()?;
    (written == body_length).then_some(message)
}

fn zlib(header: &Header, data: &[u8], body_length: usize) -> Option<Vec<u8>> {
    let mut message = Vec::with_capacity(body_length.checked_add(HEADER_LEN)?);
    message.extend_from_slice(&header.to_bytes());
    let mut state = Decompress::new(true);
    let status = state.decompress_vec(data, &mut message, FlushDecompress::Finish).ok()?;
    let whole = status == Status::StreamEnd && u64::try_from(body_length) == Ok(state.total_out());
    whole.then_some(message)
}

fn zstd(header: &Header, data: &[u8], body_length: usize) -> Option<Vec<u8>> {
    let mut message = vec![0; body_length.checked_add(HEADER_LEN)?];
    let (front, body) = message.split_first_chunk_mut()?;
    *front = header.to_bytes();
    let written = zstd::bulk::decompress_to_buffer(data, body).ok()?;
    (written == body_length).then_some(message)
}

/// Why a message was not compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompressError {
    /// The message has no body to compress.
    #[error("the message is too short or too long to compress")]
    Size,
    /// The compressor failed.
    #[error("{} could not compress the message", .0.name())]
    Compressor(Compressor),
}

/// Wraps one whole message, header included.
///
/// # Errors
/// When it has no body, or the compressor runs out of memory.
pub fn compress(compressor: Compressor, message: &[u8]) -> Result<Vec<u8>, CompressError> {
    let header = Header::peek(message, u32::MAX).ok().flatten().ok_or(CompressError::Size)?;
    let body = message.get(HEADER_LEN..).filter(|body| !body.is_empty()).ok_or(CompressError::Size)?;
    let body_length = i32::try_from(body.len()).map_err(|_| CompressError::Size)?;
    let data = match compressor {
        Compressor::Snappy => snap::raw::Encoder::new().compress_vec(body).ok(),
        Compressor::Zlib => deflate(body),
        Compressor::Zstd => zstd::bulk::compress(body, ZSTD_LEVEL).ok(),
    };
    let data = data.ok_or(CompressError::Compressor(compressor))?;
    let parts: [&[u8]; 4] = [&header.opcode.to_le_bytes(), &body_length.to_le_bytes(), &[compressor.id()], &data];
    Ok(build(header.request_id, header.response_to, opcode::COMPRESSED, &parts, 0))
}

fn deflate(body: &[u8]) -> Option<Vec<u8>> {
    // The worst case of deflate: five bytes for each stored block of 16 KiB, and the stream's frame.
    let room = body.len().checked_add((body.len() >> 12).checked_add(64)?)?;
    let mut data = Vec::with_capacity(room);
    let status = Compress::new(Compression::new(ZLIB_LEVEL), true).compress_vec(body, &mut data, FlushCompress::Finish).ok()?;
    (status == Status::StreamEnd).then_some(data)
}
