//! With `URI` in its environment a load, see `load`. Else it runs one session with the Rust driver for each line of standard input; see `tests/e2e/drivers.rs` for the lines.

mod load;

use std::io::BufRead;

use mongodb::bson::{Document, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::sync::{Client, Collection};
use serde_json::{Value, json};

fn main() {
    if let Ok(uri) = std::env::var("URI") {
        return load::run(&uri);
    }
    for line in std::io::stdin().lock().lines() {
        let case: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        let at_length = case["atLength"] == true;
        let result = session(case["uri"].as_str().expect("a uri"), case["collection"].as_str().expect("a collection"), at_length);
        let outcome = match result {
            Ok(user) => json!({"name": case["name"], "ok": true, "user": user}),
            Err(error) => json!({"name": case["name"], "ok": false, "code": code(&error), "message": error.to_string()}),
        };
        println!("{outcome}");
    }
}

/// A cursor of many batches and two transactions, one committed and one aborted, with others' work in between.
fn works_at_length(client: &Client, collection: &Collection<Document>) -> Result<(), Error> {
    collection.insert_many((0..300).map(|number| doc! {"number": number})).run()?;
    let mut count = 0;
    for document in collection.find(doc! {"number": {"$exists": true}}).batch_size(7).run()? {
        document?;
        client.database("admin").run_command(doc! {"ping": 1}).run()?;
        count += 1;
    }
    assert_eq!(count, 300);
    let mut session = client.start_session().run()?;
    for outcome in ["committed", "aborted"] {
        session.start_transaction().run()?;
        collection.insert_one(doc! {"_id": outcome}).session(&mut session).run()?;
        assert!(collection.find_one(doc! {"_id": outcome}).run()?.is_none(), "seen outside of its transaction");
        if outcome == "committed" { session.commit_transaction().run()? } else { session.abort_transaction().run()? }
    }
    assert!(collection.find_one(doc! {"_id": "committed"}).run()?.is_some());
    assert!(collection.find_one(doc! {"_id": "aborted"}).run()?.is_none());
    Ok(())
}

/// Connects, writes and reads a document, and returns who the server says we are.
fn session(uri: &str, name: &str, at_length: bool) -> Result<String, Error> {
    let client = Client::with_uri_str(uri)?;
    let collection = client.database("app").collection::<Document>(name);
    if at_length {
        works_at_length(&client, &collection)?;
    }
    collection.insert_one(doc! {"text": "from rust"}).run()?;
    let found = collection.find(doc! {}).run()?.collect::<Result<Vec<_>, _>>()?;
    assert!(!found.is_empty(), "what was written is not found");
    let status = client.database("admin").run_command(doc! {"connectionStatus": 1}).run()?;
    let users = status.get_document("authInfo").and_then(|info| info.get_array("authenticatedUsers")).expect("authInfo");
    let user = users.first().and_then(|user| user.as_document());
    Ok(user.map_or_else(String::new, |user| {
        format!("{}@{}", user.get_str("user").unwrap_or_default(), user.get_str("db").unwrap_or_default())
    }))
}

/// The server's error code, that of a failed login included.
fn code(error: &Error) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => Some(command.code),
        _ => {
            let source = std::error::Error::source(error)?;
            code(source.downcast_ref::<Error>().or_else(|| source.downcast_ref::<Box<Error>>().map(Box::as_ref))?)
        }
    }
}
