//! The stages of a pipeline and what each needs beside its source.
//!
//! Source: fact sheet "Authentication and authorization semantics", section 9, and measured on a mongod 6.0.5, whose
//! `serverStatus` tells all its stages.

use super::fields::error;
use super::pipeline::{Own, Position, Walk, fields};
use crate::authz::Refused;
use crate::authz::action::Action;
use crate::authz::namespace;
use crate::authz::resource::Resource;
use crate::error::ErrorCode;
use crate::wire::element::{Element, Elements, kind};

/// What is known of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Works on what comes from the stage before.
    Plain,
    /// mongod runs it for no client.
    NotForUsers,
    /// The same, and it is only refused so to members.
    ChangeStreamInternal,
    Lookup,
    GraphLookup,
    UnionWith,
    Facet,
    Out,
    Merge,
    ChangeStream,
    CollStats,
    IndexStats,
    PlanCacheStats,
    CurrentOp,
    ListLocalSessions,
    ListSessions,
    Documents,
    OperationMetrics,
    ListCachedAndActiveUsers,
    ListCatalog,
    ShardedDataDistribution,
    AllCollectionStats,
    MergeCursors,
}

impl Stage {
    /// Whether a pipeline that starts with it reads nothing else.
    pub(super) const fn is_source(self) -> bool {
        matches!(
            self,
            Self::ChangeStream
                | Self::CollStats
                | Self::IndexStats
                | Self::PlanCacheStats
                | Self::CurrentOp
                | Self::ListLocalSessions
                | Self::ListSessions
                | Self::Documents
                | Self::OperationMetrics
                | Self::ListCachedAndActiveUsers
                | Self::ListCatalog
                | Self::ShardedDataDistribution
                | Self::AllCollectionStats
        )
    }
}

/// The stage of this name.
#[rustfmt::skip]
pub(super) fn find(name: &[u8]) -> Option<Stage> {
    Some(match name {
        b"$addFields" | b"$bucket" | b"$bucketAuto" | b"$count" | b"$densify" | b"$fill" | b"$geoNear" | b"$group" | b"$limit"
        | b"$match" | b"$project" | b"$redact" | b"$replaceRoot" | b"$replaceWith" | b"$sample" | b"$set" | b"$setWindowFields"
        | b"$skip" | b"$sort" | b"$sortByCount" | b"$unset" | b"$unwind" | b"$_unpackBucket" | b"$_internalApplyOplogUpdate"
        | b"$_internalComputeGeoNearDistance" | b"$_internalConvertBucketIndexStats" | b"$_internalInhibitOptimization"
        | b"$_internalSetWindowFields" | b"$_internalSplitPipeline" | b"$_internalUnpackBucket" => Stage::Plain,
        b"$_addReshardingResumeId" | b"$_internalBoundedSort" | b"$_internalDensify" | b"$_internalFindAndModifyImageLookup"
        | b"$_internalReshardingIterateTransaction" | b"$_internalReshardingOwnershipMatch" | b"$queue"
        | b"$setVariableFromSubPipeline" => Stage::NotForUsers,
        b"$_internalChangeStreamAddPostImage" | b"$_internalChangeStreamAddPreImage" | b"$_internalChangeStreamCheckInvalidate"
        | b"$_internalChangeStreamCheckResumability" | b"$_internalChangeStreamCheckTopologyChange"
        | b"$_internalChangeStreamOplogMatch" | b"$_internalChangeStreamTransform"
        | b"$_internalChangeStreamUnwindTransaction" => Stage::ChangeStreamInternal,
        b"$_internalAllCollectionStats" => Stage::AllCollectionStats,
        b"$lookup" => Stage::Lookup,
        b"$graphLookup" => Stage::GraphLookup,
        b"$unionWith" => Stage::UnionWith,
        b"$facet" => Stage::Facet,
        b"$out" => Stage::Out,
        b"$merge" => Stage::Merge,
        b"$changeStream" => Stage::ChangeStream,
        b"$collStats" => Stage::CollStats,
        b"$indexStats" => Stage::IndexStats,
        b"$planCacheStats" => Stage::PlanCacheStats,
        b"$currentOp" => Stage::CurrentOp,
        b"$listLocalSessions" => Stage::ListLocalSessions,
        b"$listSessions" => Stage::ListSessions,
        b"$documents" => Stage::Documents,
        b"$operationMetrics" => Stage::OperationMetrics,
        b"$listCachedAndActiveUsers" => Stage::ListCachedAndActiveUsers,
        b"$listCatalog" => Stage::ListCatalog,
        b"$shardedDataDistribution" => Stage::ShardedDataDistribution,
        b"$mergeCursors" => Stage::MergeCursors,
        _ => return None,
    })
}

