//! Which privileges each command needs: one row a command. What depends on arguments is a named rule in [`super::rules`].
//!
//! One table, long on purpose: it is read as a whole, beside the measurements that a test compares it with
//! (`tests/data/command-actions.json`, from a mongod 6.0.5). A command that is not here may only be run by those who may do
//! everything. Source: fact sheet "Authentication and authorization semantics", section 9.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::LazyLock;

use super::action::Action::{self, *};
use super::name_hasher::NameHasher;
use super::rules::{
    Rule, aggregate, apply_ops, cluster, collections, cursors, listing, operations, read, rename, roles, sessions, users, write,
};
use Needs::{
    AnyNormal, AnyResource, By, Cluster, Collection, CollectionOrDatabase, CollectionOrUuid, Database, Namespace, Nothing,
};

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
    ("moveChunk", "_shardsvrMoveRange"),
];

/// The canonical name of a command, whether it exists or not.
#[must_use]
pub fn canonical_name(name: &str) -> &str {
    INDEX.get(name).map_or(name, |row| row.name)
}

/// What a command needs. How the first field is read is in [`super::namespace`].
#[derive(Clone, Copy)]
pub enum Needs {
    /// Nothing but an authenticated user.
    Nothing,
    /// The action on the cluster.
    Cluster(Action),
    /// The actions on the collection that the command's first field names.
    Collection(&'static [Action]),
    /// As `Collection`; the collection may also be given as a UUID.
    CollectionOrUuid(&'static [Action]),
    /// As `Collection`; where the first field is no string, on the whole database.
    CollectionOrDatabase(&'static [Action]),
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
    /// Whether what is known of users may be wrong after it.
    pub changes_users: bool,
    /// Whether its reply may hold a cursor that is open from then on.
    pub opens_cursor: bool,
    /// Whether its rule is asked even for those who may do everything, because it is about more than privileges.
    pub asked_of_everybody: bool,
}

impl Row {
    const fn changes_users(self) -> Self {
        Self { changes_users: true, ..self }
    }

    const fn opens_cursor(self) -> Self {
        Self { opens_cursor: true, ..self }
    }

    const fn asked_of_everybody(self) -> Self {
        Self { asked_of_everybody: true, ..self }
    }
}

const fn row(name: &'static str, needs: Needs) -> Row {
    Row { name, needs, changes_users: false, opens_cursor: false, asked_of_everybody: false }
}

/// The row of a command by its canonical name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Row> {
    INDEX.get(name).copied().filter(|row| row.name.len() == name.len() && row.name == name)
}

/// The rows by name, aliases too: every forwarded command is looked up here.
static INDEX: LazyLock<HashMap<&'static str, &'static Row, BuildHasherDefault<NameHasher>>> = LazyLock::new(|| {
    let mut index: HashMap<_, _, BuildHasherDefault<NameHasher>> = TABLE.iter().map(|row| (row.name, row)).collect();
    for (alias, canonical) in ALIASES {
        if let Some(row) = index.get(canonical).copied() {
            index.insert(alias, row);
        }
    }
    index
});

/// Whether what is known of users may be wrong after this command.
#[must_use]
pub fn changes_users(canonical_name: &str) -> bool {
    find(canonical_name).is_some_and(|row| row.changes_users)
}

/// Whether the command changes or removes documents of collections that it names itself, or whole collections.
pub(super) fn writes_collections(canonical_name: &str) -> bool {
    const WRITING: [&str; 7] = ["delete", "drop", "dropDatabase", "findAndModify", "insert", "renameCollection", "update"];
    WRITING.contains(&canonical_name)
}

/// Whether the reply to this command may hold a cursor that is open from then on: yes, if nothing is known of it.
#[must_use]
pub fn opens_cursor(canonical_name: &str) -> bool {
    find(canonical_name).is_none_or(|row| row.opens_cursor)
}

/// All commands, sorted by name.
#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    row("_addShard", Cluster(Internal)),
    row("_configsvrAbortReshardCollection", Cluster(Internal)),
    row("_configsvrAddShard", Cluster(Internal)),
    row("_configsvrAddShardToZone", Cluster(Internal)),
    row("_configsvrBalancerCollectionStatus", Cluster(Internal)),
    row("_configsvrBalancerStart", Cluster(Internal)),
    row("_configsvrBalancerStatus", Cluster(Internal)),
    row("_configsvrBalancerStop", Cluster(Internal)),
    row("_configsvrCleanupReshardCollection", Cluster(Internal)),
    row("_configsvrClearJumboFlag", Cluster(Internal)),
    row("_configsvrCollMod", Cluster(Internal)),
    row("_configsvrCommitChunkMigration", Cluster(Internal)),
    row("_configsvrCommitChunkSplit", Cluster(Internal)),
    row("_configsvrCommitChunksMerge", Cluster(Internal)),
    row("_configsvrCommitMovePrimary", Cluster(Internal)),
    row("_configsvrCommitReshardCollection", Cluster(Internal)),
    row("_configsvrConfigureCollectionBalancing", Cluster(Internal)),
    row("_configsvrCreateDatabase", Cluster(Internal)),
    row("_configsvrEnsureChunkVersionIsGreaterThan", Cluster(Internal)),
    row("_configsvrMoveChunk", Cluster(Internal)),
    row("_configsvrMoveRange", Cluster(Internal)),
    row("_configsvrRefineCollectionShardKey", Cluster(Internal)),
    row("_configsvrRemoveChunks", Cluster(Internal)),
    row("_configsvrRemoveShard", Cluster(Internal)),
    row("_configsvrRemoveShardFromZone", Cluster(Internal)),
    row("_configsvrRemoveTags", Cluster(Internal)),
    row("_configsvrRenameCollectionMetadata", Cluster(Internal)),
    row("_configsvrRepairShardedCollectionChunksHistory", Cluster(Internal)),
    row("_configsvrReshardCollection", Cluster(Internal)),
    row("_configsvrRunRestore", Cluster(Internal)),
    row("_configsvrSetAllowMigrations", Cluster(Internal)),
    row("_configsvrSetClusterParameter", Cluster(Internal)),
    row("_configsvrSetUserWriteBlockMode", Cluster(Internal)),
    row("_configsvrUpdateZoneKeyRange", Cluster(Internal)),
    row("_flushDatabaseCacheUpdates", Cluster(Internal)),
    row("_flushDatabaseCacheUpdatesWithWriteConcern", Cluster(Internal)),
    row("_flushReshardingStateChange", Cluster(Internal)),
    row("_flushRoutingTableCacheUpdates", Cluster(Internal)),
    row("_flushRoutingTableCacheUpdatesWithWriteConcern", Cluster(Internal)),
    row("_getNextSessionMods", Cluster(Internal)),
    row("_getUserCacheGeneration", Cluster(Internal)),
    row("_isSelf", Nothing),
    row("_killOperations", By(cluster::kill_operations)),
    row("_mergeAuthzCollections", AnyNormal(&[CreateRole, CreateUser, GrantRole, RevokeRole])).changes_users(),
    row("_migrateClone", Cluster(Internal)),
    row("_recvChunkAbort", Cluster(Internal)),
    row("_recvChunkCommit", Cluster(Internal)),
    row("_recvChunkReleaseCritSec", Cluster(Internal)),
    row("_recvChunkStart", Cluster(Internal)),
    row("_recvChunkStatus", Cluster(Internal)),
    row("_shardsvrAbortReshardCollection", Cluster(Internal)),
    row("_shardsvrCleanupReshardCollection", Cluster(Internal)),
    row("_shardsvrCloneCatalogData", Cluster(Internal)),
    row("_shardsvrCollMod", CollectionOrDatabase(&[CollMod])),
    row("_shardsvrCollModParticipant", Cluster(Internal)),
    row("_shardsvrCommitReshardCollection", Cluster(Internal)),
    row("_shardsvrCompactStructuredEncryptionData", Cluster(Internal)),
    row("_shardsvrCreateCollection", Cluster(Internal)),
    row("_shardsvrCreateCollectionParticipant", Cluster(Internal)),
    row("_shardsvrDropCollection", Cluster(Internal)),
    row("_shardsvrDropCollectionIfUUIDNotMatching", Cluster(DropCollection)),
    row("_shardsvrDropCollectionParticipant", Cluster(Internal)),
    row("_shardsvrDropDatabase", Cluster(Internal)),
    row("_shardsvrDropDatabaseParticipant", Cluster(Internal)),
    row("_shardsvrDropIndexes", Cluster(Internal)),
    row("_shardsvrGetStatsForBalancing", Cluster(Internal)),
    row("_shardsvrJoinMigrations", Cluster(Internal)),
    row("_shardsvrMovePrimary", Cluster(Internal)),
    row("_shardsvrMoveRange", Cluster(Internal)),
    row("_shardsvrParticipantBlock", Cluster(Internal)),
    row("_shardsvrRefineCollectionShardKey", Nothing),
    row("_shardsvrRenameCollection", Cluster(Internal)),
    row("_shardsvrRenameCollectionParticipant", Cluster(Internal)),
    row("_shardsvrRenameCollectionParticipantUnblock", Cluster(Internal)),
    row("_shardsvrReshardCollection", Cluster(Internal)),
    row("_shardsvrReshardingOperationTime", Cluster(Internal)),
    row("_shardsvrSetAllowMigrations", Cluster(Internal)),
    row("_shardsvrSetClusterParameter", Cluster(Internal)),
    row("_shardsvrSetUserWriteBlockMode", Cluster(Internal)),
    row("_transferMods", Cluster(Internal)),
    row("abortShardSplit", Cluster(RunTenantMigration)),
    row("abortTransaction", Nothing),
    row("aggregate", By(aggregate::aggregate)).opens_cursor().asked_of_everybody(),
    row("appendOplogNote", Cluster(AppendOplogNote)),
    row("applyOps", By(apply_ops::apply_ops)).changes_users(),
    row("authenticate", Nothing),
    row("autoSplitVector", Cluster(SplitVector)),
    row("availableQueryOptions", Nothing),
    row("buildInfo", Nothing),
    row("checkShardingIndex", Namespace(&[Find])),
    row("cleanupOrphaned", Cluster(CleanupOrphaned)),
    row("cloneCollectionAsCapped", By(collections::clone_collection_as_capped)),
    row("clusterAbortTransaction", Cluster(Internal)),
    row("clusterAggregate", Cluster(Internal)).opens_cursor(),
    row("clusterCommitTransaction", Cluster(Internal)),
    row("clusterDelete", Cluster(Internal)),
    row("clusterFind", Cluster(Internal)).opens_cursor(),
    row("clusterGetMore", Cluster(Internal)).opens_cursor(),
    row("clusterInsert", Cluster(Internal)),
    row("clusterUpdate", Cluster(Internal)),
    row("collMod", By(collections::coll_mod)),
    row("collStats", CollectionOrDatabase(&[CollStats])),
    row("commitShardSplit", Cluster(RunTenantMigration)),
    row("commitTransaction", Nothing),
    row("compact", CollectionOrDatabase(&[Compact])),
    row("compactStructuredEncryptionData", Collection(&[CompactStructuredEncryptionData])),
    row("connPoolStats", Cluster(ConnPoolStats)),
    row("connPoolSync", Cluster(ConnPoolSync)),
    row("connectionStatus", Nothing),
    row("convertToCapped", CollectionOrDatabase(&[ConvertToCapped])),
    row("coordinateCommitTransaction", Nothing),
    row("count", By(read::count)),
    row("create", By(collections::create)),
    row("createIndexes", Collection(&[CreateIndex])),
    row("createRole", By(roles::create_role)).changes_users(),
    row("createUser", By(users::create_user)).changes_users(),
    row("currentOp", By(listing::current_op)).asked_of_everybody(),
    row("dataSize", Namespace(&[Find])),
    row("dbCheck", AnyResource(&[DbCheck])),
    row("dbHash", Database(&[DbHash])),
    row("dbStats", Database(&[DbStats])),
    row("delete", By(write::delete)),
    row("distinct", By(read::distinct)),
    row("donorAbortMigration", Cluster(RunTenantMigration)),
    row("donorForgetMigration", Cluster(RunTenantMigration)),
    row("donorStartMigration", Cluster(RunTenantMigration)),
    row("driverOIDTest", Nothing),
    row("drop", Collection(&[DropCollection])),
    row("dropAllRolesFromDatabase", Database(&[DropRole])).changes_users(),
    row("dropAllUsersFromDatabase", Database(&[DropUser])).changes_users(),
    row("dropConnections", Cluster(DropConnections)),
    row("dropDatabase", Database(&[DropDatabase])),
    row("dropIndexes", Collection(&[DropIndex])),
    row("dropRole", Database(&[DropRole])).changes_users(),
    row("dropUser", Database(&[DropUser])).changes_users(),
    row("endSessions", By(sessions::end_sessions)).asked_of_everybody(),
    row("explain", By(read::explain)).asked_of_everybody(),
    row("features", By(cluster::features)),
    row("filemd5", By(read::filemd5)),
    row("find", By(read::find)).opens_cursor(),
    row("findAndModify", By(write::find_and_modify)),
    row("flushRouterConfig", Cluster(FlushRouterConfig)),
    row("forgetShardSplit", Cluster(RunTenantMigration)),
    row("fsync", Cluster(Fsync)),
    row("fsyncUnlock", Cluster(Unlock)),
    row("getClusterParameter", Cluster(GetClusterParameter)),
    row("getCmdLineOpts", Cluster(GetCmdLineOpts)),
    row("getDatabaseVersion", AnyNormal(&[GetDatabaseVersion])),
    row("getDefaultRWConcern", Cluster(GetDefaultRWConcern)),
    row("getDiagnosticData", By(cluster::get_diagnostic_data)),
    row("getFreeMonitoringStatus", Cluster(CheckFreeMonitoringStatus)),
    row("getLastError", Nothing),
    row("getLog", Cluster(GetLog)),
    row("getMore", By(cursors::get_more)).opens_cursor().asked_of_everybody(),
    row("getParameter", Cluster(GetParameter)),
    row("getShardMap", Cluster(GetShardMap)),
    row("getShardVersion", Namespace(&[GetShardVersion])),
    row("getnonce", Nothing),
    row("grantPrivilegesToRole", By(roles::grant_privileges_to_role)).changes_users(),
    row("grantRolesToRole", By(roles::grant_roles_to_role)).changes_users(),
    row("grantRolesToUser", By(users::grant_roles_to_user)).changes_users(),
    row("hello", Nothing),
    row("hostInfo", Cluster(HostInfo)),
    row("insert", By(write::insert)),
    row("internalRenameIfOptionsAndIndexesMatch", AnyNormal(&[DropCollection, Insert, RenameCollection])),
    row("invalidateUserCache", Cluster(InvalidateUserCache)).changes_users(),
    row("isMaster", Nothing),
    row("killAllSessions", Cluster(KillAnySession)),
    row("killAllSessionsByPattern", By(sessions::kill_all_sessions_by_pattern)),
    row("killCursors", By(cursors::kill_cursors)).asked_of_everybody(),
    row("killOp", By(operations::kill_op)),
    row("killSessions", By(sessions::kill_sessions)).asked_of_everybody(),
    row("listCollections", By(listing::list_collections)).opens_cursor(),
    row("listCommands", Nothing),
    row("listDatabases", By(listing::list_databases)),
    row("listIndexes", CollectionOrUuid(&[ListIndexes])).opens_cursor(),
    row("lockInfo", Cluster(ServerStatus)),
    row("logRotate", Cluster(LogRotate)),
    row("logout", Nothing),
    row("mapReduce", By(read::map_reduce)),
    row("mergeChunks", Cluster(Internal)),
    row("ping", Nothing),
    row("planCacheClear", CollectionOrDatabase(&[PlanCacheWrite])),
    row("planCacheClearFilters", CollectionOrDatabase(&[PlanCacheIndexFilter])),
    row("planCacheListFilters", CollectionOrDatabase(&[PlanCacheIndexFilter])),
    row("planCacheSetFilter", CollectionOrDatabase(&[PlanCacheIndexFilter])),
    row("prepareTransaction", Cluster(Internal)),
    row("profile", By(collections::profile)),
    row("reIndex", CollectionOrDatabase(&[ReIndex])),
    row("recipientForgetMigration", Cluster(RunTenantMigration)),
    row("recipientSyncData", Cluster(RunTenantMigration)),
    row("recipientVoteImportedFiles", Cluster(Internal)),
    row("refreshSessions", By(sessions::refresh_sessions)).asked_of_everybody(),
    row("renameCollection", By(rename::rename_collection)),
    row("replSetAbortPrimaryCatchUp", Cluster(ReplSetStateChange)),
    row("replSetFreeze", Cluster(ReplSetStateChange)),
    row("replSetGetConfig", Cluster(ReplSetGetConfig)),
    row("replSetGetRBID", Cluster(Internal)),
    row("replSetGetStatus", Cluster(ReplSetGetStatus)),
    row("replSetHeartbeat", Cluster(Internal)),
    row("replSetInitiate", Cluster(ReplSetConfigure)),
    row("replSetMaintenance", Cluster(ReplSetStateChange)),
    row("replSetReconfig", Cluster(ReplSetConfigure)),
    row("replSetRequestVotes", Cluster(Internal)),
    row("replSetResizeOplog", Cluster(ReplSetResizeOplog)),
    row("replSetStepDown", Cluster(ReplSetStateChange)),
    row("replSetStepUp", Cluster(ReplSetStateChange)),
    row("replSetSyncFrom", Cluster(ReplSetStateChange)),
    row("replSetUpdatePosition", Cluster(Internal)),
    row("revokePrivilegesFromRole", By(roles::revoke_privileges_from_role)).changes_users(),
    row("revokeRolesFromRole", By(roles::revoke_roles_from_role)).changes_users(),
    row("revokeRolesFromUser", By(users::revoke_roles_from_user)).changes_users(),
    row("rolesInfo", By(roles::roles_info)),
    row("rotateCertificates", Cluster(RotateCertificates)),
    row("saslContinue", Nothing),
    row("saslStart", Nothing),
    row("serverStatus", Cluster(ServerStatus)),
    row("setClusterParameter", Cluster(SetClusterParameter)),
    row("setDefaultRWConcern", Cluster(SetDefaultRWConcern)),
    row("setFeatureCompatibilityVersion", Cluster(SetFeatureCompatibilityVersion)),
    row("setFreeMonitoring", Cluster(SetFreeMonitoring)),
    row("setIndexCommitQuorum", Collection(&[CreateIndex])),
    row("setParameter", Cluster(SetParameter)),
    row("setProfilingFilterGlobally", AnyNormal(&[EnableProfiler])),
    row("setShardVersion", Cluster(Internal)),
    row("setUserWriteBlockMode", Cluster(SetUserWriteBlockMode)),
    row("shardingState", Cluster(ShardingState)),
    row("shutdown", Cluster(Shutdown)),
    row("splitChunk", Cluster(Internal)),
    row("splitVector", Namespace(&[SplitVector])),
    row("startRecordingTraffic", Cluster(TrafficRecord)),
    row("startSession", Nothing),
    row("stopRecordingTraffic", Cluster(TrafficRecord)),
    row("top", Cluster(Top)),
    row("update", By(write::update)),
    row("updateRole", By(roles::update_role)).changes_users(),
    row("updateUser", By(users::update_user)).changes_users(),
    row("usersInfo", By(users::users_info)),
    row("validate", CollectionOrDatabase(&[Validate])),
    row("validateDBMetadata", By(cluster::validate_db_metadata)),
    row("voteCommitIndexBuild", Cluster(Internal)),
    row("waitForFailPoint", Nothing),
    row("whatsmyuri", Nothing),
];

#[cfg(test)]
mod tests;
