//! Commands that read documents.
//!
//! Source: fact sheet "Authentication and authorization semantics", section 9, and measured on a mongod 6.0.5.

use std::str;

use bson::raw::RawDocument;

use super::fields::{error, of_body, of_document, string_of, truthy, wrong_type};
use super::{Granted, by_uuid, need};
use crate::authz::action::Action;
use crate::authz::grants::Grants;
use crate::authz::namespace::{self, Target};
use crate::authz::request::{Request, Sequences};
use crate::authz::resource::Resource;
use crate::authz::table::canonical_name;
use crate::authz::{Refused, document};
use crate::error::ErrorCode;
use crate::wire::command::Command;
use crate::wire::element::{Element, Elements, kind};

/// `find`: `term` is for members only.
pub(crate) fn find(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let [term] = of_body(request, [b"term"])?;
    let resource = source(request, grants)?;
    need(grants, resource, &[Action::Find])?;
    if term.is_some() {
        need(grants, Resource::Cluster, &[Action::Internal])?;
    }
    Ok(Granted::AsIs)
}

/// `count`.
pub(crate) fn count(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let [] = of_body(request, [])?;
    let resource = source(request, grants)?;
    need(grants, resource, &[Action::Find])?;
    Ok(Granted::AsIs)
}

/// `distinct`.
pub(crate) fn distinct(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    count(request, grants)
}

/// The collection that the first field names, by its name or its UUID.
fn source<'a>(request: &Request<'a>, grants: &mut dyn Grants) -> Result<Resource<'a>, Refused> {
    let database = request.database();
    match namespace::first(request) {
        Some(element) if element.kind != kind::STRING && !namespace::is_uuid(&element) => {
            Err(error(ErrorCode::InvalidNamespace, "Failed to parse namespace element"))
        }
        _ => match namespace::collection_or_uuid(request)? {
            Target::Uuid => by_uuid(grants),
            // mongod does not close this quote either.
            Target::Collection(collection) if has_dollar(database, collection) => {
                Err(error(ErrorCode::InvalidNamespace, format!("Invalid collection name specified '{database}.{collection}")))
            }
            Target::Collection(collection) => Ok(Resource::Collection { database, collection }),
        },
    }
}

fn has_dollar(database: &str, collection: &str) -> bool {
    (database.contains('$') || collection.contains('$')) && !(database == "local" && collection == "oplog.$main")
}

/// `explain`: what the explained command needs.
pub(crate) fn explain(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let [] = of_body(request, [])?;
    let element = namespace::first(request).ok_or(Refused::NotAuthorized)?;
    if element.kind != kind::OBJECT {
        return Err(wrong_type("explain", "explain", &element, "type 'object'"));
    }
    let inner = explained(request, &element)?;
    match crate::authz::judge(&inner, grants)? {
        Granted::AsIs => Ok(Granted::AsIs),
        Granted::Rewritten(body) => {
            document::with_field(request.body().as_bytes(), b"explain", kind::OBJECT, body.as_bytes()).map(Granted::Rewritten)
        }
    }
}

/// The explained command as a request of its own, without sequences: those of `explain` are not read by mongod.
pub(super) fn explained<'a>(request: &Request<'a>, element: &Element<'a>) -> Result<Request<'a>, Refused> {
    let body = RawDocument::from_bytes(element.value).map_err(|_| Refused::NotAuthorized)?;
    let first = Elements::of(element.value).next();
    let name = first.map_or(Some(""), |first| str::from_utf8(first.name).ok()).ok_or(Refused::NotAuthorized)?;
    let canonical_name = canonical_name(name);
    if canonical_name == "explain" {
        return Err(error(ErrorCode::IllegalOperation, "Explain cannot explain itself."));
    }
    if crate::authz::table::find(canonical_name).is_none() {
        return Err(error(ErrorCode::CommandNotFound, format!("Explain failed due to unknown command: {name}")));
    }
    let [database] = of_document(Elements::of(element.value), [b"$db"], canonical_name)?;
    if let Some(database) = database {
        let (expected, got) = (request.database(), namespace::string(&database)?);
        if expected != got {
            let text = format!("Mismatched $db in explain command. Expected {expected} but got {got}");
            return Err(error(ErrorCode::InvalidNamespace, text));
        }
    }
    let command = Command { name, body, ..request.command };
    Ok(Request { command, canonical_name, sequences: Sequences::None })
}

