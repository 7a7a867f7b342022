// Runs one session with the Node driver for each line of standard input; see `tests/e2e/drivers.rs` for the lines.
const readline = require("node:readline");
const { MongoClient } = require("mongodb");

// Connects, writes and reads a document, and returns who the server says we are.
async function session(uri, name) {
  const client = new MongoClient(uri);
  try {
    const collection = client.db("app").collection(name);
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
    const { name, uri, collection } = JSON.parse(line);
    try {
      console.log(JSON.stringify({ name, ok: true, user: await session(uri, collection) }));
    } catch (error) {
      console.log(JSON.stringify({ name, ok: false, code: error.code, message: String(error) }));
    }
  }
}

main();
