"""Writes and reads through hosts of the domain gate.test, which are this machine. Prints one JSON line.

`CASES` names a file with one line, `{"uri", "collection"}`.
"""

import json
import os
import socket

import pymongo

resolve = socket.getaddrinfo


def resolve_here(host, *arguments, **options):
    return resolve("127.0.0.1" if host.endswith(".gate.test") else host, *arguments, **options)


socket.getaddrinfo = resolve_here

case = json.loads(open(os.environ["CASES"]).readline())
with pymongo.MongoClient(case["uri"]) as client:
    collection = client.app[case["collection"]]
    collection.insert_one({"text": "by name"})
    assert list(collection.find()), "what was written is not found"
    assert client.primary[0].endswith(".gate.test"), client.primary
print(json.dumps({"ok": True}))
