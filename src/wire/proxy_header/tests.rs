use proptest::prelude::*;

use super::*;

fn ends(source: &str, destination: &str) -> Ends {
    Ends { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
}

fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    [SIGNATURE, &[command, family], &(rest.len() as u16).to_be_bytes(), rest].concat()
}

#[test]
fn a_line_of_version_1_tells_both_ends() {
    let longest = "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
    let rows = [
        ("PROXY TCP4 10.0.0.1 10.0.0.2 56324 27017\r\n", Some(ends("10.0.0.1:56324", "10.0.0.2:27017"))),
        ("PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n", Some(ends("255.255.255.255:65535", "0.0.0.0:0"))),
        ("PROXY TCP6 2001:db8::1 ::1 1 2\r\n", Some(ends("[2001:db8::1]:1", "[::1]:2"))),
        (
            longest,
            Some(ends("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")),
        ),
        ("PROXY UNKNOWN\r\n", None),
        ("PROXY UNKNOWN ffff::1 whatever 1 2\r\n", None),
    ];
    for (line, ends) in rows {
        let found = parse(format!("{line}and what the client says").as_bytes());
        assert_eq!(found, Ok(Some(ProxyHeader { length: line.len(), ends })), "{line}");
    }
}

#[test]
fn what_is_no_line_of_version_1_is_refused() {
    let endless = format!("PROXY UNKNOWN {}", "x".repeat(100));
    let late = format!("PROXY UNKNOWN {}\r\n", "x".repeat(92));
    let rows = [
        ("PROXY\r\n", ProxyHeaderError::Missing),
        ("proxy UNKNOWN\r\n", ProxyHeaderError::Missing),
        ("PROXY \r\n", ProxyHeaderError::Line),
        ("PROXY UNKNOWNS\r\n", ProxyHeaderError::Line),
        ("PROXY TCP4 10.0.0.1 10.0.0.2 1\r\n", ProxyHeaderError::Line),
        ("PROXY TCP4 10.0.0.1 10.0.0.2 1 2 3\r\n", ProxyHeaderError::Line),
        ("PROXY TCP4 10.0.0.1 10.0.0.2 1 2 \r\n", ProxyHeaderError::Line),
        ("PROXY TCP4  10.0.0.1 10.0.0.2 1 2\r\n", ProxyHeaderError::Line),
        ("PROXY TCP4 10.0.0.1\t10.0.0.2 1 2\r\n", ProxyHeaderError::Line),
        ("PROXY TCP4 ::1 ::1 1 2\r\n", ProxyHeaderError::Line),
        ("PROXY TCP6 10.0.0.1 10.0.0.2 1 2\r\n", ProxyHeaderError::Line),
        ("PROXY TCP4 10.0.0.01 10.0.0.2 1 2\r\n", ProxyHeaderError::Line),
        ("PROXY TCP4 10.0.0.1 10.0.0.2 65536 2\r\n", ProxyHeaderError::Line),
        ("PROXY TCP4 10.0.0.1 10.0.0.2 +1 2\r\n", ProxyHeaderError::Line),
        ("PROXY TCP4 10.0.0.1 10.0.0.2 01 2\r\n", ProxyHeaderError::Line),
        ("PROXY UDP4 10.0.0.1 10.0.0.2 1 2\r\n", ProxyHeaderError::Line),
        ("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\n\r\n", ProxyHeaderError::Line),
        (endless.as_str(), ProxyHeaderError::EndlessLine),
        (late.as_str(), ProxyHeaderError::EndlessLine),
    ];
    for (line, error) in rows {
        assert_eq!(parse(line.as_bytes()), Err(error), "{line}");
    }
    assert_eq!(parse(b"PROXY TCP4 \xff\xff\r\n"), Err(ProxyHeaderError::Line));
}

#[test]
fn version_2_tells_both_ends_and_its_extensions_are_skipped() {
    let v4 = [10, 0, 0, 1, 10, 0, 0, 2, 0xdc, 4, 0x69, 0x89];
    let mut v6 = [0; 36];
    (v6[15], v6[31], v6[33], v6[35]) = (1, 2, 3, 4);
    let extended = [&v4[..], &[0xea, 0, 3, b'v', b'p', b'c']].concat();
    let rows: [(Vec<u8>, Option<Ends>); 8] = [
        (binary(0x21, 0x11, &v4), Some(ends("10.0.0.1:56324", "10.0.0.2:27017"))),
        (binary(0x21, 0x11, &extended), Some(ends("10.0.0.1:56324", "10.0.0.2:27017"))),
        (binary(0x21, 0x21, &v6), Some(ends("[::1]:3", "[::2]:4"))),
        (binary(0x21, 0x11, &[&v4[..], &[0; LONGEST_REST - 12]].concat()), Some(ends("10.0.0.1:56324", "10.0.0.2:27017"))),
        (binary(0x21, 0x31, &[b'/'; 216]), None),
        (binary(0x21, 0x00, b"what nobody knows"), None),
        // A balancer that speaks for itself: whatever family it names does not count.
        (binary(0x20, 0x00, b""), None),
        (binary(0x20, 0x11, &v4), None),
    ];
    for (header, ends) in rows {
        let found = parse(&[&header[..], b"\x16\x03\x01"].concat());
        assert_eq!(found, Ok(Some(ProxyHeader { length: header.len(), ends })), "{header:02x?}");
    }
}

