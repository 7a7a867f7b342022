//! Commands that make and change collections.
//!
//! Source: fact sheet "Authentication and authorization semantics", section 9, and measured on a mongod 6.0.5.

use super::fields::{error, lenient, missing, of_body, string_of, wrong_type};
use super::pipeline::{Place, Walk};
use super::{Granted, need};
use crate::authz::Refused;
use crate::authz::action::Action;
use crate::authz::grants::Grants;
use crate::authz::namespace;
use crate::authz::request::Request;
use crate::authz::resource::Resource;
use crate::error::ErrorCode;
use crate::wire::element::{Element, kind};

/// `create`: a view needs more than a collection does.
pub(crate) fn create(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let [capped, view_on, pipeline] = of_body(request, [b"capped", b"viewOn", b"pipeline"])?;
    let (database, collection) = (request.database(), namespace::collection(request)?);
    let resource = Resource::Collection { database, collection };
    let capped = lenient("create", "capped", capped)?;
    let view_on = view_on.filter(|view_on| view_on.kind != kind::NULL);
    match view_on {
        Some(view_on) if view_on.kind != kind::STRING => return Err(wrong_type("create", "viewOn", &view_on, "type 'string'")),
        Some(view_on) => {
            let view_on = namespace::string(&view_on)?;
            if view_on.is_empty() {
                return Err(error(ErrorCode::BadValue, "'viewOn' cannot be empty"));
            }
            need(grants, resource, &[Action::CreateCollection])?;
            view(grants, resource, Place::named(database, view_on), pipeline)?;
        }
        // A pipeline without `viewOn` is judged as a collection, and then mongod refuses it.
        None => {
            if !grants.has(resource, Action::Insert) {
                need(grants, resource, &[Action::CreateCollection])?;
            }
        }
    }
    if capped {
        need(grants, resource, &[Action::ConvertToCapped])?;
    }
    Ok(Granted::AsIs)
}

/// Whoever may read a view must not see more through it than without: its pipeline is judged too.
fn view(grants: &mut dyn Grants, view: Resource<'_>, on: Place<'_>, pipeline: Option<Element<'_>>) -> Result<(), Refused> {
    if !grants.has(view, Action::Find) {
        return Ok(());
    }
    let empty = Element { kind: kind::ARRAY, name: b"pipeline", value: &[5, 0, 0, 0, 0] };
    match Walk::new(grants, false).run(on, &pipeline.unwrap_or(empty))? {
        None => Ok(()),
        Some(_) => Err(Refused::NotAuthorized),
    }
}

/// `collMod`.
pub(crate) fn coll_mod(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let [view_on, pipeline] = of_body(request, [b"viewOn", b"pipeline"])?;
    let (database, collection) = (request.database(), namespace::collection(request)?);
    let resource = Resource::Collection { database, collection };
    need(grants, resource, &[Action::CollMod])?;
    match (view_on, pipeline) {
        (None, None) => {}
        (Some(view_on), pipeline @ Some(_)) => {
            let on = namespace::checked(database, string_of(&view_on, "viewOn")?)?;
            view(grants, resource, Place::named(database, on), pipeline)?;
        }
        // A mongod without access control would take it.
        _ => {
            let text = "Must specify both 'viewOn' and 'pipeline' when modifying a view and auth is enabled";
            return Err(error(ErrorCode::InvalidOptions, text));
        }
    }
    Ok(Granted::AsIs)
}

/// `cloneCollectionAsCapped`.
pub(crate) fn clone_collection_as_capped(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let [target] = of_body(request, [b"toCollection"])?;
    let database = request.database();
    let source = namespace::collection_or_database(request)?;
    let target = match target {
        Some(target) if target.kind == kind::STRING => namespace::string(&target)?,
        _ => return Err(error(ErrorCode::TypeMismatch, "'toCollection' must be of type String")),
    };
    if target.is_empty() {
        return Err(error(ErrorCode::InvalidNamespace, format!("Invalid target namespace: {database}.")));
    }
    let collection = namespace::checked(database, target)?;
    need(grants, Place { database, collection: source }.resource(), &[Action::Find])?;
    let actions = [Action::Insert, Action::CreateIndex, Action::ConvertToCapped];
    need(grants, Resource::Collection { database, collection }, &actions)?;
    Ok(Granted::AsIs)
}

/// `profile`: to read the level, it is enough to be able to read the profile.
pub(crate) fn profile(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let [slow, rate] = of_body(request, [b"slowms", b"sampleRate"])?;
    let level = namespace::first(request).ok_or(Refused::NotAuthorized)?;
    let reads = match level.kind {
        kind::NULL => return Err(missing("profile", "profile")),
        kind::INT | kind::LONG | kind::DOUBLE | kind::DECIMAL => slow.is_none() && rate.is_none() && is_negative(&level),
        _ => return Err(wrong_type("profile", "profile", &level, "types '[long, int, decimal, double']")),
    };
    let database = request.database();
    let profile = Resource::Collection { database, collection: "system.profile" };
    if !(reads && grants.has(profile, Action::Find)) {
        need(grants, Resource::Database(database), &[Action::EnableProfiler])?;
    }
    Ok(Granted::AsIs)
}

/// Whether a number is negative when what is behind its point is cut off. A decimal is not looked at.
fn is_negative(element: &Element<'_>) -> bool {
    match element.kind {
        kind::INT | kind::LONG => element.value.last().is_some_and(|byte| byte & 0x80 != 0),
        kind::DOUBLE => element.value.try_into().is_ok_and(|bytes| f64::from_le_bytes(bytes) <= -1.0),
        _ => false,
    }
}
