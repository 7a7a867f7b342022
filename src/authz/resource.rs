//! What an action is done on.
//!
//! Source: fact sheet "Authentication and authorization semantics", section 9.

/// The resource that a command touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource<'a> {
    /// `{cluster: true}`.
    Cluster,
    /// One collection.
    Collection {
        /// Its database.
        database: &'a str,
        /// Its name, without the database.
        collection: &'a str,
    },
    /// A database as a whole: `{db, collection: ""}`.
    Database(&'a str),
    /// Every database and collection but system ones: `{db: "", collection: ""}`.
    AnyNormal,
    /// Everything: `{anyResource: true}`; nothing narrower matches.
    Any,
}

/// Whether a collection is a system collection, which wildcards of a privilege do not reach.
#[must_use]
pub fn is_system_collection(database: &str, collection: &str) -> bool {
    collection.starts_with("system.") || (database == "local" && collection.starts_with("replset."))
}
