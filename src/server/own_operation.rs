//! Whether an operation that somebody wants to kill is their own: the upstream is asked, on a connection of doorward's own.
//!
//! Rare, and only for those who may not kill any operation. What can not be found out is not theirs.

use bson::raw::RawDocumentBuf;
use bson::rawdoc;

use super::connection::ClientConnection;
use crate::upstream::own_metadata;

impl ClientConnection<'_> {
    /// What the upstream says of a running operation of this user, an element of `$currentOp`.
    pub(super) async fn own_operation(&self, operation: i64) -> Option<RawDocumentBuf> {
        let uid = self.session.state().principal()?.uid();
        let connector = &self.surroundings.snapshot.connector;
        let question = rawdoc! {
            "aggregate": 1,
            "pipeline": [
                { "$currentOp": { "allUsers": true } },
                { "$match": { "opid": operation, "lsid.uid": uid } },
                { "$limit": 1 },
            ],
            "cursor": {},
            "$db": "admin",
        };
        let asked = async {
            let mut connection = connector.connect(Some(&own_metadata("doorward killOp"))).await?;
            connection.command("aggregate", &question).await
        };
        let reply = tokio::time::timeout(connector.time_limit(), asked).await.ok()?.ok()?;
        let batch = reply.get_document("cursor").ok()?.get_array("firstBatch").ok()?;
        Some(batch.into_iter().next()?.ok()?.as_document()?.to_owned())
    }
}
