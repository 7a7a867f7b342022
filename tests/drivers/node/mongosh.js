// Runs one session with mongosh for each line of the file named by $CASES; see `tests/e2e/drivers.rs` for the lines.
const lines = require("node:fs").readFileSync(process.env.CASES, "utf8").trim().split("\n");

// Connects, writes and reads a document, and returns who the server says we are.
function session(uri, name) {
  const database = connect(uri);
  const collection = database.getSiblingDB("app")[name];
  collection.insertOne({ text: "from mongosh" });
  if (collection.find().toArray().length === 0) throw new Error("what was written is not found");
  const status = database.getSiblingDB("admin").runCommand({ connectionStatus: 1 });
  return status.authInfo.authenticatedUsers.map((user) => `${user.user}@${user.db}`).join();
}

for (const line of lines) {
  const { name, uri, collection } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ name, ok: true, user: session(uri, collection) }));
  } catch (error) {
    console.log(JSON.stringify({ name, ok: false, code: error.code, message: String(error) }));
  }
}
