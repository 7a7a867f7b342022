"""Runs one session with pymongo for each line of standard input; see `tests/e2e/drivers.rs` for the lines."""

import json
import sys

import pymongo
import pymongo.errors


def session(uri, name):
    """Connects, writes and reads a document, and returns who the server says we are."""
    with pymongo.MongoClient(uri) as client:
        collection = client.app[name]
        collection.insert_one({"text": "from python"})
        assert list(collection.find()), "what was written is not found"
        users = client.admin.command("connectionStatus")["authInfo"]["authenticatedUsers"]
        return "".join(f"{user['user']}@{user['db']}" for user in users)


for line in sys.stdin:
    case = json.loads(line)
    outcome = {"name": case["name"]}
    try:
        outcome.update(ok=True, user=session(case["uri"], case["collection"]))
    except pymongo.errors.PyMongoError as error:
        outcome.update(ok=False, code=getattr(error, "code", None), message=str(error))
    print(json.dumps(outcome), flush=True)
