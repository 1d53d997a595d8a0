/**
 * `npm run docs:dev`: the site as it will be, anew with each change of a page. The API is that of the start.
 * @module
 */
import { fileURLToPath } from "node:url";
import { createServer } from "vitepress";
import { writeApi } from "./api.ts";

await writeApi();
const server = await createServer(fileURLToPath(new URL(".", import.meta.url)));
await server.listen();
server.printUrls();
