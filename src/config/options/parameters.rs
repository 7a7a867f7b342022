//! `setParameter.*`: the parameters that doorward honours or refuses, and the names of those that concern the database alone.
//!
//! Source: `getParameter` with details on mongod 6.0.5, fact sheet sections 2.5, 4.2, 4.4 and 5.1, and the manual for newer names.

use super::{
    Flag,
    Kind::{Boolean, Integer, Text},
    OptionSpec,
    Reload::NewConnections,
};

const MAX: i64 = 0x7fff_ffff;
/// `--setParameter` itself is read by the command line parser: it is no option of its own.
const FLAGS: &[Flag] = &[];

const CIPHERS: &str = "doorward's TLS library has a fixed list of safe cipher suites and groups";
const SASL: &str = "it serves Kerberos and PLAIN only, which doorward does not have";
const OCSP: &str = "doorward does not speak OCSP; use certificate revocation lists, and set ocspEnabled to false";
const LDAP: &str = "doorward has no LDAP authentication or authorization";
const AUDIT: &str = "doorward writes no audit log yet";

pub(super) const OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(
        "setParameter.authenticationMechanisms",
        Text,
        FLAGS,
        "Mechanisms that users may log in by, separated by commas.",
    )
    .default("MONGODB-X509,SCRAM-SHA-1,SCRAM-SHA-256")
    .reload(NewConnections),
    OptionSpec::new(
        "setParameter.scramIterationCount",
        Integer(5000, MAX),
        FLAGS,
        "Iterations of SCRAM-SHA-1 for new passwords.",
    )
    .default("10000")
    .reload(NewConnections),
    OptionSpec::new(
        "setParameter.scramSHA256IterationCount",
        Integer(5000, MAX),
        FLAGS,
        "Iterations of SCRAM-SHA-256 for new passwords and for the key file.",
    )
    .default("15000")
    .reload(NewConnections),
    OptionSpec::new(
        "setParameter.tlsX509ClusterAuthDNOverride",
        Text,
        FLAGS,
        "A distinguished name: who has its O, OU and DC is a member too, while certificates are being changed.",
    )
    .reload(NewConnections),
    OptionSpec::new(
        "setParameter.enforceUserClusterSeparation",
        Boolean,
        FLAGS,
        "Whether a member's certificate can not be a user as well.",
    )
    .default("true")
    .reload(NewConnections),
    OptionSpec::new("setParameter.allowRolesFromX509Certificates", Boolean, FLAGS, "Whether a certificate may carry roles.")
        .default("true")
        .reload(NewConnections),
    OptionSpec::new(
        "setParameter.tlsX509ExpirationWarningThresholdDays",
        Integer(0, MAX),
        FLAGS,
        "Warn of certificates that expire in fewer days; 0 is off.",
    )
    .default("30")
    .reload(NewConnections),
    OptionSpec::new(
        "setParameter.enableLocalhostAuthBypass",
        Boolean,
        FLAGS,
        "Whether the first user may be created from this machine without logging in.",
    )
    .default("true"),
    OptionSpec::new(
        "setParameter.preAuthMaximumMessageSizeBytes",
        Integer(1024, 48_000_000),
        FLAGS,
        "The largest message, in bytes, before a connection has logged in.",
    )
    .default("16384")
    .reload(NewConnections),
    OptionSpec::new(
        "setParameter.disableNonTLSConnectionLogging",
        Boolean,
        FLAGS,
        "Do not log connections without TLS when the mode is preferTLS.",
    )
    .legacy(&["setParameter.disableNonSSLConnectionLogging"])
    .default("false")
    .reload(NewConnections),
    OptionSpec::new(
        "setParameter.tlsWithholdClientCertificate",
        Boolean,
        FLAGS,
        "Present no certificate on outgoing connections.",
    )
    .legacy(&["setParameter.sslWithholdClientCertificate"])
    .default("false"),
    OptionSpec::new(
        "setParameter.tlsCATrusts",
        Text,
        FLAGS,
        "Which authority may give which roles by certificate: an array of {sha256, roles}.",
    )
    .reload(NewConnections),
    OptionSpec::new("setParameter.opensslCipherConfig", Text, FLAGS, "Not supported.").refused(CIPHERS),
    OptionSpec::new("setParameter.opensslCipherSuiteConfig", Text, FLAGS, "Not supported.").refused(CIPHERS),
    OptionSpec::new("setParameter.opensslDiffieHellmanParameters", Text, FLAGS, "Not supported.").refused(CIPHERS),
    OptionSpec::new("setParameter.tlsUseSystemCA", Boolean, FLAGS, "Not supported.")
        .refused("doorward reads no system store; name the authorities in net.tls.CAFile"),
    OptionSpec::new("setParameter.tlsClusterAuthX509Override", Text, FLAGS, "Not supported.")
        .refused("it is not built yet; use tlsX509ClusterAuthDNOverride"),
    OptionSpec::new("setParameter.ocspEnabled", Boolean, FLAGS, "Not supported, except false.").refused(OCSP),
    OptionSpec::new("setParameter.saslHostName", Text, FLAGS, "Not supported.").refused(SASL),
    OptionSpec::new("setParameter.saslServiceName", Text, FLAGS, "Not supported.").refused(SASL),
    OptionSpec::new("setParameter.saslauthdPath", Text, FLAGS, "Not supported.").refused(SASL),
    OptionSpec::new("setParameter.loadBalancerPort", Text, FLAGS, "Not supported.")
        .refused("doorward has no load balancer port yet"),
    OptionSpec::new("setParameter.ldapUserCacheInvalidationInterval", Text, FLAGS, "Not supported.").refused(LDAP),
    OptionSpec::new("setParameter.ldapUserCacheRefreshInterval", Text, FLAGS, "Not supported.").refused(LDAP),
    OptionSpec::new("setParameter.ldapUseConnectionPool", Boolean, FLAGS, "Not supported.").refused(LDAP),
    OptionSpec::new("setParameter.auditAuthorizationSuccess", Boolean, FLAGS, "Not supported, except false.").refused(AUDIT),
    OptionSpec::new("setParameter.oidcIdentityProviders", Text, FLAGS, "Not supported.")
        .refused("doorward has no OIDC authentication"),
    OptionSpec::new("setParameter.JWKSMinimumQuiescePeriodSecs", Text, FLAGS, "Not supported.")
        .refused("doorward has no OIDC authentication"),
];

