//! What a user may do: its privileges, made ready to be asked many times.
//!
//! The upstream resolves roles into privileges (`inheritedPrivileges` of `usersInfo`); here they are only matched. Fails closed: what
//! can not be read grants nothing. Source: fact sheet "Authentication and authorization semantics", section 9.

use std::borrow::Cow;
use std::collections::HashMap;

use bson::raw::{RawArray, RawBsonRef, RawDocument};

use super::action::{Action, ActionSet};
use super::resource::{Resource, is_system_collection};

/// The privileges of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Privileges {
    any_resource: ActionSet,
    cluster: ActionSet,
    /// `{db: "", collection: ""}`.
    any_normal: ActionSet,
    /// `{db, collection: ""}`.
    databases: HashMap<String, ActionSet>,
    /// `{db: "", collection}`.
    collections: HashMap<String, ActionSet>,
    /// `{db, collection}`, by database and collection.
    exact: HashMap<String, HashMap<String, ActionSet>>,
    /// `{db, system_buckets}`: the buckets of time series, by database and name; an empty text is every one.
    buckets: HashMap<String, HashMap<String, ActionSet>>,
}

impl Privileges {
    /// Every action on every resource.
    #[must_use]
    pub fn everything() -> Self {
        Self { any_resource: ActionSet::ALL, ..Self::default() }
    }

    /// What the localhost exception allows (fact sheet section 8.3).
    #[must_use]
    pub fn localhost_exception() -> Self {
        let set = |actions: &[Action]| {
            let mut set = ActionSet::default();
            actions.iter().for_each(|action| set.insert(*action));
            set
        };
        Self {
            cluster: set(&[Action::AddShard, Action::ReplSetConfigure, Action::ReplSetGetStatus]),
            databases: HashMap::from([
                ("admin".to_owned(), set(&[Action::CreateUser, Action::GrantRole])),
                ("$external".to_owned(), set(&[Action::CreateUser])),
            ]),
            ..Self::default()
        }
    }

    /// Reads `inheritedPrivileges`: a list of `{resource, actions}`.
    #[must_use]
    pub fn from_inherited(privileges: &RawArray) -> Self {
        let mut result = Self::default();
        for privilege in privileges.into_iter().flatten().filter_map(RawBsonRef::as_document) {
            result.add(privilege);
        }
        result
    }

    fn add(&mut self, privilege: &RawDocument) -> Option<()> {
        let mut actions = ActionSet::default();
        for name in privilege.get_array("actions").ok()?.into_iter().flatten().filter_map(RawBsonRef::as_str) {
            if let Some(action) = Action::from_name(name) {
                actions.insert(action);
            }
        }
        let set = match Pattern::read(privilege.get_document("resource").ok()?)? {
            Pattern::AnyResource => &mut self.any_resource,
            Pattern::Cluster => &mut self.cluster,
            Pattern::Collection(database, collection) => self.pattern(database, collection),
            Pattern::Buckets(database, name) => {
                self.buckets.entry(database.to_owned()).or_default().entry(name.to_owned()).or_default()
            }
        };
        set.extend(actions);
        Some(())
    }

    fn pattern(&mut self, database: &str, collection: &str) -> &mut ActionSet {
        match (database, collection) {
            ("", "") => &mut self.any_normal,
            ("", _) => self.collections.entry(collection.to_owned()).or_default(),
            (_, "") => self.databases.entry(database.to_owned()).or_default(),
            _ => self.exact.entry(database.to_owned()).or_default().entry(collection.to_owned()).or_default(),
        }
    }

