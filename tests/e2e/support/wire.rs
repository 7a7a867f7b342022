//! Messages of the wire protocol, written apart from the product's own codec so that one checks the other.

use std::io::Read;

use bson::Document;

pub(crate) const OP_REPLY: i32 = 1;
pub(crate) const OP_QUERY: i32 = 2004;
pub(crate) const OP_COMPRESSED: i32 = 2012;
pub(crate) const OP_MSG: i32 = 2013;

pub(crate) const CHECKSUM_PRESENT: u32 = 1;
pub(crate) const MORE_TO_COME: u32 = 2;
pub(crate) const EXHAUST_ALLOWED: u32 = 1 << 16;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) request_id: i32,
    pub(crate) response_to: i32,
    pub(crate) opcode: i32,
    pub(crate) body: Vec<u8>,
}

/// What a reply says once it is unpacked.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) opcode: i32,
    pub(crate) response_to: i32,
    /// The compressor of an OP_COMPRESSED reply.
    pub(crate) compressor: Option<u8>,
    /// `opcode` of what was inside.
    pub(crate) inner_opcode: i32,
    pub(crate) flags: u32,
    pub(crate) document: Document,
}

impl Message {
    /// A command as OP_MSG.
    pub(crate) fn command(request_id: i32, flags: u32, document: &Document) -> Self {
        let mut body = flags.to_le_bytes().to_vec();
        body.push(0);
        body.extend(document.to_vec().expect("a document"));
        Self { request_id, response_to: 0, opcode: OP_MSG, body }
    }

    /// Appends a document sequence to an OP_MSG.
    pub(crate) fn with_sequence(mut self, identifier: &str, documents: &[Document]) -> Self {
        let mut section: Vec<u8> = identifier.bytes().chain([0]).collect();
        documents.iter().for_each(|document| section.extend(document.to_vec().expect("a document")));
        self.body.push(1);
        self.body.extend(length(section.len() + 4).to_le_bytes());
        self.body.extend(section);
        self
    }

    /// A command as OP_QUERY on `<database>.$cmd`.
    pub(crate) fn query(request_id: i32, database: &str, document: &Document) -> Self {
        let mut body = 0_u32.to_le_bytes().to_vec();
        body.extend(format!("{database}.$cmd\0").bytes());
        body.extend(0_i32.to_le_bytes());
        body.extend((-1_i32).to_le_bytes());
        body.extend(document.to_vec().expect("a document"));
        Self { request_id, response_to: 0, opcode: OP_QUERY, body }
    }

    /// The same with its CRC-32C appended.
    pub(crate) fn with_checksum(mut self) -> Self {
        self.body[0] |= 1;
        let mut bytes = self.bytes();
        let size = length(bytes.len() + 4);
        bytes[..4].copy_from_slice(&size.to_le_bytes());
        self.body.extend(crc32c::crc32c(&bytes).to_le_bytes());
        self
    }

    /// The same inside OP_COMPRESSED: 1 snappy, 2 zlib, 3 zstd.
    pub(crate) fn compressed(self, compressor: u8) -> Self {
        let mut body = self.opcode.to_le_bytes().to_vec();
        body.extend(length(self.body.len()).to_le_bytes());
        body.push(compressor);
        body.extend(match compressor {
            1 => snap::raw::Encoder::new().compress_vec(&self.body).expect("snappy"),
            2 => {
                let mut encoder = flate2::read::ZlibEncoder::new(self.body.as_slice(), flate2::Compression::fast());
                read_all(&mut encoder)
            }
            _ => zstd::encode_all(self.body.as_slice(), 1).expect("zstd"),
        });
        Self { opcode: OP_COMPRESSED, body, ..self }
    }

    /// The bytes on the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.body.len() + 16);
        for field in [length(self.body.len() + 16), self.request_id, self.response_to, self.opcode] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend(&self.body);
        bytes
    }

    /// Takes the first whole message from `bytes`, if there is one.
    pub(crate) fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        let size = usize::try_from(int32(bytes.get(..4)?)).expect("a length");
        let body = bytes.get(16..size)?.to_vec();
        let field = |at: usize| int32(&bytes[at..at + 4]);
        let message = Self { request_id: field(4), response_to: field(8), opcode: field(12), body };
        bytes.drain(..size);
        Some(message)
    }

    /// Unpacks a reply and checks its checksum when it has one.
    pub(crate) fn reply(&self) -> Reply {
        if self.opcode == OP_COMPRESSED {
            let inner = Self { opcode: int32(&self.body[..4]), body: decompress(&self.body), ..self.clone() };
            let reply = inner.reply();
            return Reply { opcode: OP_COMPRESSED, compressor: Some(self.body[8]), ..reply };
        }
        let (flags, document) = match self.opcode {
            OP_REPLY => (int32(&self.body[..4]), &self.body[20..]),
            OP_MSG => (int32(&self.body[..4]), &self.body[5..]),
            other => panic!("a reply with opcode {other}"),
        };
        let flags = flags.cast_unsigned();
        if self.opcode == OP_MSG && flags & CHECKSUM_PRESENT != 0 {
            let bytes = self.bytes();
            let (signed, checksum) = bytes.split_at(bytes.len() - 4);
            assert_eq!(crc32c::crc32c(signed).to_le_bytes(), checksum, "the checksum of a reply");
        }
        let document = Document::from_reader(document).expect("a document");
        Reply { opcode: self.opcode, response_to: self.response_to, compressor: None, inner_opcode: self.opcode, flags, document }
    }
}

fn decompress(body: &[u8]) -> Vec<u8> {
    let data = &body[9..];
    let inner = match body[8] {
        1 => snap::raw::Decoder::new().decompress_vec(data).expect("snappy"),
        2 => read_all(&mut flate2::read::ZlibDecoder::new(data)),
        3 => zstd::decode_all(data).expect("zstd"),
        other => panic!("compressor {other}"),
    };
    assert_eq!(length(inner.len()), int32(&body[4..8]), "uncompressedSize of a reply");
    inner
}

fn read_all(reader: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).expect("zlib");
    bytes
}

fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).expect("below 2 GiB")
}

fn int32(bytes: &[u8]) -> i32 {
    i32::from_le_bytes(bytes.try_into().expect("four bytes"))
}
