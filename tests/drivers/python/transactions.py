"""Moves money between two accounts every 20 ms, in transactions, until standard input closes; prints a line for each operation.

Every transaction adds a line to a journal as well, so that what was acknowledged can be counted. See `tests/e2e/tutorial`.
"""

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
    journal = client.app[os.environ["COLLECTION"]]
    accounts = client.app[os.environ["COLLECTION"] + "_accounts"]

    def transfer(session, number):
        for account, amount in (("from", -1), ("to", 1)):
            accounts.update_one({"_id": account}, {"$inc": {"amount": amount}}, upsert=True, session=session)
        journal.insert_one({"_id": number}, session=session)

    number = 0
    while not stop.is_set():
        number += 1
        started = time.monotonic()
        outcome = {"number": number}
        try:
            with client.start_session() as session:
                session.with_transaction(lambda session: transfer(session, number))
            total = sum(account["amount"] for account in accounts.find(session=None))
            assert total == 0, f"the accounts do not add up: {total}"
        except pymongo.errors.PyMongoError as error:
            outcome["error"] = str(error)
        outcome["milliseconds"] = int((time.monotonic() - started) * 1000)
        print(json.dumps(outcome), flush=True)
        stop.wait(0.02)
