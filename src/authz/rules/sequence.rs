//! The sections of kind 1 of a message: sequences of documents beside its body.

/// All sequences, each with the name of the field that it stands for. Where something can not be read, the last one ends with `None`.
pub(super) fn all(sections: &[u8]) -> impl Iterator<Item = (&[u8], Documents<'_>)> {
    Sequences { sections }
}

struct Sequences<'a> {
    sections: &'a [u8],
}

impl<'a> Iterator for Sequences<'a> {
    type Item = (&'a [u8], Documents<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((kind, rest)) = self.sections.split_first() {
            self.sections = rest;
            match (kind, take(&mut self.sections)) {
                (0, Some(_)) => {}
                (1, Some(section)) => return Some(named(section).unwrap_or((&[], Documents::Unreadable))),
                _ => {
                    self.sections = &[];
                    return Some((&[], Documents::Unreadable));
                }
            }
        }
        None
    }
}

/// The documents of a sequence; `None` where one can not be read.
pub(super) enum Documents<'a> {
    /// These bytes.
    In(&'a [u8]),
    /// Something that is no document.
    Unreadable,
}

impl<'a> Iterator for Documents<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::In([]) => None,
            Self::In(bytes) => {
                let document = take(bytes);
                if document.is_none() {
                    *self = Self::In(&[]);
                }
                Some(document)
            }
            Self::Unreadable => {
                *self = Self::In(&[]);
                Some(None)
            }
        }
    }
}

fn named(section: &[u8]) -> Option<(&[u8], Documents<'_>)> {
    let named = section.get(4..)?;
    let end = named.iter().position(|byte| *byte == 0)?;
    Some((named.get(..end)?, Documents::In(named.get(end..)?.get(1..)?)))
}

/// Takes a thing that starts with its length, which counts itself.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(i32::from_le_bytes(*bytes.first_chunk()?)).ok().filter(|length| *length >= 4)?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}
