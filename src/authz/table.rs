//! Which privileges each command needs: one row a command. What depends on arguments is a named rule in [`super::rules`].
//!
//! Source: measured on a mongod 6.0.5, fact sheet "Authentication and authorization semantics", section 9.

use super::action::Action;
use super::rules::Rule;

/// Other names of commands, each with the canonical one. `listCommands` does not tell them.
const ALIASES: &[(&str, &str)] = &[
    ("ismaster", "isMaster"),
    ("buildinfo", "buildInfo"),
    ("findandmodify", "findAndModify"),
    ("mapreduce", "mapReduce"),
    ("dbstats", "dbStats"),
    ("collstats", "collStats"),
    ("dbhash", "dbHash"),
    ("datasize", "dataSize"),
    ("deleteIndexes", "dropIndexes"),
    ("getlasterror", "getLastError"),
    ("availablequeryoptions", "availableQueryOptions"),
];

/// The canonical name of a command, whether it exists or not.
#[must_use]
pub fn canonical_name(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, canonical)| canonical)
}

/// What a command needs.
#[derive(Clone, Copy)]
pub enum Needs {
    /// Nothing but an authenticated user.
    Nothing,
    /// The action on the cluster.
    Cluster(Action),
    /// The actions on the collection that the command's first field names.
    Collection(&'static [Action]),
    /// The actions on the namespace, `db.collection`, that the command's first field names.
    Namespace(&'static [Action]),
    /// The actions on the command's database.
    Database(&'static [Action]),
    /// The actions on `{db: "", collection: ""}`.
    AnyNormal(&'static [Action]),
    /// The actions on `{anyResource: true}`.
    AnyResource(&'static [Action]),
    /// What the rule says.
    By(Rule),
}

/// One command.
#[derive(Clone, Copy)]
pub struct Row {
    /// Its canonical name.
    pub name: &'static str,
    /// What it needs.
    pub needs: Needs,
}

/// All commands, sorted by name.
pub const TABLE: &[Row] = &[Row { name: "ping", needs: Needs::Nothing }];

/// The row of a command by its canonical name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Row> {
    TABLE.binary_search_by(|row| row.name.cmp(name)).ok().and_then(|index| TABLE.get(index))
}
