//! Why a connection is closed without a reply. The client learns nothing of it; the text is for the log.
//!
//! Source: fact sheet "The MongoDB wire protocol and driver behaviour", sections 1.1 to 1.5 and 3; the texts are mongod's where it has one.

/// A message after which a mongod closes the connection without answering a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The header's length is less than a header, or more than is allowed here.
    #[error("recv(): message msgLen {} is invalid. Min 16 Max: {max}", i64::from(*length).cast_unsigned())]
    MessageLength {
        /// The length as it was read.
        length: i32,
        /// The largest that is allowed, in bytes with the header.
        max: u32,
    },
    /// A request that claims to answer something.
    #[error("Expected responseTo 0 in a request, but it is {0}")]
    ResponseTo(i32),
    /// An opcode that is none, or none of a request.
    #[error("cannot translate opcode {0}")]
    UnknownOpcode(i32),
    /// A write opcode of old, which has no reply that could carry an error.
    #[error("{0} is no longer supported. The client driver may require an upgrade")]
    RemovedOpcode(&'static str),
    /// A message that ends before its fixed fields do.
    #[error("Not enough data to read")]
    NotEnoughData,
    /// The namespace of an `OP_QUERY` or `OP_GET_MORE` has no end.
    #[error("Failed to parse ns string")]
    NamespaceString,
    /// An `OP_MSG` with a required flag (bits 2 to 15) that is not known.
    #[error("Message contains illegal flags value: Ob{0:032b}")]
    IllegalFlags(u32),
    /// An `OP_MSG` with more than two document sequences.
    #[error("Too many document sequences in OP_MSG")]
    TooManyDocumentSequences,
    /// The CRC-32C of an `OP_MSG` does not fit its bytes.
    #[error("OP_MSG checksum does not match contents")]
    ChecksumMismatch,
    /// An `OP_COMPRESSED` that is too short to be one.
    #[error("Compressed message is too short")]
    CompressedTooShort,
    /// An `OP_COMPRESSED` that declares a size that no message may have.
    #[error("Compressed message declares an invalid uncompressed size: {0}")]
    UncompressedSize(i32),
    /// An `OP_COMPRESSED` although `net.compression.compressors` is `disabled`.
    #[error("Compression is disabled (net.compression.compressors)")]
    CompressionDisabled,
    /// An `OP_COMPRESSED` by a compressor that is not known.
    #[error("Invalid compressor ID in compressed message: {0}")]
    UnknownCompressor(u8),
    /// The data of an `OP_COMPRESSED` is damaged, or is not exactly as long as declared.
    #[error("Decompressing message failed")]
    Decompression,
}
