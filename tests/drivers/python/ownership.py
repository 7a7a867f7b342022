"""Sessions, transactions, cursors and large messages of two users, as an application has them. Prints one JSON line.

`CASES` names a file with one line, `{"alice": uri, "bob": uri, "compressors": [...]}`.
"""

import json
import os
import time
import uuid

from bson import Binary, Int64, Timestamp
from pymongo import CursorType, MongoClient, WriteConcern
from pymongo.errors import OperationFailure
from pymongo.read_preferences import ReadPreference


def code_of(function):
    try:
        function()
    except OperationFailure as error:
        return error.code
    return 0


def reads_in_batches(app):
    app.many.drop()
    app.many.insert_many([{"_id": number, "text": "x" * 200} for number in range(2000)])
    assert len(list(app.many.find(batch_size=37))) == 2000
    assert len(list(app.many.aggregate([], batchSize=100))) == 2000
    assert len(list(app.many.find(cursor_type=CursorType.EXHAUST, batch_size=100))) == 2000
    assert "many" in app.list_collection_names()


def transactions(client, other):
    app = client.app
    with client.start_session() as session:
        with session.start_transaction():
            app.many.insert_one({"_id": "committed"}, session=session)
            assert app.many.find_one({"_id": "committed"}) is None
            assert len(list(app.many.find({}, session=session, batch_size=500))) == 2001
        assert app.many.find_one({"_id": "committed"})
        with session.start_transaction():
            app.many.insert_one({"_id": "aborted"}, session=session)
            session.abort_transaction()
        assert app.many.find_one({"_id": "aborted"}, session=session) is None
        session.start_transaction()
        app.many.insert_one({"_id": "kept"}, session=session)
        same = {"lsid": session.session_id, "txnNumber": Int64(session._server_session.transaction_id), "autocommit": False}
        # The driver would not send another's session, so it goes past it.
        assert code_of(lambda: raw(other, {"abortTransaction": 1, **same})) == 251
        assert code_of(lambda: raw(other, {"commitTransaction": 1, **same})) == 251
        session.commit_transaction()
    assert app.many.find_one({"_id": "kept"})


def clock(client):
    """A user can not set the clock of the replica set by what it says the time is."""
    ahead = Timestamp(int(time.time()) + 30 * 24 * 3600, 1)
    told = {"clusterTime": ahead, "signature": {"hash": b"\0" * 20, "keyId": Int64(0)}}
    # A mongod refuses it; behind doorward it is not passed on.
    assert code_of(lambda: raw(client, {"find": "many", "limit": 1, "$clusterTime": told}, "app")) in (0, 211)
    assert client.admin.command("ping")["$clusterTime"]["clusterTime"] < ahead


def raw(client, command, database="admin"):
    """Runs a command on a connection of the client without a session of the driver's."""
    with client._conn_for_reads(ReadPreference.PRIMARY, None, operation="ownership") as (connection, _):
        return connection.command(database, command)


def retries_a_write_once(client):
    client.app.once.drop()
    session = {"id": Binary.from_uuid(uuid.uuid4())}
    for _ in range(2):
        command = {"insert": "once", "documents": [{"a": 1}], "lsid": session, "txnNumber": Int64(7)}
        assert raw(client, command, "app")["n"] == 1
    assert client.app.once.count_documents({}) == 1


def change_stream(app):
    with app.many.watch(batch_size=1) as stream:
        app.many.insert_many([{"number": number} for number in range(10)])
        assert [next(stream)["fullDocument"]["number"] for _ in range(10)] == list(range(10))


def unacknowledged(app):
    app.get_collection("many", write_concern=WriteConcern(w=0)).insert_one({"_id": "unacknowledged"})
    deadline = time.monotonic() + 10
    while app.many.find_one({"_id": "unacknowledged"}) is None:
        assert time.monotonic() < deadline


def large(app):
    app.large.drop()
    text = "x" * (16 * 1024 * 1024 - 100)
    app.large.insert_one({"_id": 1, "text": text})
    assert app.large.find_one({"_id": 1})["text"] == text
    # Batches that a driver fills up to the last byte of a message.
    for length in (463, 467, 479):
        assert len(app.large.insert_many([{"text": "x" * length} for _ in range(100_000)], ordered=False).inserted_ids) == 100_000
    app.large.drop()


def main():
    case = json.loads(open(os.environ["CASES"]).readline())
    for compressors in [None, *case["compressors"]]:
        options = {"compressors": compressors} if compressors else {}
        with MongoClient(case["alice"], **options) as alice, MongoClient(case["bob"], **options) as bob:
            reads_in_batches(alice.app)
            transactions(alice, bob)
            retries_a_write_once(alice)
            change_stream(alice.app)
            clock(alice)
            unacknowledged(alice.app)
            if not compressors:
                large(alice.app)
    print(json.dumps({"ok": True}))


main()
