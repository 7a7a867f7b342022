// Writes and reads every 20 ms until standard input closes, and prints a line for each operation; see `tests/e2e/restart.rs`.
const { MongoClient } = require("mongodb");
const { setTimeout: wait } = require("node:timers/promises");

let stop = false;
process.stdin.on("end", () => (stop = true)).resume();

async function main() {
  const client = new MongoClient(process.env.URI);
  const collection = client.db("app").collection(process.env.COLLECTION);
  for (let number = 1; !stop; number++) {
    const started = Date.now();
    const outcome = { number };
    try {
      await collection.insertOne({ _id: number });
      if (!(await collection.findOne({ _id: number }))) throw new Error("what was written is not found");
    } catch (error) {
      outcome.error = String(error);
    }
    outcome.milliseconds = Date.now() - started;
    console.log(JSON.stringify(outcome));
    await wait(20);
  }
  await client.close();
}

main();
