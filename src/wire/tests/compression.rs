//! `OP_COMPRESSED`, whole and damaged.

use super::bytes::{body, message, op_msg, ping};
use crate::wire::compressed::{CompressError, Compressor, Unwrapped, compress, unwrap, unwrap_reply};
use crate::wire::header::opcode;
use crate::wire::{CloseReason, MAX_MESSAGE_SIZE};

const ALL: [Compressor; 3] = [Compressor::Snappy, Compressor::Zlib, Compressor::Zstd];

/// The same compressed message with another declared size.
fn declaring(size: i32, mut message: Vec<u8>) -> Vec<u8> {
    message[20..24].copy_from_slice(&size.to_le_bytes());
    message
}

fn sent() -> Vec<u8> {
    op_msg(0, &[&body(&ping())])
}

#[test]
fn what_was_compressed_comes_back() {
    for compressor in ALL {
        let unwrapped = unwrap(&compress(compressor, &sent()).unwrap(), MAX_MESSAGE_SIZE);
        assert_eq!(unwrapped, Ok(Unwrapped::Message { message: sent(), compressor }));
        assert_eq!(Compressor::from_id(compressor.id()), Some(compressor));
        assert_eq!(Compressor::from_name(compressor.name()), Some(compressor));
    }
    assert_eq!((Compressor::from_id(0), Compressor::from_name("noop")), (None, None));
}

#[test]
fn a_declared_size_that_is_not_exactly_right_closes() {
    let length = sent().len() as i32 - 16;
    for compressor in ALL {
        for wrong in [1, length - 1, length + 1, 47_999_984] {
            let message = declaring(wrong, compress(compressor, &sent()).unwrap());
            assert_eq!(unwrap(&message, MAX_MESSAGE_SIZE), Err(CloseReason::Decompression), "{compressor:?} {wrong}");
        }
        for wrong in [0, -1, i32::MIN, 47_999_985, i32::MAX] {
            let message = declaring(wrong, compress(compressor, &sent()).unwrap());
            assert_eq!(unwrap(&message, MAX_MESSAGE_SIZE), Err(CloseReason::UncompressedSize(wrong)), "{compressor:?}");
        }
    }
}

#[test]
fn a_smaller_limit_counts_the_header() {
    let (message, total) = (compress(Compressor::Snappy, &sent()).unwrap(), sent().len() as u32);
    assert!(unwrap(&message, total).is_ok());
    assert_eq!(unwrap(&message, total - 1), Err(CloseReason::UncompressedSize(total as i32 - 16)));
}

#[test]
fn damaged_data_closes_and_bytes_behind_a_zlib_stream_do_not() {
    for compressor in ALL {
        let whole = compress(compressor, &sent()).unwrap();
        let cut = message(opcode::COMPRESSED, &whole[16..whole.len() - 3]);
        assert_eq!(unwrap(&cut, MAX_MESSAGE_SIZE), Err(CloseReason::Decompression), "{compressor:?}");
        let longer = message(opcode::COMPRESSED, &[&whole[16..], b"abc"].concat());
        assert_eq!(unwrap(&longer, MAX_MESSAGE_SIZE).is_ok(), compressor == Compressor::Zlib, "{compressor:?}");
    }
}

#[test]
fn a_message_too_short_or_of_an_unknown_compressor_closes() {
    for length in 0..10 {
        let short = message(opcode::COMPRESSED, &vec![1; length]);
        assert_eq!(unwrap(&short, MAX_MESSAGE_SIZE), Err(CloseReason::CompressedTooShort), "{length}");
    }
    for id in [0, 4, 255] {
        let mut unknown = compress(Compressor::Zlib, &sent()).unwrap();
        unknown[24] = id;
        assert_eq!(unwrap(&unknown, MAX_MESSAGE_SIZE), Err(CloseReason::UnknownCompressor(id)));
    }
    let mut answer = compress(Compressor::Zlib, &sent()).unwrap();
    answer[8] = 1;
    assert_eq!(unwrap(&answer, MAX_MESSAGE_SIZE), Err(CloseReason::ResponseTo(1)));
    assert!(unwrap_reply(&answer, MAX_MESSAGE_SIZE).is_ok(), "but a reply names its request");
}

#[test]
fn a_message_compressed_twice_is_told_apart() {
    let twice = compress(Compressor::Zlib, &compress(Compressor::Zlib, &sent()).unwrap()).unwrap();
    assert_eq!(unwrap(&twice, MAX_MESSAGE_SIZE), Ok(Unwrapped::Nested));
}

#[test]
fn a_message_without_a_body_is_not_compressed() {
    assert_eq!(compress(Compressor::Zlib, &message(opcode::MSG, &[])), Err(CompressError::Size));
    assert_eq!(compress(Compressor::Zlib, &[]), Err(CompressError::Size));
}

#[test]
fn data_that_does_not_shrink_is_compressed_all_the_same() {
    let mut state = 1_u32;
    let noise: Vec<u8> = (0..200_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .collect();
    let plain = message(opcode::MSG, &noise);
    for compressor in ALL {
        let unwrapped = unwrap(&compress(compressor, &plain).unwrap(), MAX_MESSAGE_SIZE).unwrap();
        assert_eq!(unwrapped, Unwrapped::Message { message: plain.clone(), compressor });
    }
}
