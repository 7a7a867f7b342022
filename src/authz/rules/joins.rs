//! The stages that read and write other collections: `$lookup`, `$graphLookup`, `$unionWith`, `$facet`, `$out`, `$merge`.
//!
//! Source: fact sheet "Authentication and authorization semantics", section 9, and measured on a mongod 6.0.5.

use std::borrow::Cow;

use super::fields::{error, missing, string_of, wrong_type};
use super::pipeline::{Place, Position, Walk, fields};
use crate::authz::Refused;
use crate::authz::action::Action;
use crate::authz::namespace;
use crate::authz::resource::Resource;
use crate::error::ErrorCode;
use crate::wire::element::{Element, Elements, kind};

impl<'a> Walk<'_, 'a> {
    pub(super) fn lookup(&mut self, position: Position<'a>, argument: &Element<'a>) -> Result<(), Refused> {
        let Some([from, pipeline]) = fields(argument, [b"from", b"pipeline"], "$lookup")? else {
            let kind = kind::name(argument.kind);
            return Err(unreadable(format!("the $lookup stage specification must be an object, but found {kind}")));
        };
        let place = match from {
            Some(from) => self.foreign(position, &from, "$lookup")?,
            None => Place { database: position.place.database, collection: None },
        };
        match pipeline {
            Some(pipeline) => self.nested(position, place, &pipeline),
            None if from.is_none() => Err(unreadable("must specify 'pipeline' when 'from' is empty")),
            None => {
                self.ask(place.resource(), &[Action::Find]);
                Ok(())
            }
        }
    }

    pub(super) fn graph_lookup(&mut self, position: Position<'a>, argument: &Element<'a>) -> Result<(), Refused> {
        let [from] = fields(argument, [b"from"], "$graphLookup")?.unwrap_or_default();
        let Some(from) = from else {
            return Err(unreadable("missing 'from' option to $graphLookup stage specification: {}"));
        };
        let place = self.foreign(position, &from, "$graphLookup")?;
        self.ask(place.resource(), &[Action::Find]);
        Ok(())
    }

    /// The collection that `from` names: one of the same database, or one of the few that `{db, coll}` may name.
    fn foreign(&mut self, position: Position<'a>, from: &Element<'a>, stage: &str) -> Result<Place<'a>, Refused> {
        let database = position.place.database;
        if from.kind == kind::STRING {
            let collection = namespace::string(from)?;
            if collection.is_empty() {
                return Err(error(ErrorCode::InvalidNamespace, format!("invalid {stage} namespace: {database}.")));
            }
            return Ok(Place::named(database, namespace::checked(database, collection)?));
        }
        let Some([other, collection]) = fields(from, [b"db", b"coll"], stage)? else {
            let kind = kind::name(from.kind);
            return Err(unreadable(format!("{stage} 'from' field must be a string, but found {kind}")));
        };
        let (Some(other), Some(collection)) = (other, collection) else { return Err(Refused::NotAuthorized) };
        let (database, collection) = (namespace::string(&other)?, namespace::string(&collection)?);
        let oplog = stage == "$lookup" && (database, collection) == ("local", "oplog.rs");
        let chunks = database == "config" && collection.starts_with("cache.chunks.");
        if oplog || chunks || self.is_everything() {
            return Ok(Place::named(database, collection));
        }
        let syntax = "with syntax {from: {db:<>, coll:<>},..} is not supported for db:";
        Err(unreadable(format!("{stage} {syntax} {database} and coll: {collection}")))
    }

    pub(super) fn union_with(&mut self, position: Position<'a>, argument: &Element<'a>) -> Result<(), Refused> {
        let database = position.place.database;
        if argument.kind == kind::STRING {
            let place = Place::named(database, namespace::checked(database, namespace::string(argument)?)?);
            self.ask(place.resource(), &[Action::Find]);
            return Ok(());
        }
        let Some([coll, pipeline]) = fields(argument, [b"coll", b"pipeline"], "$unionWith")? else {
            let kind = kind::name(argument.kind);
            return Err(unreadable(format!("the $unionWith stage specification must be an object or string, but found {kind}")));
        };
        if let Some(other) = Elements::of(argument.value).find(|option| !matches!(option.name, b"coll" | b"pipeline")) {
            let name = String::from_utf8_lossy(other.name);
            return Err(error(ErrorCode::Location(40415), format!("BSON field '$unionWith.{name}' is an unknown field.")));
        }
        let place = match coll {
            Some(coll) if coll.kind != kind::STRING => return Err(wrong_type("$unionWith", "coll", &coll, "type 'string'")),
            Some(coll) => Place::named(database, namespace::checked(database, namespace::string(&coll)?)?),
            None => Place { database, collection: None },
        };
        match pipeline {
            Some(pipeline) => self.nested(position, place, &pipeline),
            None if coll.is_none() => Err(unreadable(
                "$unionWith stage without explicit collection must have a pipeline with $documents as first stage",
            )),
            None => {
                self.ask(place.resource(), &[Action::Find]);
                Ok(())
            }
        }
    }

    pub(super) fn facet(&mut self, position: Position<'a>, argument: &Element<'a>) -> Result<(), Refused> {
        let mut facets = argument.children().filter(|_| argument.kind == kind::OBJECT).into_iter().flatten().peekable();
        if facets.peek().is_none() {
            let text = "the $facet specification must be a non-empty object, but found: $facet: {}";
            return Err(error(ErrorCode::Location(40169), text));
        }
        for facet in facets {
            if facet.kind != kind::ARRAY {
                let (name, kind) = (String::from_utf8_lossy(facet.name), kind::name(facet.kind));
                let text = format!("arguments to $facet must be arrays, {name} is type {kind}");
                return Err(error(ErrorCode::Location(40170), text));
            }
            self.nested(position, position.place, &facet)?;
        }
        Ok(())
    }

    pub(super) fn out(&mut self, position: Position<'a>, argument: &Element<'a>) -> Result<(), Refused> {
        let (database, collection) = match argument.kind {
            kind::STRING => (position.place.database, namespace::string(argument)?),
            kind::OBJECT => out_document(argument)?,
            other => {
                let text = format!("$out only supports a string or object argument, but found {}", kind::name(other));
                return Err(error(ErrorCode::Location(16990), text));
            }
        };
        self.target(database, collection, &[Action::Insert, Action::Remove], "$out")
    }

    pub(super) fn merge(&mut self, position: Position<'a>, argument: &Element<'a>) -> Result<(), Refused> {
        let database = position.place.database;
        if argument.kind == kind::STRING {
            return self.target(database, namespace::string(argument)?, &[Action::Insert, Action::Update], "$merge");
        }
        let names: [&[u8]; 3] = [b"into", b"whenMatched", b"whenNotMatched"];
        let Some([into, matched, not_matched]) = fields(argument, names, "$merge")? else {
            let kind = kind::name(argument.kind);
            let text = format!("$merge requires a string or object argument, but found {kind}");
            return Err(error(ErrorCode::TypeMismatch, text));
        };
        let into = into.ok_or_else(|| missing("$merge", "into"))?;
        let (database, collection) = merge_into(database, &into)?;
        let actions = merge_actions(matched, not_matched)?;
        self.target(database, collection, actions, "$merge")
    }

    /// Needs what writing to a target needs.
    fn target(&mut self, database: &str, collection: &str, actions: &[Action], stage: &str) -> Result<(), Refused> {
        if database.is_empty() || collection.is_empty() {
            let text = format!("Invalid {stage} target namespace, {database}.{collection}");
            return Err(error(ErrorCode::InvalidNamespace, text));
        }
        let resource = Resource::Collection { database, collection: namespace::checked(database, collection)? };
        self.ask(resource, actions);
        if self.bypass {
            self.ask(resource, &[Action::BypassDocumentValidation]);
        }
        Ok(())
    }
}