    /// Whether every action on every resource is held.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.any_resource == ActionSet::ALL
    }

    /// The databases in which anything at all may be done, as `listDatabases` shows them.
    #[must_use]
    pub fn databases_seen(&self) -> Seen<'_> {
        let everywhere = !self.any_resource.is_empty()
            || self.collections.values().any(|set| !set.is_empty())
            || self.buckets.get("").is_some_and(grants_something);
        if everywhere {
            return Seen::Everything;
        }
        let whole = self.databases.iter().filter(|(_, set)| !set.is_empty()).map(|(name, _)| name.as_str());
        let named =
            self.exact.iter().chain(&self.buckets).filter(|(_, all)| grants_something(all)).map(|(name, _)| name.as_str());
        let names = whole.chain(named).map(Cow::Borrowed);
        Seen::Some { normal: !self.any_normal.is_empty(), buckets: false, names: sorted(names) }
    }

    /// The collections of a database with which anything at all may be done, as `listCollections` shows them.
    #[must_use]
    pub fn collections_seen<'a>(&'a self, database: &str) -> Seen<'a> {
        if !self.any_resource.is_empty() {
            return Seen::Everything;
        }
        let normal = self.databases.get(database).is_some_and(|set| !set.is_empty())
            || (!self.any_normal.is_empty() && !matches!(database, "local" | "config"));
        let exact = self.exact.get(database).into_iter().flatten().chain(&self.collections);
        let exact = exact.filter(|(_, set)| !set.is_empty()).map(|(name, _)| Cow::Borrowed(name.as_str()));
        let buckets = || [database, ""].into_iter().filter_map(|database| self.buckets.get(database)).flatten();
        let buckets = || buckets().filter(|(_, set)| !set.is_empty()).map(|(name, _)| name.as_str());
        let named = buckets().filter(|name| !name.is_empty()).map(|name| Cow::Owned(format!("system.buckets.{name}")));
        Seen::Some { normal, buckets: buckets().any(str::is_empty), names: sorted(exact.chain(named)) }
    }

    /// Whether an action may be done on a resource.
    #[must_use]
    pub fn holds(&self, resource: Resource<'_>, action: Action) -> bool {
        let in_database = |database: &str| self.databases.get(database).is_some_and(|set| set.contains(action));
        let reaches_normal = |database: &str| self.any_normal.contains(action) && !matches!(database, "local" | "config");
        self.any_resource.contains(action)
            || match resource {
                Resource::Any => false,
                Resource::Cluster => self.cluster.contains(action),
                Resource::AnyNormal => self.any_normal.contains(action),
                Resource::Database(database) => in_database(database) || reaches_normal(database),
                Resource::Collection { database, collection } => {
                    let wide = || in_database(database) || reaches_normal(database);
                    (!is_system_collection(database, collection) && wide())
                        || self.exact.get(database).and_then(|all| all.get(collection)).is_some_and(|set| set.contains(action))
                        || self.collections.get(collection).is_some_and(|set| set.contains(action))
                        || self.reaches_buckets(database, collection, action)
                }
            }
    }

    fn reaches_buckets(&self, database: &str, collection: &str, action: Action) -> bool {
        if self.buckets.is_empty() {
            return false;
        }
        let Some(name) = collection.strip_prefix("system.buckets.").filter(|name| !name.is_empty()) else { return false };
        let of = |names: &HashMap<String, ActionSet>| {
            [name, ""].iter().any(|name| names.get(*name).is_some_and(|set| set.contains(action)))
        };
        [database, ""].iter().any(|database| self.buckets.get(*database).is_some_and(of))
    }
}

/// What somebody sees of all databases, or of all collections of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// All of them.
    Everything,
    /// Some.
    Some {
        /// All but system collections; all databases but `local` and `config`.
        normal: bool,
        /// All buckets of time series.
        buckets: bool,
        /// These by name, sorted.
        names: Vec<Cow<'a, str>>,
    },
}

fn grants_something(sets: &HashMap<String, ActionSet>) -> bool {
    sets.values().any(|set| !set.is_empty())
}

fn sorted<'a>(names: impl Iterator<Item = Cow<'a, str>>) -> Vec<Cow<'a, str>> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A resource as a privilege names it.
enum Pattern<'a> {
    AnyResource,
    Cluster,
    Collection(&'a str, &'a str),
    Buckets(&'a str, &'a str),
}

impl<'a> Pattern<'a> {
    /// Reads a resource; `None` for every form that is not mongod's own.
    fn read(resource: &'a RawDocument) -> Option<Self> {
        let fields: Vec<_> = resource.iter().collect::<Result<_, _>>().ok()?;
        let text = |wanted: &str| fields.iter().find(|(name, _)| *name == wanted).and_then(|(_, value)| value.as_str());
        match fields.as_slice() {
            [(name, RawBsonRef::Boolean(true))] if *name == "anyResource" => Some(Self::AnyResource),
            [(name, RawBsonRef::Boolean(true))] if *name == "cluster" => Some(Self::Cluster),
            [(name, RawBsonRef::String(buckets))] if *name == "system_buckets" => Some(Self::Buckets("", buckets)),
            [_, _] => match (text("db")?, text("collection"), text("system_buckets")) {
                (database, Some(collection), None) => Some(Self::Collection(database, collection)),
                (database, None, Some(buckets)) => Some(Self::Buckets(database, buckets)),
                _ => None,
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