impl<'a> Walk<'_, 'a> {
    /// What one stage needs.
    pub(super) fn stage(
        &mut self,
        position: Position<'a>,
        stage: Stage,
        name: &'a str,
        argument: &Element<'a>,
        document: &'a [u8],
    ) -> Result<(), Refused> {
        let resource = position.place.resource();
        match stage {
            Stage::Plain => {}
            Stage::NotForUsers => self.not_for_users(name),
            Stage::ChangeStreamInternal => {
                self.ask(Resource::Cluster, &[Action::Internal]);
                self.not_for_users(name);
            }
            Stage::Lookup => self.lookup(position, argument)?,
            Stage::GraphLookup => self.graph_lookup(position, argument)?,
            Stage::UnionWith => self.union_with(position, argument)?,
            Stage::Facet => self.facet(position, argument)?,
            Stage::Out => self.out(position, argument)?,
            Stage::Merge => self.merge(position, argument)?,
            Stage::ChangeStream => self.change_stream(position),
            Stage::CollStats => self.ask(resource, &[Action::CollStats]),
            Stage::IndexStats => self.ask(resource, &[Action::IndexStats]),
            Stage::PlanCacheStats => self.ask(resource, &[Action::PlanCacheRead]),
            Stage::CurrentOp => self.current_op(position, argument, document)?,
            Stage::ListLocalSessions => self.list_local_sessions(position, argument)?,
            Stage::ListSessions => self.list_sessions(position, argument)?,
            Stage::Documents => self.ask(resource, &[Action::Find]),
            Stage::OperationMetrics => self.ask(Resource::Cluster, &[Action::OperationMetrics]),
            Stage::ListCachedAndActiveUsers => self.list_cached_and_active_users()?,
            Stage::ListCatalog => self.list_catalog(position),
            Stage::ShardedDataDistribution => self.ask(Resource::Cluster, &[Action::ShardedDataDistribution]),
            Stage::AllCollectionStats => self.ask(Resource::Cluster, &[Action::AllCollectionStats]),
            // It reads cursors by their numbers. A mongod without access control would hand out anybody's.
            Stage::MergeCursors => self.ask_everything(),
        }
        Ok(())
    }

    fn change_stream(&mut self, position: Position<'a>) {
        let resource = match (position.place.database, position.place.collection) {
            ("admin", None) => Resource::AnyNormal,
            _ => position.place.resource(),
        };
        self.ask(resource, &[Action::Find, Action::ChangeStream]);
    }

    fn list_catalog(&mut self, position: Position<'a>) {
        let actions = [Action::ListCollections, Action::ListIndexes];
        if position.place.collection.is_some() {
            self.ask(position.place.resource(), &actions);
        } else {
            self.ask(Resource::Any, &actions);
            self.ask(Resource::Cluster, &[Action::ListDatabases]);
        }
    }

    fn list_cached_and_active_users(&mut self) -> Result<(), Refused> {
        if self.has(Resource::Cluster, Action::ListCachedAndActiveUsers) {
            return Ok(());
        }
        let text = "$listCachedAndActiveUsers is not allowed with the current configuration. You may need to enable the \
                    corresponding feature flag";
        Err(error(ErrorCode::QueryFeatureNotAllowed, text))
    }

    fn current_op(&mut self, position: Position<'a>, argument: &Element<'a>, document: &'a [u8]) -> Result<(), Refused> {
        if position.place.database != "admin" || position.place.collection.is_some() {
            let text = "$currentOp must be run against the 'admin' database with {aggregate: 1}";
            return Err(error(ErrorCode::InvalidNamespace, text));
        }
        let mut all_users = false;
        for option in options(argument, "$currentOp")?.filter(|option| option.name == b"allUsers") {
            if option.kind != kind::BOOL {
                let kind = kind::name(option.kind);
                let text = format!("The 'allUsers' parameter of the $currentOp stage must be a boolean value, but found: {kind}");
                return Err(error(ErrorCode::TypeMismatch, text));
            }
            all_users |= option.value != [0];
        }
        if all_users || !position.outermost_first {
            self.ask(Resource::Cluster, &[Action::InProg]);
        } else {
            self.own = Some(Own::Operations { stage: document });
        }
        Ok(())
    }

    fn list_local_sessions(&mut self, position: Position<'a>, argument: &Element<'a>) -> Result<(), Refused> {
        if position.place.collection.is_some() {
            let text = "$listLocalSessions must be run against the database with {aggregate: 1}, not a collection";
            return Err(error(ErrorCode::InvalidNamespace, text));
        }
        self.sessions(position, argument, "$listLocalSessions")
    }

    fn list_sessions(&mut self, position: Position<'a>, argument: &Element<'a>) -> Result<(), Refused> {
        if (position.place.database, position.place.collection) != ("config", Some("system.sessions")) {
            let text = "$listSessions may only be run against config.system.sessions";
            return Err(error(ErrorCode::InvalidNamespace, text));
        }
        self.sessions(position, argument, "$listSessions")
    }

    fn sessions(&mut self, position: Position<'a>, argument: &Element<'a>, name: &'static str) -> Result<(), Refused> {
        options(argument, name)?;
        let [all_users, users] = fields(argument, [b"allUsers", b"users"], name)?.unwrap_or_default();
        let all_users = super::fields::strict(name, "allUsers", all_users)?;
        let users = users.map(|users| super::fields::array(name, "users", &users)).transpose()?;
        if all_users && users.clone().is_some_and(|mut users| users.next().is_some()) {
            let text = format!("{name} may not specify {{allUsers:true}} and {{users:[...]}} at the same time");
            return Err(error(ErrorCode::UnsupportedFormat, text));
        }
        let own = !all_users && users.is_none_or(|mut users| users.all(|user| self.is_own(&user)));
        if own && position.outermost_first {
            self.own = Some(Own::Sessions { name });
        } else {
            self.ask(Resource::Cluster, &[Action::ListSessions]);
        }
        Ok(())
    }

    /// Whether `{user, db}` is the asker.
    fn is_own(&self, user: &Element<'a>) -> bool {
        let Ok(Some([name, database])) = fields(user, [b"user", b"db"], "users") else { return false };
        let text = |element: Option<Element<'a>>| element.and_then(|element| namespace::string(&element).ok());
        matches!((text(name), text(database)), (Some(name), Some(database)) if self.is_asker(name, database))
    }
}

/// The options of a stage that takes a document.
fn options<'a>(argument: &Element<'a>, stage: &str) -> Result<Elements<'a>, Refused> {
    if argument.kind == kind::OBJECT {
        return Ok(Elements::of(argument.value));
    }
    let kind = kind::name(argument.kind);
    Err(error(ErrorCode::TypeMismatch, format!("{stage} options must be specified in an object, but found: {kind}")))
}
