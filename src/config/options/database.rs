//! Options that concern the database alone, or that have no meaning for a proxy: accepted, typed as mongod types them, and listed.

use super::{
    Flag,
    Kind::{Boolean, Double, Integer, Path, Switch, Text, Word},
    OptionSpec, Takes,
};

const HELP: &str = "Concerns the database alone.";
const INT: super::Kind = Integer(-0x8000_0000, 0x7fff_ffff);

const fn row(name: &'static str, kind: super::Kind, flags: &'static [Flag]) -> OptionSpec {
    OptionSpec::new(name, kind, flags, HELP).ignored()
}

const fn no_meaning(name: &'static str, kind: super::Kind, flags: &'static [Flag], help: &'static str) -> OptionSpec {
    OptionSpec::new(name, kind, flags, help).ignored()
}

const JOURNAL: &[Flag] = &[Flag::switch("journal"), Flag::set("nojournal", "false")];
const ROLE: &[Flag] = &[Flag::set("configsvr", "configsvr"), Flag::set("shardsvr", "shardsvr")];
const MAJORITY: &[Flag] =
    &[Flag { name: "enableMajorityReadConcern", short: None, legacy_of: None, takes: Takes::OptionalBoolean }];

pub(super) const OPTIONS: &[OptionSpec] = &[
    row("storage.dbPath", Path, &[Flag::value("dbpath")]),
    row("storage.engine", Text, &[Flag::value("storageEngine")]),
    row("storage.directoryPerDB", Switch, &[Flag::switch("directoryperdb")]),
    row("storage.syncPeriodSecs", Double, &[Flag::value("syncdelay")]),
    row("storage.journal.enabled", Switch, JOURNAL),
    row("storage.journal.commitIntervalMs", INT, &[Flag::value("journalCommitInterval")]),
    row("storage.oplogMinRetentionHours", Double, &[Flag::value("oplogMinRetentionHours")]),
    row("storage.queryableBackupMode", Switch, &[Flag::switch("queryableBackupMode")]),
    row("storage.groupCollections", Switch, &[Flag::switch("groupCollections")]),
    row("storage.wiredTiger.engineConfig.cacheSizeGB", Double, &[Flag::value("wiredTigerCacheSizeGB")]),
    row("storage.wiredTiger.engineConfig.configString", Text, &[Flag::value("wiredTigerEngineConfigString")]),
    row("storage.wiredTiger.engineConfig.directoryForIndexes", Switch, &[Flag::switch("wiredTigerDirectoryForIndexes")]),
    row("storage.wiredTiger.engineConfig.journalCompressor", Text, &[Flag::value("wiredTigerJournalCompressor")]),
    row(
        "storage.wiredTiger.engineConfig.maxCacheOverflowFileSizeGB",
        Double,
        &[Flag::value("wiredTigerMaxCacheOverflowFileSizeGB")],
    ),
    row("storage.wiredTiger.engineConfig.statisticsLogDelaySecs", INT, &[Flag::value("wiredTigerStatisticsLogDelaySecs")]),
    row("storage.wiredTiger.engineConfig.zstdCompressionLevel", INT, &[Flag::value("zstdDefaultCompressionLevel")]),
    row("storage.wiredTiger.collectionConfig.blockCompressor", Text, &[Flag::value("wiredTigerCollectionBlockCompressor")]),
    row("storage.wiredTiger.collectionConfig.configString", Text, &[Flag::value("wiredTigerCollectionConfigString")]),
    row("storage.wiredTiger.indexConfig.prefixCompression", Boolean, &[Flag::value("wiredTigerIndexPrefixCompression")]),
    row("storage.wiredTiger.indexConfig.configString", Text, &[Flag::value("wiredTigerIndexConfigString")]),
    row("replication.replSetName", Text, &[]),
    row("replication.replSet", Text, &[Flag::value("replSet")]),
    row("replication.serverless", Switch, &[]),
    row("replication.oplogSizeMB", INT, &[Flag::value("oplogSize")]),
    row("replication.enableMajorityReadConcern", Boolean, MAJORITY),
    row("sharding.clusterRole", Word(&["configsvr", "shardsvr"]), ROLE),
    row("sharding.archiveMovedChunks", Boolean, &[]),
    row("operationProfiling.mode", Word(&["off", "slowOp", "all"]), &[Flag::value("profile")]),
    row("operationProfiling.slowOpThresholdMs", INT, &[Flag::value("slowms")]),
    row("operationProfiling.slowOpSampleRate", Double, &[Flag::value("slowOpSampleRate")]),
    row("operationProfiling.filter", Text, &[Flag::value("profileFilter")]),
    row("security.javascriptEnabled", Boolean, &[Flag::set("noscripting", "false")]),
    row("notablescan", Switch, &[Flag::switch("notablescan")]).command_line_only(),
    row("upgrade", Switch, &[Flag::switch("upgrade")]).command_line_only(),
    row("cloud.monitoring.free.state", Text, &[Flag::value("enableFreeMonitoring")]),
    row("cloud.monitoring.free.tags", super::Kind::List, &[Flag::value("freeMonitoringTag")]),
    row("processManagement.timeZoneInfo", Path, &[Flag::value("timeZoneInfo")]),
    no_meaning(
        "net.wireObjectCheck",
        Boolean,
        &[Flag::switch("objcheck"), Flag::set("noobjcheck", "false")],
        "Documents are always checked.",
    ),
    no_meaning("net.transportLayer", Text, &[Flag::value("transportLayer")], "doorward has one transport."),
    no_meaning("net.tls.logVersions", Text, &[Flag::value("tlsLogVersions")], "The TLS version of every connection is logged."),
    no_meaning(
        "processManagement.fork",
        Switch,
        &[Flag::switch("fork")],
        "doorward stays in the foreground: run it under a service manager.",
    ),
    no_meaning(
        "systemLog.logRotate",
        Word(&["rename", "reopen"]),
        &[Flag::value("logRotate")],
        "A log file is reopened, never renamed.",
    ),
    no_meaning(
        "systemLog.timeStampFormat",
        Word(&["iso8601-utc", "iso8601-local"]),
        &[Flag::value("timeStampFormat")],
        "Times are logged in UTC.",
    ),
    no_meaning("systemLog.traceAllExceptions", Switch, &[Flag::switch("traceExceptions")], "There are no exceptions to trace."),
    no_meaning("cpu", Switch, &[Flag::switch("cpu")], "Has no meaning here.").command_line_only(),
];

