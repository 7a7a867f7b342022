"""Writes and reads every 20 ms until standard input closes, and prints a line for each operation; see `tests/e2e/restart.rs`."""

import json
import os
import sys
import threading
import time

import pymongo
import pymongo.errors

stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()

with pymongo.MongoClient(os.environ["URI"]) as client:
    collection = client.app[os.environ["COLLECTION"]]
    number = 0
    while not stop.is_set():
        number += 1
        started = time.monotonic()
        outcome = {"number": number}
        try:
            collection.insert_one({"_id": number})
            found = collection.find_one({"_id": number})
            assert found is not None, "what was written is not found"
        except pymongo.errors.PyMongoError as error:
            outcome["error"] = str(error)
        outcome["milliseconds"] = int((time.monotonic() - started) * 1000)
        print(json.dumps(outcome), flush=True)
        stop.wait(0.02)
