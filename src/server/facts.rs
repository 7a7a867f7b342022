//! Facts that only the upstream knows and that a verdict may need: it is asked, on a connection of doorward's own.
//!
//! Rare, and only for a command that is refused without; see [`crate::authz::facts`].

use bson::raw::RawDocumentBuf;

use super::connection::ClientConnection;
use crate::authz::facts::Question;
use crate::upstream::own_metadata;

impl ClientConnection<'_> {
    /// What the upstream answers, be it an error; `None` if it does not.
    pub(super) async fn ask_upstream(&self, question: &Question<'_>) -> Option<RawDocumentBuf> {
        let connector = &self.surroundings.snapshot.connector;
        let asked = async {
            let mut connection = connector.connect(Some(&own_metadata("doorward authorization"))).await?;
            connection.ask(&question.command()).await
        };
        tokio::time::timeout(connector.time_limit(), asked).await.ok()?.ok()
    }
}
