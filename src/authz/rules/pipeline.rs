//! What a pipeline needs, its nested pipelines included: one walk.
//!
//! A stage that is not known here may read anything, so it is refused, with the words of a mongod that does not know it either; only
//! who may do everything passes. mongod parses a pipeline before it looks at privileges, so a stage that it can not read is told
//! before a privilege that is missing. Source: fact sheet "Authentication and authorization semantics", section 9, and measured on a
//! mongod 6.0.5.

use std::str;

use super::fields::{error, of_document};
use super::is_everything;
use super::stages::{self, Stage};
use crate::authz::Refused;
use crate::authz::action::Action;
use crate::authz::grants::Grants;
use crate::authz::resource::Resource;
use crate::error::ErrorCode;
use crate::wire::element::{Element, Elements, kind};

/// How many pipelines may be inside each other. mongod ends at 20, a BSON document well before 100.
const MAX_DEPTH: u8 = 64;

/// The collection that stands for a whole database.
const WHOLE_DATABASE: &str = "$cmd.aggregate";

/// What a pipeline runs on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The database.
    pub(super) database: &'a str,
    /// The collection; `None` for the database as a whole (`{aggregate: 1}`).
    pub(super) collection: Option<&'a str>,
}

impl<'a> Place<'a> {
    /// A collection by its name. This one name means the database as a whole, wherever mongod takes it.
    pub(super) fn named(database: &'a str, collection: &'a str) -> Self {
        Self { database, collection: Some(collection).filter(|collection| *collection != WHOLE_DATABASE) }
    }

    /// As a resource.
    pub(super) fn resource(self) -> Resource<'a> {
        match self.collection {
            Some(collection) => Resource::Collection { database: self.database, collection },
            None => Resource::Database(self.database),
        }
    }
}

/// A first stage that has to be narrowed to what is the asker's own.
#[derive(Debug)]
pub(super) enum Own<'a> {
    /// `$currentOp`; the whole stage.
    Operations {
        /// The stage's document.
        stage: &'a [u8],
    },
    /// `$listLocalSessions` or `$listSessions`.
    Sessions {
        /// Which of them.
        name: &'static str,
    },
}

/// Where the walk is.
#[derive(Clone, Copy)]
pub(super) struct Position<'a> {
    pub(super) place: Place<'a>,
    /// How many pipelines are around this one.
    depth: u8,
    /// Whether this is the first stage of the outermost pipeline.
    pub(super) outermost_first: bool,
}

/// A walk through a pipeline.
pub(super) struct Walk<'g, 'a> {
    grants: &'g mut dyn Grants,
    /// Whether the command says `bypassDocumentValidation`.
    pub(super) bypass: bool,
    /// Something that is needed is not held.
    denied: bool,
    /// The first stage that mongod runs for no client.
    not_for_users: Option<&'a str>,
    /// What has to be narrowed.
    pub(super) own: Option<Own<'a>>,
}

impl<'g, 'a> Walk<'g, 'a> {
    /// Before the first stage.
    pub(super) fn new(grants: &'g mut dyn Grants, bypass: bool) -> Self {
        Self { grants, bypass, denied: false, not_for_users: None, own: None }
    }

    /// Walks through the pipeline of a command; what comes out has to be narrowed.
    ///
    /// # Errors
    /// mongod's own for what it can not read, else `NotAuthorized`.
    pub(super) fn run(mut self, place: Place<'a>, pipeline: &Element<'a>) -> Result<Option<Own<'a>>, Refused> {
        self.pipeline(Position { place, depth: 0, outermost_first: true }, pipeline)?;
        if self.denied {
            return Err(Refused::NotAuthorized);
        }
        match self.not_for_users {
            Some(name) if !is_everything(self.grants) => {
                Err(error(ErrorCode::Location(5_491_300), format!("{name}' is not allowed in user requests")))
            }
            _ => Ok(self.own),
        }
    }

    /// A pipeline with what it reads from, unless its first stage is a source itself.
    fn pipeline(&mut self, position: Position<'a>, pipeline: &Element<'a>) -> Result<(), Refused> {
        if pipeline.kind != kind::ARRAY {
            return Err(error(ErrorCode::TypeMismatch, "'pipeline' option must be specified as an array"));
        }
        let mut position = position;
        let mut reads = true;
        for (index, element) in Elements::of(pipeline.value).enumerate() {
            let (name, argument) = stage(&element)?;
            let known = stages::find(name.as_bytes());
            if index == 0 {
                reads = !known.is_some_and(Stage::is_source);
            } else {
                position.outermost_first = false;
            }
            match known {
                Some(known) => self.stage(position, known, name, &argument, element.value)?,
                None if is_everything(self.grants) => {}
                None => {
                    let text = format!("Unrecognized pipeline stage name: '{name}'");
                    return Err(error(ErrorCode::Location(40324), text));
                }
            }
        }
        if reads {
            self.ask(position.place.resource(), &[Action::Find]);
        }
        Ok(())
    }

    /// A pipeline inside a stage.
    pub(super) fn nested(&mut self, around: Position<'a>, place: Place<'a>, pipeline: &Element<'a>) -> Result<(), Refused> {
        let depth = around.depth.saturating_add(1);
        if depth > MAX_DEPTH {
            return Err(Refused::NotAuthorized);
        }
        self.pipeline(Position { place, depth, outermost_first: false }, pipeline)
    }

    /// Notes what is needed.
    pub(super) fn ask(&mut self, resource: Resource<'_>, actions: &[Action]) {
        if !actions.iter().all(|action| self.grants.has(resource, *action)) {
            self.denied = true;
        }
    }

    /// Whether an action may be done, without needing it.
    pub(super) fn has(&mut self, resource: Resource<'_>, action: Action) -> bool {
        self.grants.has(resource, action)
    }

    /// Needs every privilege there is.
    pub(super) fn ask_everything(&mut self) {
        if !is_everything(self.grants) {
            self.denied = true;
        }
    }

    /// Notes that mongod runs this stage for no client.
    pub(super) fn not_for_users(&mut self, name: &'a str) {
        self.not_for_users.get_or_insert(name);
    }

    /// Whether this user, and nobody else, asks.
    pub(super) fn is_asker(&self, user: &str, database: &str) -> bool {
        self.grants.principal().is_some_and(|principal| principal.is(user, database))
    }

    /// Whether everything is held.
    pub(super) fn is_everything(&mut self) -> bool {
        is_everything(self.grants)
    }
}

/// The name and the argument of a stage.
fn stage<'a>(element: &Element<'a>) -> Result<(&'a str, Element<'a>), Refused> {
    if element.kind != kind::OBJECT {
        return Err(error(ErrorCode::TypeMismatch, "Each element of the 'pipeline' array must be an object"));
    }
    let mut elements = Elements::of(element.value);
    match (elements.next(), elements.next()) {
        (Some(argument), None) => Ok((str::from_utf8(argument.name).map_err(|_| Refused::NotAuthorized)?, argument)),
        _ => {
            let text = "A pipeline stage specification object must contain exactly one field.";
            Err(error(ErrorCode::Location(40323), text))
        }
    }
}

/// The fields of a stage's argument that matter; `None` when it is no document.
///
/// # Errors
/// mongod's own when one of them stands twice.
pub(super) fn fields<'a, const N: usize>(
    argument: &Element<'a>,
    names: [&[u8]; N],
    stage: &str,
) -> Result<Option<[Option<Element<'a>>; N]>, Refused> {
    if argument.kind != kind::OBJECT {
        return Ok(None);
    }
    of_document(Elements::of(argument.value), names, stage).map(Some)
}
