//! The fields of the commands whose arguments mongod reads before it looks at privileges, and what each takes.
//!
//! For [`super::complaints`]. Source: measured on a mongod 6.0.5.

/// What a field takes.
#[derive(Clone, Copy)]
pub(super) enum Takes {
    /// What is not looked at.
    Anything,
    Bool,
    Text,
    Object,
    Array,
    /// A bool or a number.
    Flag,
    /// An index by name or by pattern.
    Hint,
    /// An update, as a document or a pipeline.
    Update,
    /// The cursor of an `aggregate`.
    Cursor,
    /// A list of documents.
    List(&'static Form),
}

impl Takes {
    /// Whether null counts as nothing.
    pub(super) const fn passes_over_null(self) -> bool {
        matches!(self, Self::Bool | Self::Text | Self::Object | Self::Array | Self::Flag)
    }
}

/// A field of a document.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) takes: Takes,
    required: bool,
}

/// A document.
pub(super) struct Form {
    fields: &'static [Field],
    /// Whether other fields are an error.
    pub(super) strict: bool,
}

impl Form {
    /// The field of this name, and a bit of its own.
    pub(super) fn field(&self, name: &[u8]) -> Option<(u32, &'static Field)> {
        let index = self.fields.iter().position(|field| field.name.as_bytes() == name)?;
        Some((1_u32.checked_shl(u32::try_from(index).ok()?)?, self.fields.get(index)?))
    }

    /// The fields that have to be there.
    pub(super) fn required(&self) -> impl Iterator<Item = &'static Field> {
        self.fields.iter().filter(|field| field.required)
    }
}

const fn strict(fields: &'static [Field]) -> Form {
    Form { fields, strict: true }
}

const fn must(name: &'static str, takes: Takes) -> Field {
    Field { name, takes, required: true }
}

const fn may(name: &'static str, takes: Takes) -> Field {
    Field { name, takes, required: false }
}

/// The form of a command.
pub(super) fn find(canonical_name: &str) -> Option<&'static Form> {
    Some(match canonical_name {
        "aggregate" => &AGGREGATE,
        "createIndexes" => &CREATE_INDEXES,
        "delete" => &DELETE,
        "explain" => &EXPLAIN,
        "findAndModify" => &FIND_AND_MODIFY,
        "insert" => &INSERT,
        "update" => &UPDATE,
        "_shardsvrMoveRange" => &MOVE_RANGE,
        _ => return None,
    })
}

/// Whether a command writes a batch of statements.
pub(super) fn is_batch(canonical_name: &str) -> bool {
    matches!(canonical_name, "insert" | "update" | "delete")
}

const AGGREGATE: Form = strict(&[
    may("pipeline", Takes::Anything),
    may("cursor", Takes::Cursor),
    may("explain", Takes::Anything),
    may("hint", Takes::Hint),
    may("allowDiskUse", Takes::Anything),
    may("bypassDocumentValidation", Takes::Anything),
    may("collation", Takes::Anything),
    may("collectionUUID", Takes::Anything),
    may("encryptionInformation", Takes::Anything),
    may("exchange", Takes::Anything),
    may("fromMongos", Takes::Anything),
    may("isMapReduceCommand", Takes::Anything),
    may("let", Takes::Anything),
    may("needsMerge", Takes::Anything),
    may("runtimeConstants", Takes::Anything),
    may("$_generateV2ResumeTokens", Takes::Anything),
    may("$_requestReshardingResumeToken", Takes::Anything),
]);

const EXPLAIN: Form = strict(&[may("verbosity", Takes::Text)]);

/// Documents that are not looked into.
const ANY: Form = Form { fields: &[], strict: false };

const CREATE_INDEXES: Form = strict(&[
    must("indexes", Takes::List(&ANY)),
    may("collectionUUID", Takes::Anything),
    may("commitQuorum", Takes::Anything),
    may("ignoreUnknownIndexOptions", Takes::Anything),
    may("isTimeseriesNamespace", Takes::Anything),
    may("v", Takes::Anything),
]);

const MOVE_RANGE: Form = Form { fields: &[must("toShard", Takes::Anything)], strict: false };

const ORDERED: Field = may("ordered", Takes::Bool);
const BYPASS: Field = may("bypassDocumentValidation", Takes::Flag);
const STATEMENT_NUMBERS: Field = may("stmtIds", Takes::Anything);
const TIME_SERIES: Field = may("isTimeseriesNamespace", Takes::Anything);
const UUID: Field = may("collectionUUID", Takes::Anything);
const ENCRYPTION: Field = may("encryptionInformation", Takes::Anything);
const LET: Field = may("let", Takes::Anything);
const CONSTANTS: Field = may("runtimeConstants", Takes::Anything);

const INSERT: Form =
    strict(&[must("documents", Takes::List(&ANY)), ORDERED, BYPASS, STATEMENT_NUMBERS, TIME_SERIES, UUID, ENCRYPTION]);

const UPDATE: Form = strict(&[
    must("updates", Takes::List(&UPDATE_STATEMENT)),
    ORDERED,
    BYPASS,
    STATEMENT_NUMBERS,
    TIME_SERIES,
    UUID,
    ENCRYPTION,
    LET,
    CONSTANTS,
]);

const UPDATE_STATEMENT: Form = strict(&[
    must("q", Takes::Object),
    must("u", Takes::Update),
    may("c", Takes::Object),
    may("arrayFilters", Takes::Array),
    may("multi", Takes::Bool),
    may("upsert", Takes::Bool),
    may("upsertSupplied", Takes::Anything),
    may("collation", Takes::Object),
    may("hint", Takes::Hint),
]);

const DELETE: Form = strict(&[
    must("deletes", Takes::List(&DELETE_STATEMENT)),
    ORDERED,
    BYPASS,
    STATEMENT_NUMBERS,
    TIME_SERIES,
    UUID,
    ENCRYPTION,
    LET,
    CONSTANTS,
]);

const DELETE_STATEMENT: Form = strict(&[
    must("q", Takes::Object),
    must("limit", Takes::Anything),
    may("collation", Takes::Object),
    may("hint", Takes::Hint),
]);

const FIND_AND_MODIFY: Form = strict(&[
    may("query", Takes::Object),
    may("fields", Takes::Object),
    may("sort", Takes::Object),
    may("hint", Takes::Hint),
    may("collation", Takes::Object),
    may("arrayFilters", Takes::Array),
    may("remove", Takes::Flag),
    may("update", Takes::Update),
    may("upsert", Takes::Flag),
    may("new", Takes::Flag),
    BYPASS,
    may("batchSize", Takes::Anything),
    may("singleBatch", Takes::Anything),
    ENCRYPTION,
    LET,
    CONSTANTS,
]);

/// `updateUser`.
pub(super) const UPDATE_USER: Form = strict(&[
    may("pwd", Takes::Text),
    may("customData", Takes::Object),
    may("roles", Takes::Array),
    may("mechanisms", Takes::Array),
    may("digestPassword", Takes::Anything),
    may("authenticationRestrictions", Takes::Array),
]);