macro_rules! components {
    ($($name:literal)+) => {
        &[$(OptionSpec::new(
            concat!("systemLog.component.", $name, ".verbosity"),
            INT,
            &[],
            "doorward has one verbosity for all components.",
        )
        .ignored()),+]
    };
}

/// The verbosity of single log components.
pub(super) const COMPONENTS: &[OptionSpec] = components!(
    "accessControl" "assert" "command" "control" "executor" "geo" "index" "network" "network.asio" "network.bridge"
    "network.connectionPool" "processHealth" "query" "replication" "replication.election" "replication.heartbeats"
    "replication.initialSync" "replication.rollback" "sharding" "sharding.rangeDeleter"
    "sharding.shardingCatalogRefresh" "sharding.migration" "sharding.reshard" "sharding.migrationPerf" "storage"
    "storage.recovery" "storage.journal" "storage.wt" "storage.wt.wtBackup" "storage.wt.wtCheckpoint"
    "storage.wt.wtCompact" "storage.wt.wtEviction" "storage.wt.wtHS" "storage.wt.wtRecovery" "storage.wt.wtRTS"
    "storage.wt.wtSalvage" "storage.wt.wtTiered" "storage.wt.wtTimestamp" "storage.wt.wtTransaction"
    "storage.wt.wtVerify" "storage.wt.wtWriteLog" "write" "ftdc" "tracking" "transaction" "tenantMigration" "test"
);