/// `{db, coll}` of `$out`.
fn out_document<'a>(argument: &Element<'a>) -> Result<(&'a str, &'a str), Refused> {
    let shape = || {
        let text = "If an object is passed to $out it must have exactly 2 fields: 'db' and 'coll'";
        error(ErrorCode::Location(16994), text)
    };
    if Elements::of(argument.value).count() != 2 {
        return Err(shape());
    }
    match fields(argument, [b"db", b"coll"], "$out")? {
        Some([Some(database), Some(collection)]) => Ok((string_of(&database, "db")?, string_of(&collection, "coll")?)),
        _ => Err(shape()),
    }
}

/// `into` of `$merge`: a string, or `{db, coll}` with the database optional.
fn merge_into<'a>(database: &'a str, into: &Element<'a>) -> Result<(&'a str, &'a str), Refused> {
    if into.kind == kind::STRING {
        return Ok((database, namespace::string(into)?));
    }
    let Some([other, collection]) = fields(into, [b"db", b"coll"], "into")? else {
        let kind = kind::name(into.kind);
        let text = format!("$merge 'into' field  must be either a string or an object, but found {kind}");
        return Err(error(ErrorCode::Location(51178), text));
    };
    let Some(collection) = collection else {
        let text = "$merge 'into' field must specify a 'coll' that is not empty, null or undefined";
        return Err(error(ErrorCode::Location(5_786_801), text));
    };
    let database = other.map_or(Ok(database), |other| namespace::string(&other))?;
    Ok((database, namespace::string(&collection)?))
}

