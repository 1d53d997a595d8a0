/** Connects, calls, closes, with the runtime's own `fetch`, and ends when nothing is left to do: `<sdk> <url> <timeoutMs>`. @module */
import { connect, ConnectError } from "../../../src/client/index.ts";
import { SDK_PARTS, textOf } from "./sdk-parts.ts";

const [, , name, url = "", timeoutMs] = process.argv;
const parts = SDK_PARTS.find((candidate) => candidate.name === name);
if (parts === undefined) throw new Error(`no such SDK: ${name}`);
const client = parts.create();
try {
  const connection = await connect(url, {
    client,
    transports: parts.transports,
    timeoutMs: Number(timeoutMs),
  });
  console.log(textOf(await client.callTool({ name: "echo", arguments: { text: "called" } })));
  await connection.close();
} catch (error) {
  if (!(error instanceof ConnectError)) throw error;
  console.log(error.reason);
}