/// Parameters that mongod sets only at run time.
pub(crate) fn is_run_time_only(name: &str) -> bool {
    RUN_TIME_ONLY.split_whitespace().any(|known| known == name)
}

/// Parameters that concern the database alone.
pub(crate) fn is_database_only(name: &str) -> bool {
    DATABASE_ONLY.split_whitespace().any(|known| known == name)
}

/// The name that an unknown parameter was most likely meant to be.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    let honoured = OPTIONS.iter().filter_map(|option| option.name.strip_prefix("setParameter."));
    super::nearest(name, honoured.chain(DATABASE_ONLY.split_whitespace()))
}

const RUN_TIME_ONLY: &str = "
    authSchemaVersion clusterAuthMode clusterIpSourceAllowlist featureCompatibilityVersion sslMode
    storageGlobalParams.directoryperdb tlsMode traceExceptions wiredTigerDirectoryForIndexes
    wiredTigerEngineRuntimeConfig wiredTigerMaxCacheOverflowSizeGB
";

const DATABASE_ONLY: &str = "
    AlwaysRecordTraffic KeysRotationIntervalSec ShardingTaskExecutorPoolHostTimeoutMS
    ShardingTaskExecutorPoolMaxConnecting ShardingTaskExecutorPoolMaxSize
    ShardingTaskExecutorPoolMaxSizeForConfigServers ShardingTaskExecutorPoolMinSize
    ShardingTaskExecutorPoolMinSizeForConfigServers ShardingTaskExecutorPoolRefreshRequirementMS
    ShardingTaskExecutorPoolRefreshTimeoutMS ShardingTaskExecutorPoolReplicaSetMatching
    TransactionRecordMinimumLifetimeMinutes acceptApiVersion2 aggregateOperationResourceConsumptionMetrics
    allowDiskUseByDefault allowMultipleArbiters authorizationManagerCacheSize authorizationManagerPinnedUsers
    authorizationManagerPinnedUsersRefreshIntervalMillis automationServiceDescriptor awsEC2InstanceMetadataUrl
    awsECSInstanceMetadataUrl backtraceLogFile batchedDeletesTargetBatchDocs batchedDeletesTargetBatchTimeMS
    batchedDeletesTargetStagedDocBytes batchedExpiredChangeStreamPreImageRemoval bgSyncOplogFetcherBatchSize
    changeSyncSourceThresholdMillis chunkDefragmentationThrottlingMS clientCursorMonitorFrequencySecs
    cloudFreeMonitoringEndpointURL collectionBulkLoaderBatchSizeInBytes collectionClonerBatchSize
    collectionClonerUsesExhaust connPoolMaxConnsPerHost connPoolMaxInUseConnsPerHost connectTimeoutMs
    coordinateCommitReturnImmediatelyAfterPersistingDecision createRollbackDataFiles cursorTimeoutMillis
    dbCheckCollectionTryLockMaxAttempts dbCheckCollectionTryLockMaxBackoffMillis
    dbCheckCollectionTryLockMinBackoffMillis dbCheckCollectionTryLockTimeoutMillis dbCheckHealthLogEveryNBatches
    defaultFindReplicaSetHostTimeoutMS deprecatedWireOpsWarningPeriodInSeconds diagnosticDataCollectionDirectoryPath
    diagnosticDataCollectionDirectorySizeMB diagnosticDataCollectionEnableLatencyHistograms
    diagnosticDataCollectionEnabled diagnosticDataCollectionFileSizeMB diagnosticDataCollectionPeriodMillis
    diagnosticDataCollectionSamplesPerChunk diagnosticDataCollectionSamplesPerInterimUpdate
    diagnosticDataCollectionStatsNamespaces diagnosticDataCollectionVerboseTCMalloc disableJavaScriptJIT
    disableLogicalSessionCacheRefresh disableResumableRangeDeleter disableSplitHorizonIPCheck
    disabledSecureAllocatorDomains documentUnitSizeBytes enableDefaultWriteConcernUpdatesForInitiate
    enableElectionHandoff enableFinerGrainedCatalogCacheRefresh enableFlowControl enableIndexBuildCommitQuorum
    enableOverrideClusterChainingSetting enableReconfigRollbackCommittedWritesCheck enableSearchMeta
    enableShardedIndexConsistencyCheck enableTemporarilyUnavailableExceptions enableTestCommands
    enableTimeoutOfInactiveSessionCursors expiredChangeStreamPreImageRemovalJobSleepSecs
    fassertOnLockTimeoutForStepUpDown featureFlagAlwaysCreateConfigTransactionsPartialIndexOnStepUp
    featureFlagBalanceAccordingToDataSize featureFlagBatchMultiDeletes featureFlagBlender
    featureFlagBucketUnpackWithSort featureFlagChangeStreamPreAndPostImages featureFlagChangeStreamsRewrite
    featureFlagChangeStreamsVisibility featureFlagClusterWideConfig featureFlagClusterWideConfigM2
    featureFlagClusteredIndexes featureFlagCollModIndexUnique featureFlagColumnstoreIndexes
    featureFlagCommandsAcceptCollectionUUID featureFlagCommonQueryFramework featureFlagConcurrencyInChunkMigration
    featureFlagConnHealthMetrics featureFlagDerivedMetadata featureFlagDocumentSourceListCatalog
    featureFlagEnableExecutionControl featureFlagEnableShardingOptional featureFlagExactTopNAccumulator
    featureFlagFLE2 featureFlagFileCopyBasedInitialSync featureFlagFill featureFlagFryer featureFlagHealthMonitoring
    featureFlagInternalTransactions featureFlagLastPointQuery featureFlagLoadBalancer featureFlagLocf
    featureFlagMigrationRecipientCriticalSection featureFlagMongoStore featureFlagNewPersistedChunkVersionFormat
    featureFlagNewWriteErrorExceptionFormat featureFlagNoChangeStreamEventsDueToOrphans featureFlagNoMoreAutoSplitter
    featureFlagOptionalCfgSvr featureFlagOrphanTracking featureFlagPerCollBalancingSettings
    featureFlagRecoverableRefineCollectionShardKeyCoordinator
    featureFlagRecoverableShardsvrReshardCollectionCoordinator featureFlagRequireTenantID featureFlagResharding
    featureFlagRetryableFindAndModify featureFlagSBEGroupPushdown featureFlagSBELookupPushdown featureFlagSbeFull
    featureFlagSbePlanCache featureFlagSearchMeta featureFlagSearchShardedFacets featureFlagSelectiveBackup
    featureFlagShardMerge featureFlagShardSplit featureFlagShardedLookup featureFlagShardedTimeSeries
    featureFlagShardedTimeSeriesUpdateDelete featureFlagShardingDataTransformMetrics featureFlagSortArray
    featureFlagSpoon featureFlagTimeseriesBucketCompression featureFlagTimeseriesBucketCompressionWithArrays
    featureFlagTimeseriesMetricIndexes featureFlagTimeseriesUpdatesAndDeletes featureFlagToaster
    featureFlagUpdateDocumentShardKeyUsingTransactionApi featureFlagUserWriteBlocking
    fileBasedInitialSyncExtendCursorTimeoutMS fileBasedInitialSyncMaxCyclesWithoutProgress
    fileBasedInitialSyncMaxLagSec findChunksOnConfigTimeoutMS fixedServiceExecutorRecursionLimit
    fixedServiceExecutorThreadLimit flowControlDecayConstant flowControlFudgeFactor flowControlMaxSamples
    flowControlMinTicketsPerSecond flowControlSamplePeriod flowControlTargetLagSeconds
    flowControlThresholdLagPercentage flowControlTicketAdderConstant flowControlTicketMultiplierConstant
    flowControlWarnThresholdSeconds forceRollbackViaRefetch globalConnPoolIdleTimeoutMinutes heapProfilingEnabled
    heapProfilingSampleIntervalBytes heartBeatFrequencyMs honorSystemUmask indexEntryUnitSizeBytes
    indexMaxNumGeneratedKeysPerDocument initialServiceExecutorThreadingModel initialSyncMethod initialSyncOplogBuffer
    initialSyncOplogBufferPeekCacheSize initialSyncOplogFetcherBatchSize initialSyncSourceReadPreference
    initialSyncTransientErrorRetryPeriodSeconds internalBatchUserMultiDeletesForTest
    internalCascadesOptimizerDisableBranchAndBound internalCascadesOptimizerDisableGroupByAndUnionRIDIntersect
    internalCascadesOptimizerDisableHashJoinRIDIntersect internalCascadesOptimizerDisableIndexes
    internalCascadesOptimizerDisableMergeJoinRIDIntersect internalCascadesOptimizerDisableScan
    internalCascadesOptimizerKeepRejectedPlans internalDocumentSourceCursorBatchSizeBytes
    internalDocumentSourceDensifyMaxMemoryBytes internalDocumentSourceGroupMaxMemoryBytes
    internalDocumentSourceLookupCacheSizeBytes internalDocumentSourceSetWindowFieldsMaxMemoryBytes
    internalGeoNearQuery2DMaxCoveringCells internalGeoPredicateQuery2DMaxCoveringCells
    internalIndexBuildBulkLoadYieldIterations internalInsertMaxBatchSize
    internalLookupStageIntermediateDocumentMaxSizeBytes internalMaxSubPipelineViewDepth
    internalPartialFilterExpressionMaxDepth internalPipelineLengthLimit internalProhibitShardOperationRetry
    internalQueryAlwaysMergeOnPrimaryShard internalQueryAppendIdToSetWindowFieldsSort
    internalQueryCacheDisableInactiveEntries internalQueryCacheEvictionRatio internalQueryCacheMaxEntriesPerCollection
    internalQueryCacheMaxSizeBytesBeforeStripDebugInfo internalQueryCacheSize internalQueryCacheWorksGrowthCoefficient
    internalQueryCollectionMaxDataSizeBytesToChooseHashJoin internalQueryCollectionMaxNoOfDocumentsToChooseHashJoin
    internalQueryCollectionMaxStorageSizeBytesToChooseHashJoin internalQueryDefaultDOP
    internalQueryDesugarWhereToFunction internalQueryDisableExchange internalQueryDisableLookupExecutionUsingHashJoin
    internalQueryEnableCSTParser internalQueryEnableCascadesOptimizer internalQueryEnableLoggingV2OplogEntries
    internalQueryEnableSamplingCardinalityEstimator internalQueryEnumerationMaxIntersectPerAnd
    internalQueryEnumerationMaxOrSolutions internalQueryEnumerationPreferLockstepOrEnumeration
    internalQueryExecYieldIterations internalQueryExecYieldPeriodMS internalQueryExplainSizeThresholdBytes
    internalQueryFLEAlwaysUseHighCardinalityMode internalQueryFLERewriteMemoryLimit internalQueryFacetBufferSizeBytes
    internalQueryFacetMaxOutputDocSizeBytes internalQueryForceClassicEngine internalQueryForceIntersectionPlans
    internalQueryGlobalProfilingFilter internalQueryIgnoreUnknownJSONSchemaKeywords
    internalQueryJavaScriptFnTimeoutMillis internalQueryJavaScriptHeapSizeLimitMB internalQueryMaxAddToSetBytes
    internalQueryMaxAllowedDensifyDocs internalQueryMaxBlockingSortMemoryUsageBytes
    internalQueryMaxDocValidationErrorConsideredValues internalQueryMaxJsEmitBytes
    internalQueryMaxNumberOfFieldsToChooseFilteredColumnScan
    internalQueryMaxNumberOfFieldsToChooseUnfilteredColumnScan internalQueryMaxPushBytes internalQueryMaxRangeBytes
    internalQueryMaxScansToExplode internalQueryPlanEvaluationCollFraction internalQueryPlanEvaluationCollFractionSbe
    internalQueryPlanEvaluationMaxResults internalQueryPlanEvaluationWorks internalQueryPlanEvaluationWorksSbe
    internalQueryPlanOrChildrenIndependently internalQueryPlannerEnableHashIntersection
    internalQueryPlannerEnableIndexIntersection internalQueryPlannerGenerateCoveredWholeIndexScans
    internalQueryPlannerMaxIndexedSolutions internalQueryProhibitBlockingMergeOnMongoS
    internalQueryProhibitMergingOnMongoS internalQueryS2GeoCoarsestLevel internalQueryS2GeoFinestLevel
    internalQueryS2GeoMaxCells internalQuerySlotBasedExecutionDisableGroupPushdown
    internalQuerySlotBasedExecutionDisableLookupPushdown
    internalQuerySlotBasedExecutionHashAggApproxMemoryUseInBytesBeforeSpill
    internalQuerySlotBasedExecutionHashAggMemoryCheckPerAdvanceAtLeast
    internalQuerySlotBasedExecutionHashAggMemoryCheckPerAdvanceAtMost
    internalQuerySlotBasedExecutionHashAggMemoryUseCheckMargin
    internalQuerySlotBasedExecutionHashLookupApproxMemoryUseInBytesBeforeSpill
    internalQuerySlotBasedExecutionMaxStaticIndexScanIntervals internalQueryTopNAccumulatorBytes
    internalSessionsReapThreshold internalValidateFeaturesAsMaster internalValidateFeaturesAsPrimary
    javascriptProtection joinIngressSessionsOnShutdown journalCommitInterval jsHeapLimitMB loadRoutingTableOnStartup
    localLogicalSessionTimeoutMinutes localThresholdMs logComponentVerbosity logLevel logicalSessionRefreshMillis
    maintainValidCursorsAcrossSBEYieldandReadCommands maxAcceptableLogicalClockDriftSecs maxBSONDepth
    maxCatchUpPercentageBeforeBlockingWrites maxIndexBuildDrainBatchSize maxIndexBuildDrainMemoryUsageMegabytes
    maxIndexBuildMemoryUsageMegabytes maxLogSizeKB maxNumActiveUserIndexBuilds maxNumSyncSourceChangesPerHour
    maxNumberOfTransactionOperationsInSingleOplogEntry maxOplogTruncationPointsAfterStartup
    maxOplogTruncationPointsDuringStartup maxSessions maxSyncSourceLagSecs
    maxTenantMigrationDonorServiceThreadPoolSize maxTenantMigrationRecipientThreadPoolSize maxTimeMSForHedgedReads
    maxTransactionLockRequestTimeoutMillis maxValidateMBperSec maxValidateMemoryUsageMB
    metadataRefreshInTransactionMaxWaitBehindCritSecMS migrateCloneInsertionBatchDelayMS
    migrateCloneInsertionBatchSize migrationConcurrency migrationLockAcquisitionMaxWaitMS
    minNumChunksForSessionsCollection minOplogEntriesPerThread minOplogTruncationPoints
    minSnapshotHistoryWindowInSeconds mirrorReads mongosShutdownTimeoutMillisForSignaledShutdown
    mrEnableSingleReduceOptimization multitenancySupport notablescan numInitialSyncAttempts
    numInitialSyncConnectAttempts numInitialSyncOplogFindAttempts ocspCacheSize ocspStaplingRefreshPeriodSecs
    ocspValidationRefreshPeriodSecs operationMemoryPoolBlockInitialSizeKB operationMemoryPoolBlockMaxSizeKB
    oplogApplicationEnforcesSteadyStateConstraints oplogBatchDelayMillis oplogFetcherInitialSyncMaxFetcherRestarts
    oplogFetcherSteadyStateMaxFetcherRestarts oplogFetcherUsesExhaust oplogInitialFindMaxSeconds
    oplogNetworkTimeoutBufferSeconds oplogRetriedFindMaxSeconds oplogSamplingLogIntervalSeconds
    oplogTruncationPointSizeMB opportunisticSecondaryTargeting orphanCleanupDelaySecs periodicNoopIntervalSecs
    planCacheSize priorityTakeoverFreshnessWindowSeconds processUmask profileOperationResourceConsumptionMetrics quiet
    rangeDeleterBatchDelayMS rangeDeleterBatchSize readHedgingMode receiveChunkWaitForRangeDeleterTimeoutMS
    recoverFromOplogAsStandalone recoverToOplogTimestamp remainingReshardingOperationTimeThresholdMillis
    replBatchLimitBytes replBatchLimitOperations replElectionTimeoutOffsetLimitFraction replWriterMinThreadCount
    replWriterThreadCount replicaSetMonitorProtocol reportOpWriteConcernCountersInServerStatus requireApiVersion
    reservedServiceExecutorRecursionLimit reshardingCollectionClonerBatchSizeInBytes
    reshardingCoordinatorServiceMaxThreadCount reshardingCriticalSectionTimeoutMillis
    reshardingDonorServiceMaxThreadCount reshardingMinimumOperationDurationMillis
    reshardingOplogApplierMaxLockRequestTimeoutMillis reshardingOplogBatchLimitBytes
    reshardingOplogBatchLimitOperations reshardingOplogBatchTaskCount reshardingRecipientServiceMaxThreadCount
    reshardingTxnClonerProgressBatchSize resumableIndexBuildMajorityOpTimeTimeoutMillis rewriteStateChangeErrors
    roleGraphInvalidationIsFatal rollbackRemoteOplogQueryBatchSize rollbackTimeLimitSecs roundtripBsonColumnOnValidate
    scriptingEngineInterruptIntervalMS shardSplitGarbageCollectionDelayMS shardSplitTimeoutMS
    shardedIndexConsistencyCheckIntervalMS shutdownTimeoutMillisForSignaledShutdown skipCorruptDocumentsWhenCloning
    skipShardingConfigurationChecks skipShellCursorFinalize startupAuthSchemaValidation startupRecoveryForRestore
    storageEngineConcurrentReadTransactions storageEngineConcurrentWriteTransactions storageEngineQueueingPolicy
    storeFindAndModifyImagesInSideCollection supportArbitraryClusterKeyIndex
    suppressNetworkInterfaceTransportLayerExceptions suppressNoTLSPeerCertificateWarning syncdelay
    synchronousServiceExecutorRecursionLimit takeUnstableCheckpointOnShutdown taskExecutorPoolSize
    tcmallocAggressiveMemoryDecommit tcmallocEnableMarkThreadTemporarilyIdle tcmallocMaxTotalThreadCacheBytes
    tcmallocReleaseRate tcpFastOpenClient tcpFastOpenQueueSize tcpFastOpenServer temporarilyUnavailableBackoffBaseMs
    temporarilyUnavailableMaxRetries tenantApplierBatchSizeBytes tenantApplierBatchSizeOps tenantApplierThreadCount
    tenantMigrationBlockingStateTimeoutMS tenantMigrationDisableX509Auth tenantMigrationExcludeDonorHostTimeoutMS
    tenantMigrationExternalKeysRemovalBufferSecs tenantMigrationGarbageCollectionDelayMS
    tenantMigrationOplogBufferPeekCacheSize tenantMigrationOplogFetcherBatchSize testingDiagnosticsEnabled
    testingSnapshotBehaviorInIsolation timeseriesBucketMaxCount timeseriesBucketMaxSize
    timeseriesIdleBucketExpiryMaxCountPerAttempt timeseriesIdleBucketExpiryMemoryUsageThreshold
    timeseriesValidateCompressedBuckets tlsOCSPSlowResponderWarningSecs tlsOCSPStaplingTimeoutSecs
    tlsOCSPVerifyTimeoutSecs totalUnitWriteSizeBytes traceWriteConflictExceptions trafficRecordingDirectory
    transactionLifetimeLimitSeconds transactionSizeLimitBytes transactionTooLargeForCacheThreshold ttlMonitorEnabled
    ttlMonitorSleepSecs useReadOnceCursorsForIndexBuilds waitForSecondaryBeforeNoopWriteMS
    warmMinConnectionsInShardingTaskExecutorPoolOnStartup warmMinConnectionsInShardingTaskExecutorPoolOnStartupWaitMS
    watchdogPeriodSeconds wiredTigerConcurrentReadTransactions wiredTigerConcurrentWriteTransactions
    wiredTigerCursorCacheSize wiredTigerEvictionDirtyMaxGB wiredTigerEvictionDirtyTargetGB
    wiredTigerFileHandleCloseIdleTime wiredTigerFileHandleCloseMinimum wiredTigerFileHandleCloseScanInterval
    wiredTigerSessionCloseIdleTimeSecs wiredTigerSkipTableLoggingChecksOnStartup wiredTigerStressConfig
    writePeriodicNoops
";
