//! What mongod says of the arguments of a command before it looks at privileges.
//!
//! Asked only of a command that is refused in any case, so it lets nothing through and costs nothing where commands are allowed. What
//! is not known here gets the usual refusal. mongod reads field by field: the first thing wrong is told, what is missing comes last.
//! Source: measured on a mongod 6.0.5.

use std::str;

use super::fields::{duplicate, error, missing, wrong_type};
use super::forms::{self, Field, Form, Takes};
use super::{read, sequence};
use crate::authz::Refused;
use crate::authz::action::Action;
use crate::authz::namespace::{first, is_uuid};
use crate::authz::request::{Request, Sequences};
use crate::error::{CommandError, ErrorCode};
use crate::wire::command::is_generic_argument;
use crate::wire::element::{Element, Elements, kind};

/// How many statements a write may have.
const MAX_STATEMENTS: usize = 100_000;

/// mongod's error for the arguments of a command that is refused; `None` if it has none, or none that is known here.
#[must_use]
pub fn complaint(request: &Request<'_>) -> Option<CommandError> {
    match check(request) {
        Err(Refused::Error(error)) => Some(error),
        _ => None,
    }
}

fn check(request: &Request<'_>) -> Result<(), Refused> {
    match request.canonical_name {
        "find" | "count" => tenant(request),
        "listIndexes" => uuid(request),
        "explain" => explain(request),
        "applyOps" => operations(request),
        "createRole" | "updateRole" | "grantPrivilegesToRole" | "revokePrivilegesFromRole" => actions(request),
        name => forms::find(name).map_or(Ok(()), |form| command(request, form)),
    }
}

/// mongod's error for a field that a command does not have.
///
/// # Errors
/// mongod's own.
pub(super) fn unknown_field(request: &Request<'_>, form: &Form) -> Result<(), Refused> {
    let fields = Elements::of(request.body().as_bytes()).skip(1);
    let unknown = |element: &Element<'_>| form.field(element.name).is_none() && !is_generic_argument(element.name);
    fields.into_iter().find(unknown).map_or(Ok(()), |element| Err(unknown_error(request.canonical_name, element.name)))
}

fn unknown_error(owner: &str, name: &[u8]) -> Refused {
    let name = String::from_utf8_lossy(name);
    error(ErrorCode::Location(40415), format!("BSON field '{owner}.{name}' is an unknown field."))
}

/// A command whose fields mongod reads before it judges it.
fn command(request: &Request<'_>, form: &Form) -> Result<(), Refused> {
    let name = request.canonical_name;
    let mut seen = Seen::default();
    for element in Elements::of(request.body().as_bytes()).skip(1) {
        seen.read(name, form, &element)?;
    }
    if let Sequences::Read(sections) = request.sequences
        && forms::is_batch(name)
    {
        for (identifier, documents) in sequence::all(sections) {
            seen.sequence(name, form, identifier, documents)?;
        }
    }
    seen.missing(name, form)?;
    if name == "aggregate" && !seen.has(form, b"cursor") && !seen.has(form, b"explain") {
        let text = "The 'cursor' option is required, except for aggregate with the explain argument";
        return Err(error(ErrorCode::FailedToParse, text));
    }
    if forms::is_batch(name) && !(1..=MAX_STATEMENTS).contains(&seen.statements) {
        let text = format!("Write batch sizes must be between 1 and {MAX_STATEMENTS}. Got {} operations.", seen.statements);
        return Err(error(ErrorCode::InvalidLength, text));
    }
    Ok(())
}

/// What was read of a document.
#[derive(Default)]
struct Seen {
    /// A bit for each field of the form.
    fields: u32,
    /// The elements of lists.
    statements: usize,
}

impl Seen {
    fn read(&mut self, owner: &str, form: &Form, element: &Element<'_>) -> Result<(), Refused> {
        let Some((bit, field)) = form.field(element.name) else {
            let known = !form.strict || is_generic_argument(element.name);
            return if known { Ok(()) } else { Err(unknown_error(owner, element.name)) };
        };
        if self.fields & bit != 0 {
            return Err(duplicate(owner, element.name));
        }
        if matches!(element.kind, kind::NULL | kind::UNDEFINED) && field.takes.passes_over_null() {
            return Ok(());
        }
        self.fields |= bit;
        self.value(owner, field, element)
    }

