/** All clients come back at once after a restart: none may be dropped by the kernel while the process is busy. */
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { describe, expect, onTestFinished, test } from "vitest";
import { startDeno } from "../support/deno.ts";
import { startNode } from "../support/node.ts";

const CLIENTS = 1500;
/** What the machine lets any process have. */
const allowed = (): number => Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8"));

// Bun's is 512, and it has no option for it.
describe.skipIf(process.platform !== "linux" || allowed() < CLIENTS)("a process that accepts nothing", () => {
  test.each([
    ["Node", startNode],
    ["Deno", startDeno],
  ])("on %s has its place for 1,500 connections", async (_, start) => {
    const server = await start();
    onTestFinished(() => server.close());
    const port = Number(new URL(server.url).port);
    process.kill(server.pid, "SIGSTOP");
    const sockets: Socket[] = [];
    onTestFinished(() => {
      process.kill(server.pid, "SIGCONT");
      for (const socket of sockets) socket.destroy();
    });
    const connected = Array.from({ length: CLIENTS }, () => {
      const socket = connect(port, "127.0.0.1");
      sockets.push(socket);
      return new Promise((resolve) => socket.once("connect", resolve));
    });
    await expect(Promise.all(connected)).resolves.toHaveLength(CLIENTS);
  });
});
