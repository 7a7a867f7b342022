//! What a client speaks, told from its first bytes, as mongod tells it. Source: fact sheet section 7.1, wire sheet section 1.1.

/// How many bytes are needed to tell: one message header.
pub const SNIFF_LEN: usize = 16;

/// What the first bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstBytes {
    /// A TLS record.
    Tls,
    /// `GET `: somebody came with a browser.
    HttpGet,
    /// Anything else is judged as a MongoDB message.
    Message,
}

/// The answer to a browser, as mongod gives it.
pub const HTTP_ANSWER: &[u8] = b"HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 85\r\n\r\n\
It looks like you are trying to access MongoDB over HTTP on the native driver port.\r\n";

/// Tells what `bytes` begin; `bytes` should hold [`SNIFF_LEN`] bytes.
#[must_use]
pub fn sniff(bytes: &[u8]) -> FirstBytes {
    match bytes {
        // A TLS record of the kind handshake, version 3.x, that holds a ClientHello. As a message the same bytes would declare
        // a length that no client of a MongoDB server sends first.
        [0x16, 0x03, _, _, _, 0x01, ..] => FirstBytes::Tls,
        [b'G', b'E', b'T', b' ', ..] => FirstBytes::HttpGet,
        _ => FirstBytes::Message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_what_a_client_speaks() {
        let rows: [(&[u8], FirstBytes); 5] = [
            (&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01], FirstBytes::Tls),
            (b"GET / HTTP/1.1\r\n", FirstBytes::HttpGet),
            (b"POST / HTTP/1.1\r\n", FirstBytes::Message),
            (b"get / HTTP/1.1\r\n", FirstBytes::Message),
            (&[0x3a, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xdd, 7, 0, 0], FirstBytes::Message),
        ];
        for (bytes, expected) in rows {
            assert_eq!(sniff(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn the_answer_to_a_browser_declares_its_true_length() {
        let text = std::str::from_utf8(HTTP_ANSWER).unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        assert_eq!(body.len(), 85);
    }
}
