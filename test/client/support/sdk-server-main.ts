/** The official SDK's session server as a program: `node sdk-server-main.ts <port>`, 0 for any. @module */
import { startSdkSessionServer } from "./sdk-session-server.ts";

const { url } = await startSdkSessionServer({ port: Number(process.argv[2] ?? 0) });
console.log(`listening at ${url}`);
