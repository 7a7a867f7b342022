// Runs one session with the Node driver for each line of standard input; see `tests/e2e/drivers.rs` for the lines.
const readline = require("node:readline");
const { MongoClient } = require("mongodb");

// A cursor of many batches and two transactions, one committed and one aborted, with others' work in between.
async function worksAtLength(client, collection) {
  await collection.insertMany(Array.from({ length: 300 }, (_, number) => ({ number })));
  let count = 0;
  for await (const _ of collection.find({ number: { $exists: true } }, { batchSize: 7 })) {
    await client.db("admin").command({ ping: 1 });
    count += 1;
  }
  if (count !== 300) throw new Error(`${count} documents`);
  const session = client.startSession();
  for (const outcome of ["committed", "aborted"]) {
    session.startTransaction();
    await collection.insertOne({ _id: outcome }, { session });
    if (await collection.findOne({ _id: outcome })) throw new Error("seen outside of its transaction");
    await (outcome === "committed" ? session.commitTransaction() : session.abortTransaction());
  }
  await session.endSession();
  const found = await collection.find({ _id: { $in: ["committed", "aborted"] } }, { readPreference: "secondaryPreferred" }).toArray();
  if (found.length !== 1 || found[0]._id !== "committed") throw new Error(JSON.stringify(found));
}

// Connects, writes and reads a document, and returns who the server says we are.
async function session(uri, name, atLength) {
  const client = new MongoClient(uri);
  try {
    const collection = client.db("app").collection(name);
    if (atLength) await worksAtLength(client, collection);
    await collection.insertOne({ text: "from node" });
    const found = await collection.find().toArray();
    if (found.length === 0) throw new Error("what was written is not found");
    const status = await client.db("admin").command({ connectionStatus: 1 });
    return status.authInfo.authenticatedUsers.map((user) => `${user.user}@${user.db}`).join();
  } finally {
    await client.close();
  }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { name, uri, collection, atLength } = JSON.parse(line);
    try {
      console.log(JSON.stringify({ name, ok: true, user: await session(uri, collection, atLength) }));
    } catch (error) {
      console.log(JSON.stringify({ name, ok: false, code: error.code, message: String(error) }));
    }
  }
}

main();