    fn value(&mut self, owner: &str, field: &Field, element: &Element<'_>) -> Result<(), Refused> {
        let typed = |kinds: &[u8], expected: &str| {
            if kinds.contains(&element.kind) { Ok(()) } else { Err(wrong_type(owner, field.name, element, expected)) }
        };
        let parsed = |kinds: &[u8], text: &'static str| {
            if kinds.contains(&element.kind) { Ok(()) } else { Err(error(ErrorCode::FailedToParse, text)) }
        };
        match field.takes {
            Takes::Anything => Ok(()),
            Takes::Bool => typed(&[kind::BOOL], "type 'bool'"),
            Takes::Text => typed(&[kind::STRING], "type 'string'"),
            Takes::Object => typed(&[kind::OBJECT], "type 'object'"),
            Takes::Array => typed(&[kind::ARRAY], "type 'array'"),
            Takes::Flag => typed(
                &[kind::BOOL, kind::INT, kind::LONG, kind::DOUBLE, kind::DECIMAL],
                "types '[bool, long, int, decimal, double']",
            ),
            Takes::Hint => parsed(&[kind::STRING, kind::OBJECT], "Hint must be a string or an object"),
            Takes::Update => parsed(&[kind::OBJECT, kind::ARRAY], "Update argument must be either an object or an array"),
            Takes::Cursor if element.kind == kind::OBJECT => Ok(()),
            Takes::Cursor => Err(error(ErrorCode::TypeMismatch, "cursor field must be missing or an object")),
            Takes::List(form) => {
                typed(&[kind::ARRAY], "type 'array'")?;
                let owner = format!("{owner}.{}", field.name);
                for item in Elements::of(element.value) {
                    if item.kind != kind::OBJECT {
                        return Err(wrong_type(&owner, &String::from_utf8_lossy(item.name), &item, "type 'object'"));
                    }
                    self.statement(&owner, form, item.value)?;
                }
                Ok(())
            }
        }
    }

    fn sequence(
        &mut self,
        name: &str,
        form: &Form,
        identifier: &[u8],
        documents: sequence::Documents<'_>,
    ) -> Result<(), Refused> {
        if matches!(documents, sequence::Documents::Unreadable) {
            return Err(Refused::NotAuthorized);
        }
        let Some((bit, Field { takes: Takes::List(statement), name: list, .. })) = form.field(identifier) else {
            return if form.strict { Err(unknown_error(name, identifier)) } else { Ok(()) };
        };
        self.fields |= bit;
        let owner = format!("{name}.{list}");
        for document in documents {
            self.statement(&owner, statement, document.ok_or(Refused::NotAuthorized)?)?;
        }
        Ok(())
    }

    fn statement(&mut self, owner: &str, form: &Form, document: &[u8]) -> Result<(), Refused> {
        self.statements = self.statements.saturating_add(1);
        if !form.strict {
            return Ok(());
        }
        let mut seen = Self::default();
        for element in Elements::of(document) {
            seen.read(owner, form, &element)?;
        }
        seen.missing(owner, form)
    }

    fn missing(&self, owner: &str, form: &Form) -> Result<(), Refused> {
        let absent = form.required().find(|field| !self.has(form, field.name.as_bytes()));
        absent.map_or(Ok(()), |field| Err(missing(owner, field.name)))
    }

    fn has(&self, form: &Form, name: &[u8]) -> bool {
        form.field(name).is_some_and(|(bit, _)| self.fields & bit != 0)
    }
}

fn tenant(request: &Request<'_>) -> Result<(), Refused> {
    match Elements::of(request.body().as_bytes()).named(b"$tenant") {
        Some(_) => Err(error(ErrorCode::InvalidOptions, "Multitenancy not enabled, cannot set $tenant in command body")),
        None => Ok(()),
    }
}

fn uuid(request: &Request<'_>) -> Result<(), Refused> {
    match first(request) {
        Some(element) if is_uuid(&element) && element.value.len() != 21 => {
            Err(error(ErrorCode::InvalidUUID, "uuid must be a 16-byte binary field with UUID (4) subtype"))
        }
        _ => Ok(()),
    }
}

fn explain(request: &Request<'_>) -> Result<(), Refused> {
    if let Some(form) = forms::find("explain") {
        command(request, form)?;
    }
    let verbosity = Elements::of(request.body().as_bytes()).named(b"verbosity");
    if let Some(verbosity) = verbosity.and_then(|element| element.string())
        && ![&b"queryPlanner"[..], b"executionStats", b"allPlansExecution"].contains(&verbosity)
    {
        let verbosity = String::from_utf8_lossy(verbosity);
        let text = format!("Enumeration value '{verbosity}' for field 'explain.verbosity' is not a valid value.");
        return Err(error(ErrorCode::BadValue, text));
    }
    let inner = first(request).ok_or(Refused::NotAuthorized)?;
    check(&read::explained(request, &inner)?)
}

fn operations(request: &Request<'_>) -> Result<(), Refused> {
    for operation in first(request).and_then(|operations| operations.children()).into_iter().flatten() {
        let wrong = |name: &[u8], expected: &str, found: u8| {
            let (name, found) = (String::from_utf8_lossy(name), kind::name(found));
            error(ErrorCode::TypeMismatch, format!("Wrong type for '{name}'. Expected a {expected}, got a {found}."))
        };
        if operation.kind != kind::OBJECT {
            return Err(wrong(operation.name, "object", operation.kind));
        }
        match Elements::of(operation.value).named(b"op") {
            None => return Err(error(ErrorCode::NoSuchKey, "Wrong type for ''. Expected a string, got a missing.")),
            Some(op) if op.kind != kind::STRING => return Err(wrong(b"op", "string", op.kind)),
            Some(_) => {}
        }
    }
    Ok(())
}

/// The actions of the privileges that a role is to have.
fn actions(request: &Request<'_>) -> Result<(), Refused> {
    let privileges = Elements::of(request.body().as_bytes()).named(b"privileges");
    for privilege in privileges.and_then(|list| list.children()).into_iter().flatten() {
        let actions = privilege.children().and_then(|fields| fields.named(b"actions")).and_then(|list| list.children());
        let names = actions.into_iter().flatten().filter_map(|action| str::from_utf8(action.string()?).ok());
        let unknown: Vec<&str> = names.filter(|name| Action::from_name(name).is_none()).collect();
        if !unknown.is_empty() {
            let noun = if unknown.len() == 1 { "action" } else { "actions" };
            return Err(error(ErrorCode::BadValue, format!("Unrecognized {noun}: {}", unknown.join(", "))));
        }
    }
    Ok(())
}
