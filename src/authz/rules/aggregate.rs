//! The command `aggregate`.
//!
//! What its pipeline needs is found by [`super::pipeline`]. Three stages show everybody's things on a mongod without access control,
//! so they are narrowed to the asker's own: `$currentOp`, `$listLocalSessions`, `$listSessions`. Operations and sessions are known by
//! the digest that doorward puts into the `lsid` of what it forwards.
//! Source: fact sheet "Authentication and authorization semantics", sections 8.5 and 9, and measured on a mongod 6.0.5.

use bson::raw::RawDocumentBuf;
use bson::rawdoc;

use super::Granted;
use super::fields::{error, lenient, missing, of_body};
use super::pipeline::{Own, Place, Walk};
use crate::authz::grants::Grants;
use crate::authz::principal::Principal;
use crate::authz::request::Request;
use crate::authz::{Refused, document, namespace};
use crate::error::ErrorCode;
use crate::wire::element::{Element, kind};

/// `aggregate`.
pub(crate) fn aggregate(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let [pipeline, bypass] = of_body(request, [b"pipeline", b"bypassDocumentValidation"])?;
    let place = place(request)?;
    let pipeline = pipeline.ok_or_else(|| missing("aggregate", "pipeline"))?;
    let bypass = lenient("aggregate", "bypassDocumentValidation", bypass)?;
    let own = Walk::new(grants, bypass).run(place, &pipeline)?;
    match own {
        None => Ok(Granted::AsIs),
        Some(own) => {
            let principal = grants.principal().ok_or(Refused::NotAuthorized)?;
            let pipeline = narrowed(&own, pipeline.value, principal)?;
            let body = request.body().as_bytes();
            document::with_field(body, b"pipeline", kind::ARRAY, pipeline.as_bytes()).map(Granted::Rewritten)
        }
    }
}

/// What the first field says: a collection, or 1 for the database as a whole.
fn place<'a>(request: &Request<'a>) -> Result<Place<'a>, Refused> {
    let database = request.database();
    let element = namespace::first(request).ok_or(Refused::NotAuthorized)?;
    match element.kind {
        kind::STRING => match namespace::checked(database, namespace::string(&element)?)? {
            "$cmd.aggregate" => {
                Err(error(ErrorCode::InvalidNamespace, format!("Invalid namespace specified '{database}.$cmd.aggregate'")))
            }
            collection => Ok(Place { database, collection: Some(collection) }),
        },
        kind::INT | kind::LONG | kind::DOUBLE | kind::DECIMAL if is_one(&element) => Ok(Place { database, collection: None }),
        kind::INT | kind::LONG | kind::DOUBLE | kind::DECIMAL => {
            let text = "Invalid command format: the 'aggregate' field must specify a collection name or 1";
            Err(error(ErrorCode::FailedToParse, text))
        }
        other => Err(error(ErrorCode::TypeMismatch, format!("collection name has invalid type: {}", kind::name(other)))),
    }
}

/// Whether a number is 1 (a decimal in the one form that it is written in).
fn is_one(element: &Element<'_>) -> bool {
    const DECIMAL_ONE: u128 = (0x3040 << 112) | 1;
    match element.kind {
        kind::INT => *element.value == 1_i32.to_le_bytes(),
        kind::LONG => *element.value == 1_i64.to_le_bytes(),
        kind::DOUBLE => *element.value == 1_f64.to_le_bytes(),
        _ => *element.value == DECIMAL_ONE.to_le_bytes(),
    }
}

/// The pipeline, its first stage narrowed to what is the asker's own.
fn narrowed(own: &Own<'_>, pipeline: &[u8], principal: &Principal) -> Result<RawDocumentBuf, Refused> {
    match own {
        Own::Operations { stage } => {
            let only = rawdoc! { "$match": { "lsid.uid": principal.uid() } };
            document::with_first(pipeline, &[stage, only.as_bytes()])
        }
        Own::Sessions { name } => {
            let owner = principal.name();
            let only = rawdoc! { "users": [{ "user": owner.name.as_str(), "db": owner.database.as_str() }] };
            let mut stage = document::Writer::with_room_for(only.as_bytes());
            stage.push(kind::OBJECT, name.as_bytes(), only.as_bytes());
            let stage = stage.finish()?;
            // A mongod without access control does not say whose a session is. In memory it is a text, in the collection a document.
            let owner = owner.to_string();
            let whose = match *name {
                "$listSessions" => rawdoc! { "$addFields": { "user": { "$literal": { "name": owner } } } },
                _ => rawdoc! { "$addFields": { "user": { "$literal": owner } } },
            };
            document::with_first(pipeline, &[stage.as_bytes(), whose.as_bytes()])
        }
    }
}
