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

/// A resource by itself; for what outlives the command. See [`Resource`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OwnedResource {
    /// `{db, collection}`.
    Collection {
        /// Its database.
        database: String,
        /// Its name, without the database.
        collection: String,
    },
    /// `{db, collection: ""}`.
    Database(String),
    /// `{db: "", collection: ""}`.
    AnyNormal,
    /// `{cluster: true}`.
    Cluster,
    /// `{anyResource: true}`.
    Any,
}

impl OwnedResource {
    pub(super) fn of(resource: Resource<'_>) -> Self {
        match resource {
            Resource::Cluster => Self::Cluster,
            Resource::Collection { database, collection } => {
                Self::Collection { database: database.to_owned(), collection: collection.to_owned() }
            }
            Resource::Database(database) => Self::Database(database.to_owned()),
            Resource::AnyNormal => Self::AnyNormal,
            Resource::Any => Self::Any,
        }
    }

    /// As rules ask for it.
    #[must_use]
    pub fn as_resource(&self) -> Resource<'_> {
        match self {
            Self::Cluster => Resource::Cluster,
            Self::Collection { database, collection } => Resource::Collection { database, collection },
            Self::Database(database) => Resource::Database(database),
            Self::AnyNormal => Resource::AnyNormal,
            Self::Any => Resource::Any,
        }
    }

    /// The database, if it is about one.
    #[must_use]
    pub fn database(&self) -> Option<&str> {
        match self {
            Self::Collection { database, .. } | Self::Database(database) => Some(database),
            Self::Cluster | Self::AnyNormal | Self::Any => None,
        }
    }
}

/// Whether a collection is a system collection, which wildcards of a privilege do not reach.
#[must_use]
pub fn is_system_collection(database: &str, collection: &str) -> bool {
    collection.starts_with("system.") || (database == "local" && collection.starts_with("replset."))
}
