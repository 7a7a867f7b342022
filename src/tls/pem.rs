//! PEM sections, as mongod's files have them: several kinds in one file, text between them, old encryption headers.
//!
//! The content may be a private key: it is wiped when it goes.
//! Source: RFC 7468, RFC 1421 section 4.6 for the headers.

use base64::Engine as _;
use zeroize::Zeroizing;

use super::error::Problem;

/// One section.
pub(crate) struct Section {
    /// What stands behind `BEGIN`.
    pub(crate) label: String,
    /// A header says that the content is encrypted.
    pub(crate) encrypted: bool,
    /// The decoded content; empty when it is encrypted.
    pub(crate) content: Zeroizing<Vec<u8>>,
}

/// All sections of a file, in order. What stands outside of sections is skipped.
///
/// # Errors
/// [`Problem::DamagedPem`] for a section without its end or with wrong base64.
pub(crate) fn sections(file: &[u8]) -> Result<Vec<Section>, Problem> {
    let mut sections = Vec::new();
    let mut lines = file.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    while let Some(line) = lines.next() {
        let Some(label) = label(line, b"-----BEGIN ") else { continue };
        let damaged = || Problem::DamagedPem(label.clone());
        let mut encrypted = false;
        let mut text = Zeroizing::new(Vec::new());
        loop {
            let line = lines.next().ok_or_else(damaged)?;
            if line.starts_with(b"-----") {
                if self::label(line, b"-----END ").as_ref() != Some(&label) {
                    return Err(damaged());
                }
                break;
            }
            if line.contains(&b':') {
                encrypted |= line.starts_with(b"Proc-Type") || line.starts_with(b"DEK-Info");
            } else {
                text.extend_from_slice(line);
            }
        }
        let content = if encrypted { Vec::new() } else { decode(&text).ok_or_else(damaged)? };
        sections.push(Section { label, encrypted, content: Zeroizing::new(content) });
    }
    Ok(sections)
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

fn label(line: &[u8], start: &[u8]) -> Option<String> {
    let label = line.strip_prefix(start)?.strip_suffix(b"-----")?;
    std::str::from_utf8(label).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sections_come_in_order_and_text_between_them_is_skipped() {
        let file = b"subject=x\r\n-----BEGIN A-----\r\nAQID\r\n-----END A-----\r\n\r\nBag: y\n-----BEGIN B C-----\nBA==\n-----END B C-----";
        let sections = sections(file).unwrap_or_default();
        let found: Vec<(&str, &[u8])> =
            sections.iter().map(|section| (section.label.as_str(), section.content.as_slice())).collect();
        assert_eq!(found, [("A", &[1, 2, 3][..]), ("B C", &[4][..])]);
    }

    #[test]
    fn an_old_encryption_header_is_seen() {
        let file = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAQID\n-----END RSA PRIVATE KEY-----\n";
        assert!(sections(file).unwrap_or_default().iter().all(|section| section.encrypted));
    }

    #[test]
    fn a_section_that_is_cut_off_or_not_base64_is_damaged() {
        for file in
            ["-----BEGIN A-----\nAQID\n", "-----BEGIN A-----\nAQI*\n-----END A-----", "-----BEGIN A-----\n-----END B-----"]
        {
            assert!(matches!(sections(file.as_bytes()), Err(Problem::DamagedPem(label)) if label == "A"), "{file}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = sections(&bytes);
            let _ = sections(&[b"-----BEGIN A-----\n".as_slice(), &bytes, b"\n-----END A-----\n"].concat());
        }
    }
}
