//! `tlsCATrusts`: which CA may grant which roles through the role extension of a certificate.
//!
//! One role too many spoils all of them. Certificates without roles are none of its business. The CA of a certificate is the one at
//! which its chain ends, never an intermediate one.
//!
//! Source: fact sheet section 3.4; the reading of the parameter was tried on a mongod 6.0.5, whose texts these are (but for the
//! details of broken JSON).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::relaxed_json::{self, Value};
use crate::names::RoleName;

/// Why the parameter is refused, in mongod's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CaTrustsError(String);

/// Why a certificate is refused, in mongod's words. The connection is closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaTrustsRefusal {
    /// The parameter is an empty list.
    #[error("tlsCATrusts parameter prohibits role based authorization via X509 certificates")]
    NoCa,
    /// The parameter does not name this CA; its SHA-256 in upper-case hexadecimal digits.
    #[error("CA: {0} is not authorized to grant any roles due to tlsCATrusts parameter")]
    UnknownCa(String),
    /// The parameter does not let this CA grant this role.
    #[error("CA: {ca} is not authorized to grant role {}@{} due to tlsCATrusts parameter", .role.role, .role.database)]
    Role {
        /// The CA's SHA-256 in upper-case hexadecimal digits.
        ca: String,
        /// The role.
        role: RoleName,
    },
}

/// The parsed parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaTrusts(Vec<CaTrust>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct CaTrust {
    /// Upper-case hexadecimal digits.
    sha256: String,
    roles: Vec<RoleName>,
}

impl CaTrusts {
    /// Parses the parameter: `[{sha256: <hex>, roles: [{role, db}]}]`, where an empty `role` or `db` means any. An empty text is an
    /// empty list, which lets nobody grant anything.
    ///
    /// # Errors
    /// [`CaTrustsError`], as mongod words what stands after `Bad value for parameter "tlsCATrusts": `.
    pub fn parse(text: &str) -> Result<Self, CaTrustsError> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let value = relaxed_json::parse(text).map_err(|error| {
            CaTrustsError(format!("code 9: FailedToParse: {}: offset:{} of:{text}", error.expected, error.offset))
        })?;
        let mut trusts: Vec<CaTrust> = Vec::new();
        for element in elements(value)? {
            let trust = CaTrust::parse(element)?;
            if trusts.iter().any(|other| other.sha256 == trust.sha256) {
                let hash = hex_bytes(&trust.sha256).unwrap_or_default();
                return Err(CaTrustsError(format!("Duplicate thumbprint: {}", STANDARD.encode(hash))));
            }
            trusts.push(trust);
        }
        Ok(Self(trusts))
    }

    /// Whether the CA with this SHA-256 of its DER (hexadecimal digits of either case) may grant all these roles.
    ///
    /// # Errors
    /// [`CaTrustsRefusal`] for the first role that it may not grant; never if there are no roles.
    pub fn judge(&self, ca_sha256_hex: &str, roles: &[RoleName]) -> Result<(), CaTrustsRefusal> {
        if roles.is_empty() {
            return Ok(());
        }
        if self.0.is_empty() {
            return Err(CaTrustsRefusal::NoCa);
        }
        let ca = ca_sha256_hex.to_ascii_uppercase();
        let Some(trust) = self.0.iter().find(|trust| trust.sha256 == ca) else {
            return Err(CaTrustsRefusal::UnknownCa(ca));
        };
        match roles.iter().find(|role| !trust.allows(role)) {
            None => Ok(()),
            Some(role) => Err(CaTrustsRefusal::Role { ca, role: role.clone() }),
        }
    }
}

impl CaTrust {
    fn parse(value: Value) -> Result<Self, CaTrustsError> {
        let Value::Object(fields) = value else {
            return Err(CaTrustsError("Value must be an array of trust definitions".into()));
        };
        let field_error = |name: &str, what: &str| CaTrustsError(format!("BSON field 'tlsCATrusts.{name}' {what}"));
        let wrong_type = |name: &str, value: &Value, expected: &str| {
            field_error(name, &format!("is the wrong type '{}', expected type '{expected}'", value.type_name()))
        };
        let (mut sha256, mut roles) = (None, None);
        for (name, value) in fields {
            let is_duplicate = match name.as_str() {
                "sha256" => {
                    let Value::Text(text) = value else { return Err(wrong_type(&name, &value, "string")) };
                    sha256.replace(text).is_some()
                }
                "roles" => {
                    let Value::Array(list) = value else { return Err(wrong_type(&name, &value, "array")) };
                    roles.replace(list.iter().map(role).collect::<Result<Vec<_>, _>>()?).is_some()
                }
                _ => return Err(field_error(&name, "is an unknown field.")),
            };
            if is_duplicate {
                return Err(field_error(&name, "is a duplicate field"));
            }
        }
        let missing = |name| field_error(name, "is missing but a required field");
        let sha256 = sha256.ok_or_else(|| missing("sha256"))?;
        let roles = roles.ok_or_else(|| missing("roles"))?;
        let bytes = hex_bytes(&sha256).ok_or_else(|| CaTrustsError("Hash input is not a hex string".into()))?;
        if bytes.len() != 32 {
            return Err(CaTrustsError(format!("Unsupported SHA256Block hash length: {}", bytes.len())));
        }
        Ok(Self { sha256: sha256.to_ascii_uppercase(), roles })
    }

    fn allows(&self, role: &RoleName) -> bool {
        let matches = |pattern: &str, name: &str| pattern.is_empty() || pattern == name;
        self.roles.iter().any(|allowed| matches(&allowed.role, &role.role) && matches(&allowed.database, &role.database))
    }
}

/// The elements of an array; an object with the names `0`, `1` … counts as one.
fn elements(value: Value) -> Result<Vec<Value>, CaTrustsError> {
    match value {
        Value::Array(elements) => Ok(elements),
        Value::Object(fields) => fields
            .into_iter()
            .enumerate()
            .map(
                |(index, (name, value))| {
                    if name == index.to_string() { Ok(value) } else { Err(CaTrustsError("Value must be an array".into())) }
                },
            )
            .collect(),
        Value::Text(_) | Value::Other(_) => Err(CaTrustsError("Value must be an array".into())),
    }
}

/// `{role, db}` or `"db.role"`.
fn role(value: &Value) -> Result<RoleName, CaTrustsError> {
    match value {
        Value::Text(text) => match text.split_once('.') {
            Some((database, role)) => Ok(RoleName { role: role.into(), database: database.into() }),
            None => Err(CaTrustsError("RoleName must contain a '.' separated database.role pair".into())),
        },
        Value::Object(fields) => {
            let text = |wanted: &str| match fields.iter().find(|(name, _)| name == wanted) {
                Some((_, Value::Text(text))) => Ok(text.clone()),
                Some((_, other)) => Err(CaTrustsError(format!(
                    "RoleName must contain a string field named: {wanted}. But, has type {}",
                    other.type_name()
                ))),
                None => Err(CaTrustsError(format!("RoleName must contain a field named: {wanted}"))),
            };
            Ok(RoleName { role: text("role")?, database: text("db")? })
        }
        Value::Array(_) | Value::Other(_) => Err(CaTrustsError("RoleName must be either a document or a string".into())),
    }
}

/// The SHA-256 of a certificate, as the parameter names it: upper-case hexadecimal digits.
#[must_use]
pub fn sha256_hex(certificate_der: &[u8]) -> String {
    Sha256::digest(certificate_der).iter().map(|byte| format!("{byte:02X}")).collect()
}

fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect::<Option<Vec<_>>>()?;
    rest.is_empty().then_some(bytes)
}

#[cfg(test)]
mod tests;
