/** The compose file is what it says, as far as that can be seen without Docker: its commands are run, against a real database. */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { resolveOptions } from "../../src/options.ts";
import { ACCEPT_BOTH, openSession, sessionAt } from "../support/mcp.ts";
import { initialize } from "../support/messages.ts";
import { type TestDatabase, testDatabase } from "../support/postgres.ts";
import { NEEDED } from "../support/process.ts";
import { unpooledFetch } from "../support/unpooled-fetch.ts";
import { freePort } from "../support/workerd.ts";

interface Service {
  readonly image: string;
  readonly command?: string;
  readonly working_dir?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly configs?: readonly { readonly source: string; readonly target: string }[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly stop_grace_period?: string;
  readonly deploy?: { readonly replicas: number };
}

interface Compose {
  readonly services: { readonly postgres: Service; readonly server: Service; readonly balancer: Service };
  readonly configs: { readonly nginx: { readonly content: string } };
  readonly volumes: Readonly<Record<string, unknown>>;
}

const ROOT = new URL("../../", import.meta.url).pathname;
const read = (file: string): string => readFileSync(`${ROOT}${file}`, "utf8");
const compose = parse(read("examples/cluster/compose.yaml")) as Compose;
const { postgres, server, balancer } = compose.services;

/** As compose passes it on: a `$` that is doubled is one. */
const unescaped = (text: string): string => text.replaceAll("$$", "$");
const command = unescaped(server.command ?? "");
const nginx = unescaped(compose.configs.nginx.content);
/** What stands behind a directive of nginx. */
const directive = (name: string): string | undefined =>
  new RegExp(`^\\s*${name}\\s+(.+);$`, "m").exec(nginx)?.[1];

describe("what belongs together says the same", () => {
  test("nothing is named that is not there", () => {
    const names = Object.keys(compose.services);
    for (const { depends_on: on = [], volumes = [], configs = [] } of Object.values(compose.services)) {
      expect(names).toEqual(expect.arrayContaining(Array.isArray(on) ? on : Object.keys(on)));
      for (const volume of volumes) {
        const [from = ""] = volume.split(":");
        if (!from.startsWith(".")) expect(Object.keys(compose.volumes)).toContain(from);
      }
      for (const { source } of configs) expect(Object.keys(compose.configs)).toContain(source);
    }
    expect(read("examples/cluster/compose.yaml")).not.toMatch(/(?<!\$)\$(?!\$)/);
  });

  test("the images are of versions that Holdfast knows", () => {
    const [, database] = /^postgres:(\d+)$/.exec(postgres.image) ?? [];
    expect(Number(database)).toBeGreaterThanOrEqual(14);
    // From 18 on the image keeps its data one folder higher.
    expect(postgres.volumes).toEqual([`postgres:/var/lib/postgresql${Number(database) < 18 ? "/data" : ""}`]);
    const { devDependencies } = JSON.parse(read("package.json")) as {
      devDependencies: Record<string, string>;
    };
    expect(server.image).toBe(`node:${devDependencies["node"]?.split(".")[0]}`);
  });

  test("the database's URL is that of the database", () => {
    const url = new URL(server.environment?.["HOLDFAST_POSTGRES"] ?? "");
    expect(url.protocol).toBe("postgres:");
    expect(Object.keys(compose.services)).toContain(url.hostname);
    // What the image has unless it is told otherwise.
    expect([url.username, url.port, url.pathname]).toEqual(["postgres", "", "/postgres"]);
    expect(url.password).toBe(postgres.environment?.["POSTGRES_PASSWORD"]);
    expect(postgres.healthcheck?.test.join(" ")).toContain(`-U ${url.username}`);
  });

  test("the balancer asks the servers where they listen, and holds nothing back", () => {
    const [, port] = /--port (\d+)/.exec(command) ?? [];
    expect(nginx).toContain(`set $server http://server:${port};`);
    expect(directive("proxy_pass")).toBe("$server");
    expect(command).toContain(`http://$(hostname -i):${port}`);
    expect(balancer.ports).toEqual([`127.0.0.1:8787:${directive("listen")}`]);
    expect(directive("proxy_buffering")).toBe("off");
    expect(directive("proxy_http_version")).toBe("1.1");
    const { maxBodyBytes, keepaliveIntervalMs } = resolveOptions({});
    expect(Number.parseInt(directive("client_max_body_size") ?? "", 10) * 1_048_576).toBeGreaterThan(
      maxBodyBytes,
    );
    expect(directive("proxy_read_timeout")).toBe("1h");
    expect(keepaliveIntervalMs).toBeLessThan(3_600_000);
  });

  test("servers that are told to end have the time for it", () => {
    expect(Number.parseInt(server.stop_grace_period ?? "", 10)).toBeGreaterThan(4);
    expect(server.deploy?.replicas).toBe(3);
  });
});

describe("the servers' command", () => {
  let database: TestDatabase;
  const started: ChildProcess[] = [];
  const urls: string[] = [];
  const lines: string[] = [];

  beforeAll(async () => {
    database = await testDatabase();
    for (let n = 0; n < 2; n++) {
      const port = await freePort();
      const own = command.replaceAll("8787", String(port)).replace("$(hostname -i)", "127.0.0.1");
      const variables = { ...server.environment, HOLDFAST_POSTGRES: database.url };
      // Compose takes a string apart as a shell would, and then runs the program that is named first.
      const child = spawn("sh", ["-c", `exec ${own}`], {
        cwd: ROOT,
        env: { ...NEEDED, ...variables },
        stdio: ["ignore", "pipe", "pipe"],
      });
      started.push(child);
      await new Promise<void>((resolve, reject) => {
        child.once("exit", () => reject(new Error(lines.join("\n"))));
        for (const input of [child.stdout, child.stderr])
          createInterface({ input }).on("line", (line) => {
            lines.push(line);
            if (line.startsWith("Listening on")) resolve();
          });
      });
      urls.push(`http://127.0.0.1:${port}`);
    }
  });
  afterAll(async () => {
    for (const child of started.filter(({ exitCode }) => exitCode === null)) {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    }
    await database.close();
  });

  test("starts processes that serve one another's sessions, and knows all its variables", async () => {
    expect(server.working_dir).toBe("/app");
    expect(server.volumes).toEqual(["../..:/app:ro"]);
    const [here = "", there = ""] = urls;
    const session = await openSession(here);
    expect(await sessionAt(there, session).tool("counter")).toBe("1");
    expect(await session.tool("counter")).toBe("2");
    expect(lines.filter((line) => line.includes("variable"))).toEqual([]);
  });

  test("is asked under the balancer's name", async () => {
    // What `proxy_set_header Host $http_host` passes on.
    expect(directive("proxy_set_header Host")).toBe("$http_host");
    const answer = await unpooledFetch(`${urls[0]}/mcp`, {
      method: "POST",
      headers: { Host: "127.0.0.1:8787", "Content-Type": "application/json", Accept: ACCEPT_BOTH },
      body: JSON.stringify(initialize()),
    });
    expect(answer.status).toBe(200);
    await answer.body?.cancel();
  });

  test("ends on SIGTERM by itself, within the time that it is given", async () => {
    const child = started[1];
    const gone = new Promise((resolve) => child?.once("exit", resolve));
    child?.kill("SIGTERM");
    expect(await gone).toBe(0);
  });
});
