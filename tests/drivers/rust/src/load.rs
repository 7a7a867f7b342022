//! Writes and reads every 20 ms until standard input closes, and prints a line for each operation; see `tests/e2e/restart.rs`.

use std::io::Read;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use mongodb::bson::{Document, doc};
use mongodb::error::Error;
use mongodb::sync::{Client, Collection};
use serde_json::json;

pub fn run(uri: &str) {
    let (stopped, stop) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        drop(stopped);
    });
    let name = std::env::var("COLLECTION").expect("a collection");
    let collection = Client::with_uri_str(uri).expect("a uri").database("app").collection(&name);
    for number in 1_i64.. {
        let started = Instant::now();
        let error = operation(&collection, number).err().map(|error| error.to_string());
        let milliseconds = started.elapsed().as_millis() as u64;
        match error {
            None => println!("{}", json!({"number": number, "milliseconds": milliseconds})),
            Some(error) => println!("{}", json!({"number": number, "error": error, "milliseconds": milliseconds})),
        }
        if stop.recv_timeout(Duration::from_millis(20)) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

fn operation(collection: &Collection<Document>, number: i64) -> Result<(), Error> {
    collection.insert_one(doc! {"_id": number}).run()?;
    let found = collection.find_one(doc! {"_id": number}).run()?;
    assert!(found.is_some(), "what was written is not found");
    Ok(())
}
