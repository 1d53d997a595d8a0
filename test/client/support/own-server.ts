/** Our own server: a process on Node with its sessions in a file, and workerd with its Durable Objects. @module */
import { mkdirSync, rmSync } from "node:fs";
import { startNode } from "../../support/node.ts";
import { startWorkerd } from "../../support/workerd.ts";
import type { Target } from "./target.ts";

export const ownWorker: Target = {
  name: "our own server on workerd",
  async start() {
    const server = await startWorkerd();
    return {
      url: `${server.url}/mcp`,
      wipe: async () => {
        await server.kill();
        rmSync(server.storage, { recursive: true, force: true });
        mkdirSync(server.storage);
        await server.restart();
      },
      kill: () => server.restart(),
      close: () => server.close(),
    };
  },
};

export const ownServer: Target = {
  name: "our own server on Node",
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