#[test]
fn what_is_no_header_of_version_2_is_refused() {
    let rows = [
        (binary(0x11, 0x11, &[0; 12]), ProxyHeaderError::Command(0x11)),
        (binary(0x22, 0x11, &[0; 12]), ProxyHeaderError::Command(0x22)),
        (binary(0x21, 0x12, &[0; 12]), ProxyHeaderError::Family(0x12)),
        (binary(0x21, 0x41, &[0; 12]), ProxyHeaderError::Family(0x41)),
        (binary(0x21, 0x11, &[0; 11]), ProxyHeaderError::Short),
        (binary(0x21, 0x21, &[0; 35]), ProxyHeaderError::Short),
        (binary(0x21, 0x31, &[0; 215]), ProxyHeaderError::Short),
        (binary(0x21, 0x11, &[0; LONGEST_REST + 1]), ProxyHeaderError::TooLong(LONGEST_REST + 1)),
        (b"\r\n\r\n\0\r\nQUIT\r".to_vec(), ProxyHeaderError::Missing),
    ];
    for (header, error) in rows {
        assert_eq!(parse(&header), Err(error), "{header:02x?}");
    }
}

#[test]
fn a_client_that_does_not_begin_with_a_header_is_known_by_its_first_byte() {
    for first in [&[0x3a, 0, 0, 0][..], &[0x16, 3, 1], b"GET / HTTP/1.1"] {
        assert_eq!(parse(&first[..1]), Err(ProxyHeaderError::Missing));
    }
    assert_eq!(parse(b""), Ok(None));
}

#[test]
fn a_header_that_is_sent_says_what_is_known() {
    let known = Spoken::Client(Some(ends("10.0.0.1:1", "10.0.0.2:2")));
    assert_eq!(version_1_of(known), b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n");
    assert_eq!(version_2_of(known), binary(0x21, 0x11, &[10, 0, 0, 1, 10, 0, 0, 2, 0, 1, 0, 2]));
    let mixed = Spoken::Client(Some(ends("10.0.0.1:1", "[2001:db8::1]:2")));
    assert_eq!(version_1_of(mixed), b"PROXY TCP6 ::ffff:10.0.0.1 2001:db8::1 1 2\r\n");
    for spoken in [Spoken::Own, Spoken::Client(None)] {
        assert_eq!(version_1_of(spoken), b"PROXY UNKNOWN\r\n");
    }
    assert_eq!(version_2_of(Spoken::Own), binary(0x20, 0, b""));
    assert_eq!(version_2_of(Spoken::Client(None)), binary(0x21, 0, b""));
}

fn any_end() -> impl Strategy<Value = SocketAddr> {
    // Addresses that have one form only: a mapped one is written as what it is.
    (any::<IpAddr>(), any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip.to_canonical(), port))
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic_and_within_bounds(bytes in proptest::collection::vec(any::<u8>(), 0..300), start in 0_usize..3) {
        let bytes = [[&b""[..], WORD, SIGNATURE][start], &bytes].concat();
        if let Ok(Some(header)) = parse(&bytes) {
            prop_assert!(header.length <= bytes.len() && header.length <= FIXED + LONGEST_REST);
        }
    }

    #[test]
    fn what_is_sent_is_read_byte_by_byte(source in any_end(), destination in any_end(), follows in proptest::collection::vec(any::<u8>(), 0..20)) {
        let said = Ends { source, destination };
        for header in [version_1_of(Spoken::Client(Some(said))), version_2_of(Spoken::Client(Some(said)))] {
            for length in 0..header.len() {
                prop_assert_eq!(parse(&header[..length]), Ok(None));
            }
            let found = parse(&[&header[..], &follows].concat()).unwrap().unwrap();
            let ends = found.ends.unwrap();
            prop_assert_eq!(found.length, header.len());
            prop_assert_eq!((ends.source.ip().to_canonical(), ends.source.port()), (source.ip(), source.port()));
            prop_assert_eq!((ends.destination.ip().to_canonical(), ends.destination.port()), (destination.ip(), destination.port()));
        }
    }
}
