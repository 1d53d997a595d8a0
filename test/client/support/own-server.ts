/** Our own server, as a process on Node with its sessions in a file. @module */
import { rmSync } from "node:fs";
import { startNode } from "../../support/node.ts";
import type { Target } from "./target.ts";

export const ownServer: Target = {
  name: "our own server",
  async start() {
    const server = await startNode();
    return {
      url: `${server.url}/mcp`,
      wipe: async () => {
        await server.kill();
        for (const suffix of ["", "-wal", "-shm"]) rmSync(server.database + suffix, { force: true });
        await server.restart();
      },
      kill: () => server.restart(),
      close: () => server.close(),
    };
  },
};
