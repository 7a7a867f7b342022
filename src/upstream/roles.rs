//! The built-in roles, as the upstream defines them.

use std::collections::BTreeSet;

use bson::raw::RawDocumentBuf;
use bson::rawdoc;

use super::connector::Connector;
use super::{UpstreamError, of_any_member, own_metadata};

/// The replies to `rolesInfo`, for `admin` and these databases. The roles of a database that does not exist are the ordinary ones.
///
/// # Errors
/// The upstream can not be asked, or refuses.
pub async fn definitions(connector: &Connector, databases: &[String]) -> Result<Vec<RawDocumentBuf>, UpstreamError> {
    let limit = connector.time_limit();
    tokio::time::timeout(limit, ask(connector, databases)).await.map_err(|_elapsed| UpstreamError::silent(limit))?
}

async fn ask(connector: &Connector, databases: &[String]) -> Result<Vec<RawDocumentBuf>, UpstreamError> {
    let mut connection = connector.connect(Some(&own_metadata("doorward readiness"))).await?;
    let all: BTreeSet<&str> = databases.iter().map(String::as_str).chain(["admin"]).collect();
    let mut replies = Vec::with_capacity(all.len());
    for database in all {
        let request =
            of_any_member(rawdoc! { "rolesInfo": 1, "showBuiltinRoles": true, "showPrivileges": true, "$db": database });
        match connection.command("rolesInfo", &request).await {
            Ok(reply) => replies.push(reply),
            // A name that is no database's: nothing could have been done there.
            Err(UpstreamError::Refused { .. }) if database != "admin" => {}
            Err(error) => return Err(error),
        }
    }
    Ok(replies)
}
