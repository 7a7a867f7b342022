//! The `client` document of a hello: what mongod demands of it.
//!
//! It is checked field by field in the order in which it was sent; missing fields come last. Source: fact sheet "wire protocol and
//! driver behaviour", section 2.2, and a mongod 6.0.5.

use bson::raw::{RawBsonRef, RawDocument, RawElement};

use super::values::{elements, malformed};
use crate::error::{CommandError, ErrorCode};

/// The largest document, in bytes.
const MAX_DOCUMENT_SIZE: usize = 1024;
/// The longest `application.name`, in bytes.
const MAX_APPLICATION_NAME_SIZE: usize = 128;

/// Checks a `client` element and yields its document.
///
/// # Errors
/// mongod's: 14, 183, 184 or 185.
pub(super) fn check<'a>(element: &RawElement<'a>) -> Result<&'a RawDocument, CommandError> {
    let RawBsonRef::Document(client) = element.value().map_err(|_| malformed())? else {
        return Err(wrong_type("The client metadata document must be a document"));
    };
    if client.as_bytes().len() > MAX_DOCUMENT_SIZE {
        return Err(CommandError::new(
            ErrorCode::ClientMetadataDocumentTooLarge,
            format!("The client metadata document must be less then or equal to {MAX_DOCUMENT_SIZE}bytes"),
        ));
    }
    let (mut has_driver, mut has_os) = (false, false);
    for element in elements(client) {
        let element = element?;
        match element.key().as_str() {
            "application" => check_application(sub_document(&element)?)?,
            "driver" => {
                check_strings("driver", sub_document(&element)?, &["name", "version"])?;
                has_driver = true;
            }
            "os" => {
                check_strings("os", sub_document(&element)?, &["type"])?;
                has_os = true;
            }
            _ => {}
        }
    }
    for (name, present) in [("driver", has_driver), ("os", has_os)] {
        if !present {
            return Err(missing(format!("Missing required sub-document '{name}' in the client metadata document")));
        }
    }
    Ok(client)
}

fn check_application(application: &RawDocument) -> Result<(), CommandError> {
    let Some(name) = super::values::element(application, "name") else { return Ok(()) };
    let RawBsonRef::String(name) = name.value().map_err(|_| malformed())? else {
        return Err(not_a_string("application.name"));
    };
    if name.len() <= MAX_APPLICATION_NAME_SIZE {
        return Ok(());
    }
    Err(CommandError::new(
        ErrorCode::ClientMetadataAppNameTooLarge,
        format!(
            "The 'application.name' field must be less then or equal to {MAX_APPLICATION_NAME_SIZE} bytes in the client metadata \
             document"
        ),
    ))
}

fn sub_document<'a>(element: &RawElement<'a>) -> Result<&'a RawDocument, CommandError> {
    match element.value().map_err(|_| malformed())? {
        RawBsonRef::Document(document) => Ok(document),
        _ => {
            let name = element.key();
            Err(wrong_type(format!("The '{name}' field is required to be a BSON document in the client metadata document")))
        }
    }
}

fn check_strings(parent: &str, document: &RawDocument, required: &[&str]) -> Result<(), CommandError> {
    let mut found = Vec::new();
    for element in elements(document) {
        let element = element?;
        let name = element.key().as_str();
        if required.contains(&name) {
            if !matches!(element.value(), Ok(RawBsonRef::String(_))) {
                return Err(not_a_string(&format!("{parent}.{name}")));
            }
            found.push(name);
        }
    }
    required
        .iter()
        .find(|name| !found.contains(*name))
        .map_or(Ok(()), |name| Err(missing(format!("Missing required field '{parent}.{name}' in the client metadata document"))))
}

fn not_a_string(field: &str) -> CommandError {
    wrong_type(format!("The '{field}' field must be a string in the client metadata document"))
}

fn wrong_type(text: impl Into<std::borrow::Cow<'static, str>>) -> CommandError {
    CommandError::new(ErrorCode::TypeMismatch, text)
}

fn missing(text: String) -> CommandError {
    CommandError::new(ErrorCode::ClientMetadataMissingField, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::rawdoc;

    fn verdict(client: bson::raw::RawDocumentBuf) -> String {
        let body = rawdoc! { "client": client };
        let element = body.iter_elements().next().unwrap().unwrap();
        check(&element).map_or_else(|error| error.errmsg().to_owned(), |_| "accepted".to_owned())
    }

    #[test]
    fn the_first_wrong_field_in_the_order_sent_decides() {
        let driver = || rawdoc! { "name": "d", "version": "1" };
        let os = || rawdoc! { "type": "Linux" };
        let missing_type = "Missing required field 'os.type' in the client metadata document";
        let cases = [
            (rawdoc! { "os": {}, "driver": {} }, missing_type),
            (rawdoc! { "os": {}, "driver": { "name": 1 } }, missing_type),
            (rawdoc! { "driver": {}, "os": {} }, "Missing required field 'driver.name' in the client metadata document"),
            (
                rawdoc! { "driver": 1, "os": os() },
                "The 'driver' field is required to be a BSON document in the client metadata document",
            ),
            (
                rawdoc! { "driver": driver(), "os": { "type": 1 } },
                "The 'os.type' field must be a string in the client metadata document",
            ),
            (
                rawdoc! { "application": { "name": 1 }, "driver": driver(), "os": os() },
                "The 'application.name' field must be a string in the client metadata document",
            ),
            (rawdoc! { "platform": 1, "unknown": {}, "driver": driver(), "os": os() }, "accepted"),
        ];
        for (client, expected) in cases {
            assert_eq!(verdict(client), expected);
        }
    }
}