/// `filemd5`: reads the chunks of a GridFS bucket.
pub(crate) fn filemd5(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let [root] = of_body(request, [b"root"])?;
    let root = match root {
        None => "fs",
        Some(root) if root.kind == kind::STRING => {
            Some(namespace::string(&root)?).filter(|root| !root.is_empty()).unwrap_or("fs")
        }
        Some(_) => return Err(error(ErrorCode::InvalidNamespace, "'root' must be of type String")),
    };
    let (database, collection) = (request.database(), &format!("{root}.chunks"));
    need(grants, Resource::Collection { database, collection }, &[Action::Find])?;
    Ok(Granted::AsIs)
}

/// `mapReduce`: reads its source and writes where `out` says.
pub(crate) fn map_reduce(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let [out, bypass] = of_body(request, [b"out", b"bypassDocumentValidation"])?;
    let (database, collection) = (request.database(), namespace::collection(request)?);
    let target = output(database, out)?;
    need(grants, Resource::Collection { database, collection }, &[Action::Find])?;
    if let Some(Output { database, collection, actions }) = target {
        let resource = Resource::Collection { database, collection };
        need(grants, resource, actions)?;
        if truthy(bypass) {
            need(grants, resource, &[Action::BypassDocumentValidation])?;
        }
    }
    Ok(Granted::AsIs)
}

/// Where a `mapReduce` writes, and what that needs.
struct Output<'a> {
    database: &'a str,
    collection: &'a str,
    actions: &'static [Action],
}

const REPLACE: &[Action] = &[Action::Insert, Action::Remove];
const MERGE: &[Action] = &[Action::Insert, Action::Update];

/// Reads `out`; `None` when nothing is written.
fn output<'a>(database: &'a str, out: Option<Element<'a>>) -> Result<Option<Output<'a>>, Refused> {
    let neither = || error(ErrorCode::Location(13606), "'out' has to be a string or an object");
    let out = out.ok_or_else(neither)?;
    if out.kind == kind::STRING {
        let collection = checked_output(database, namespace::string(&out)?)?;
        return Ok(Some(Output { database, collection, actions: REPLACE }));
    }
    if out.kind != kind::OBJECT {
        return Err(neither());
    }
    let names: [&[u8]; 5] = [b"db", b"replace", b"merge", b"reduce", b"inline"];
    let [other, replace, merge, reduce, inline] = of_document(Elements::of(out.value), names, "mapReduce.out")?;
    let database = other.map_or(Ok(database), |other| string_of(&other, "db"))?;
    let (target, name, actions) = match (replace, merge, reduce, inline) {
        (None, None, None, Some(_)) => return Ok(None),
        (Some(target), None, None, None) => (target, "replace", REPLACE),
        (None, Some(target), None, None) => (target, "merge", MERGE),
        (None, None, Some(target), None) => (target, "reduce", MERGE),
        (None, None, None, None) => {
            let text = "please specify one of [replace|merge|reduce|inline] in 'out' object";
            return Err(error(ErrorCode::Location(13522), text));
        }
        // mongod takes the one it likes best; nobody has to know which.
        _ => return Err(Refused::NotAuthorized),
    };
    let collection = checked_output(database, string_of(&target, name)?)?;
    Ok(Some(Output { database, collection, actions }))
}

fn checked_output<'a>(database: &str, collection: &'a str) -> Result<&'a str, Refused> {
    if collection.is_empty() || database.is_empty() {
        return Err(error(ErrorCode::InvalidNamespace, format!("Invalid 'out' namespace: {database}.{collection}")));
    }
    namespace::checked(database, collection)
}
