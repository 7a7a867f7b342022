//! Commands that list things; what they list depends on who asks.
//!
//! The mongod behind has no users and lists everything, so what the asker must not see is filtered by what these commands take anyway:
//! a `filter`, or for `currentOp` one more condition.
//! Source: fact sheet "Authentication and authorization semantics", section 9, and measured on a mongod 6.0.5.

use bson::raw::{CStr, RawArrayBuf, RawDocument, RawDocumentBuf, cstr};
use bson::rawdoc;

use super::fields::{duplicate, error, of_body, strict, truthy, wrong_type};
use super::{Granted, need};
use crate::authz::action::Action;
use crate::authz::grants::Grants;
use crate::authz::privileges::{Privileges, Seen};
use crate::authz::request::Request;
use crate::authz::resource::Resource;
use crate::authz::{Refused, document};
use crate::error::ErrorCode;
use crate::wire::element::{Element, Elements, kind};

/// `listCollections`: the names of what one may do anything with need no privilege of their own.
pub(crate) fn list_collections(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let [names, authorized, filter] = of_body(request, [b"nameOnly", b"authorizedCollections", b"filter"])?;
    let names = strict(request.canonical_name, "nameOnly", names)?;
    let authorized = strict(request.canonical_name, "authorizedCollections", authorized)?;
    let database = request.database();
    if !(names && authorized) {
        need(grants, Resource::Database(database), &[Action::ListCollections])?;
    }
    if !authorized {
        return Ok(Granted::AsIs);
    }
    let privileges = grants.principal().ok_or(Refused::NotAuthorized)?.privileges();
    if !sees_database(privileges, database) {
        return Err(Refused::NotAuthorized);
    }
    let system = if database == "local" { cstr!(r"^(system|replset)\.") } else { cstr!(r"^system\.") };
    let normal = rawdoc! { "name": { "$not": regex(system) } };
    match condition(&privileges.collections_seen(database), normal) {
        None => Ok(Granted::AsIs),
        Some(condition) => filtered(request, filter, condition),
    }
}

fn sees_database(privileges: &Privileges, database: &str) -> bool {
    match privileges.databases_seen() {
        Seen::Everything => true,
        Seen::Some { normal, names, .. } => {
            (normal && !matches!(database, "local" | "config")) || names.iter().any(|name| name == database)
        }
    }
}

fn regex(pattern: &CStr) -> bson::Regex {
    bson::Regex { pattern: pattern.to_owned(), options: cstr!("").to_owned() }
}

/// `listDatabases`.
pub(crate) fn list_databases(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let [authorized, filter] = of_body(request, [b"authorizedDatabases", b"filter"])?;
    let authorized = authorized.filter(|authorized| authorized.kind != kind::NULL);
    let only_authorized = strict(request.canonical_name, "authorizedDatabases", authorized)?;
    if !only_authorized && grants.has(Resource::Cluster, Action::ListDatabases) {
        return Ok(Granted::AsIs);
    }
    if authorized.is_some() && !only_authorized {
        return Err(error(ErrorCode::Unauthorized, "Insufficient permissions to list all databases"));
    }
    let normal = rawdoc! { "name": { "$nin": ["local", "config"] } };
    let nothing = Seen::Some { normal: false, buckets: false, names: Vec::new() };
    let visible = grants.principal().map_or(nothing, |principal| principal.privileges().databases_seen());
    match condition(&visible, normal) {
        None => Ok(Granted::AsIs),
        Some(condition) => filtered(request, filter, condition),
    }
}

/// The condition for what is seen; `None` when that is everything.
fn condition(seen: &Seen<'_>, all_normal: RawDocumentBuf) -> Option<RawDocumentBuf> {
    let Seen::Some { normal, buckets, names } = seen else { return None };
    let names: RawArrayBuf = names.iter().map(AsRef::as_ref).collect::<Vec<&str>>().into_iter().collect();
    let mut any = RawArrayBuf::new();
    any.push(rawdoc! { "name": { "$in": names } });
    if *normal {
        any.push(all_normal);
    }
    if *buckets {
        any.push(rawdoc! { "name": regex(cstr!(r"^system\.buckets\.")) });
    }
    Some(rawdoc! { "$or": any })
}

/// The command with a filter that also has this condition. It stands first: what the asker must not see does not come to the client's
/// own filter, whose errors would tell of it.
fn filtered(request: &Request<'_>, filter: Option<Element<'_>>, condition: RawDocumentBuf) -> Result<Granted, Refused> {
    let filter = match filter.filter(|filter| filter.kind != kind::NULL) {
        None => condition,
        Some(filter) if filter.kind == kind::OBJECT => {
            let given = RawDocument::from_bytes(filter.value).map_err(|_| Refused::NotAuthorized)?;
            rawdoc! { "$and": [condition, given.to_owned()] }
        }
        Some(filter) => return Err(wrong_type(request.canonical_name, "filter", &filter, "type 'object'")),
    };
    let body = request.body().as_bytes();
    document::with_field(body, b"filter", kind::OBJECT, filter.as_bytes()).map(Granted::Rewritten)
}

/// `currentOp`: one's own operations need no privilege.
pub(crate) fn current_op(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let [own, owner] = of_body(request, [b"$ownOps", b"lsid.uid"])?;
    if !truthy(own) {
        need(grants, Resource::Cluster, &[Action::InProg])?;
        return Ok(Granted::AsIs);
    }
    if owner.is_some() {
        return Err(duplicate("currentOp", b"lsid.uid"));
    }
    let principal = grants.principal().ok_or(Refused::NotAuthorized)?;
    // Every other field of this command is a condition on the operations. This one is the first, as in [`filtered`].
    let condition = rawdoc! { "lsid.uid": principal.uid() };
    let mut writer = document::Writer::with_room_for(request.body().as_bytes());
    let mut given = Elements::of(request.body().as_bytes());
    let name = given.next();
    name.into_iter().chain(Elements::of(condition.as_bytes())).chain(given).for_each(|element| writer.copy(&element));
    writer.finish().map(Granted::Rewritten)
}