/// What `$merge` does to its target.
fn merge_actions(matched: Option<Element<'_>>, not_matched: Option<Element<'_>>) -> Result<&'static [Action], Refused> {
    let matched = match matched {
        None => "merge",
        // The pipeline only changes the document that matched; mongod refuses stages that do more.
        Some(matched) if matched.kind == kind::ARRAY => "pipeline",
        Some(matched) if matched.kind == kind::STRING => {
            enumeration(&matched, "whenMatched", &["replace", "keepExisting", "merge", "fail"])?
        }
        Some(matched) => {
            let kind = kind::name(matched.kind);
            let text = format!("$merge 'whenMatched' field  must be either a string or an array, but found {kind}");
            return Err(error(ErrorCode::Location(51191), text));
        }
    };
    let not_matched = match not_matched {
        None => "insert",
        Some(not_matched) if not_matched.kind == kind::STRING => {
            enumeration(&not_matched, "$merge.whenNotMatched", &["insert", "discard", "fail"])?
        }
        Some(not_matched) if not_matched.kind == kind::NULL => "insert",
        Some(not_matched) => return Err(wrong_type("$merge", "whenNotMatched", &not_matched, "type 'string'")),
    };
    match (matched, not_matched) {
        ("fail", "insert") => Ok(&[Action::Insert]),
        (_, "insert") => Ok(&[Action::Insert, Action::Update]),
        ("replace" | "merge" | "pipeline", _) => Ok(&[Action::Update]),
        _ => {
            let text = format!(
                "Combination of $merge modes 'whenMatched: {matched}' and 'whenNotMatched: {not_matched}' is not supported"
            );
            Err(error(ErrorCode::Location(51181), text))
        }
    }
}

fn enumeration<'a>(element: &Element<'a>, field: &str, values: &[&str]) -> Result<&'a str, Refused> {
    let value = namespace::string(element)?;
    if values.contains(&value) {
        return Ok(value);
    }
    let text = format!("Enumeration value '{value}' for field '{field}' is not a valid value.");
    Err(error(ErrorCode::BadValue, text))
}

fn unreadable(text: impl Into<Cow<'static, str>>) -> Refused {
    error(ErrorCode::FailedToParse, text)
}
