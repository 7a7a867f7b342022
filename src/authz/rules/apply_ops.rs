//! The command `applyOps`: operations of the oplog, each judged by what it does.
//!
//! What is not understood here needs every privilege, which a `restore` with an oplog needs anyway. Stricter than mongod in one thing:
//! an operation with a UUID (`ui`) may reach a collection whose name nobody judged, so it needs every privilege too.
//! Source: fact sheet "Authentication and authorization semantics", section 9, and measured on a mongod 6.0.5.

use std::str;

use bson::raw::RawDocument;

use super::fields::{error, of_body, of_document, truthy};
use super::{Granted, is_everything, need};
use crate::authz::Refused;
use crate::authz::action::Action;
use crate::authz::grants::Grants;
use crate::authz::namespace;
use crate::authz::request::{Request, Sequences};
use crate::authz::resource::Resource;
use crate::error::ErrorCode;
use crate::wire::command::Command;
use crate::wire::element::{Element, Elements, kind};

/// How many `applyOps` may be inside each other; mongod has its own end at 10.
const MAX_DEPTH: u8 = 10;

/// The commands that operations of type `c` carry and whose privileges are those of the command itself.
const COMMANDS: [&str; 7] = ["create", "drop", "dropDatabase", "dropIndexes", "collMod", "convertToCapped", "renameCollection"];

/// `applyOps`.
pub(crate) fn apply_ops(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let names: [&[u8]; 5] = [b"alwaysUpsert", b"preCondition", b"prepare", b"partialTxn", b"bypassDocumentValidation"];
    let [always_upsert, condition, prepare, partial, bypass] = of_body(request, names)?;
    let ops = namespace::first(request).ok_or(Refused::NotAuthorized)?;
    if ops.kind != kind::ARRAY {
        let kind = kind::name(ops.kind);
        let text = format!("Wrong type for 'applyOps'. Expected a array, got a {kind}.");
        return Err(error(ErrorCode::TypeMismatch, text));
    }
    if is_everything(grants) {
        return Ok(Granted::AsIs);
    }
    need(grants, Resource::Cluster, &[Action::ApplyOps])?;
    if condition.is_some() || prepare.is_some() || partial.is_some() {
        return Err(Refused::NotAuthorized);
    }
    if bypass.is_some() {
        need(grants, Resource::AnyNormal, &[Action::BypassDocumentValidation])?;
    }
    let upserts = always_upsert.is_none() || truthy(always_upsert);
    all(request, grants, &ops, upserts, 0)?;
    Ok(Granted::AsIs)
}

fn all(request: &Request<'_>, grants: &mut dyn Grants, ops: &Element<'_>, upserts: bool, depth: u8) -> Result<(), Refused> {
    let mut ops = Elements::of(ops.value).peekable();
    if depth > MAX_DEPTH || ops.peek().is_none() {
        return Err(Refused::NotAuthorized);
    }
    for op in ops {
        if op.kind != kind::OBJECT {
            let (index, kind) = (String::from_utf8_lossy(op.name), kind::name(op.kind));
            let text = format!("Wrong type for '{index}'. Expected a object, got a {kind}.");
            return Err(error(ErrorCode::TypeMismatch, text));
        }
        one(request, grants, &op, upserts, depth)?;
    }
    Ok(())
}

fn one(request: &Request<'_>, grants: &mut dyn Grants, op: &Element<'_>, upserts: bool, depth: u8) -> Result<(), Refused> {
    let names: [&[u8]; 5] = [b"op", b"ns", b"o", b"ui", b"b"];
    let [kind, ns, object, uuid, upsert] = of_document(Elements::of(op.value), names, "OplogEntryBase")?;
    let (Some(kind), Some(ns)) = (kind, ns) else {
        return Err(error(ErrorCode::NoSuchKey, "Wrong type for ''. Expected a string, got a missing."));
    };
    let (kind, ns) = (namespace::string(&kind)?, namespace::string(&ns)?);
    if uuid.is_some() {
        return Err(Refused::NotAuthorized);
    }
    match kind {
        "n" => need(grants, Resource::Cluster, &[Action::AppendOplogNote]),
        "i" | "u" | "d" => {
            let (database, collection) = namespace::split(ns)?;
            let actions: &[Action] = match kind {
                "i" => &[Action::Insert],
                "u" if upserts || truthy(upsert) => &[Action::Update, Action::Insert],
                "u" => &[Action::Update],
                _ => &[Action::Remove],
            };
            need(grants, Resource::Collection { database, collection }, actions)
        }
        "c" => {
            let object = object.filter(|object| object.kind == kind::OBJECT).ok_or(Refused::NotAuthorized)?;
            let database = ns.split_once('.').map_or(ns, |(database, _)| database);
            command(request, grants, database, &object, (upserts, depth))
        }
        _ => Err(error(ErrorCode::FailedToParse, "Unrecognized opType")),
    }
}

/// An operation that carries a command.
fn command(
    request: &Request<'_>,
    grants: &mut dyn Grants,
    database: &str,
    object: &Element<'_>,
    (upserts, depth): (bool, u8),
) -> Result<(), Refused> {
    let mut fields = Elements::of(object.value);
    let first = fields.next().ok_or(Refused::NotAuthorized)?;
    let name = str::from_utf8(first.name).map_err(|_| Refused::NotAuthorized)?;
    if fields.clone().any(|field| field.name == first.name) {
        return Err(error(ErrorCode::Location(40415), format!("BSON field '{name}.{name}' is an unknown field.")));
    }
    if name == "applyOps" && first.kind == kind::ARRAY && fields.next().is_none() {
        return all(request, grants, &first, upserts, depth.saturating_add(1));
    }
    if crate::authz::table::find(name).is_none() {
        return Err(error(ErrorCode::FailedToParse, "Unrecognized command in op"));
    }
    if !COMMANDS.contains(&name) {
        return Err(Refused::NotAuthorized);
    }
    let body = RawDocument::from_bytes(object.value).map_err(|_| Refused::NotAuthorized)?;
    let command = Command { name, database, body, ..request.command };
    let inner = Request { command, canonical_name: name, sequences: Sequences::None };
    match crate::authz::judge(&inner, grants)? {
        Granted::AsIs => Ok(()),
        Granted::Rewritten(_) => Err(Refused::NotAuthorized),
    }
}
