"""Runs one session with pymongo for each line of standard input; see `tests/e2e/drivers.rs` for the lines."""

import json
import sys

import pymongo
import pymongo.errors


def works_at_length(client, collection):
    """A cursor of many batches and two transactions, one committed and one aborted, with others' work in between."""
    collection.insert_many([{"number": number} for number in range(300)])
    with collection.find({"number": {"$exists": True}}, batch_size=7) as cursor:
        assert sum(1 for _ in cursor if client.admin.command("ping")) == 300
    with client.start_session() as session:
        for outcome in ("committed", "aborted"):
            session.start_transaction()
            collection.insert_one({"_id": outcome}, session=session)
            assert collection.find_one({"_id": outcome}) is None
            assert collection.find_one({"_id": outcome}, session=session)
            getattr(session, "commit_transaction" if outcome == "committed" else "abort_transaction")()
    assert collection.find_one({"_id": "committed"}) and not collection.find_one({"_id": "aborted"})
    secondary = collection.with_options(read_preference=pymongo.ReadPreference.SECONDARY_PREFERRED)
    assert secondary.find_one({"_id": "committed"})


def session(uri, name, at_length):
    """Connects, writes and reads a document, and returns who the server says we are."""
    with pymongo.MongoClient(uri) as client:
        collection = client.app[name]
        if at_length:
            works_at_length(client, collection)
        collection.insert_one({"text": "from python"})
        assert list(collection.find()), "what was written is not found"
        users = client.admin.command("connectionStatus")["authInfo"]["authenticatedUsers"]
        return "".join(f"{user['user']}@{user['db']}" for user in users)


for line in sys.stdin:
    case = json.loads(line)
    outcome = {"name": case["name"]}
    try:
        outcome.update(ok=True, user=session(case["uri"], case["collection"], case.get("atLength")))
    except pymongo.errors.PyMongoError as error:
        outcome.update(ok=False, code=getattr(error, "code", None), message=str(error))
    print(json.dumps(outcome), flush=True)
