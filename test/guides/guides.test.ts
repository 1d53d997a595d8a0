/**
 * The guides' code, run as it is written: the files that a guide shows are put into a folder, its tests are tests here,
 * its Workers are started on workerd, and all of it is type-checked.
 * @module
 */
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, describe, expect, test } from "vitest";
import { BIN } from "../support/process.ts";
import { startWorkerd } from "../support/workerd.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const GUIDES = join(ROOT, "docs/guides");

const { exports } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  exports: Record<string, string | { default: string }>;
};

/** The source of an entry, from a guide's folder: what a user gets of it is what `test/package` looks at. */
function sourceOf(entry: string): string {
  const target = exports[entry.replace("holdfast", ".")];
  if (target === undefined || typeof target === "string") throw new Error(`there is no entry ${entry}`);
  return target.default.replace("./dist/", "../../").replace(/\.js$/, ".ts");
}

interface Guide {
  readonly name: string;
  readonly text: string;
  readonly files: ReadonlyMap<string, string>;
}

const guides: Guide[] = readdirSync(GUIDES)
  .filter((file) => file.endsWith(".md"))
  .map((file) => {
    const text = readFileSync(join(GUIDES, file), "utf8");
    const blocks = text.matchAll(/^```(?:ts|js|jsonc)\n\/\/ ([\w.-]+)\n([^]*?)^```$/gm);
    return {
      name: file.replace(".md", ""),
      text,
      files: new Map(Array.from(blocks, ([, ...b]) => b as [string, string])),
    };
  });

const folder = mkdtempSync(join(ROOT, ".guides-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

for (const { name, files } of guides) {
  mkdirSync(join(folder, name));
  for (const [file, text] of files) {
    const source = text.replaceAll(/(?<=from |import )"(holdfast[\w/]*)"/g, (_, entry: string) =>
      JSON.stringify(sourceOf(entry)),
    );
    writeFileSync(join(folder, name, file), source);
  }
}

const isWorker = (file: string): boolean => file.startsWith("worker") && file.endsWith(".ts");

test("each block of code says which file it is", () => {
  expect(guides.length).toBeGreaterThan(0);
  for (const { name, text, files } of guides) {
    const blocks = [...text.matchAll(/^```(?:ts|js|jsonc)$/gm)];
    expect(files.size, name).toBe(blocks.length);
    expect(files.size, name).toBeGreaterThan(0);
  }
});

test("links lead somewhere", () => {
  const broken = guides.flatMap(({ name, text }) =>
    Array.from(text.matchAll(/\]\((?!https?:)([^)#]+)/g), ([, link = ""]) => link)
      .filter((link) => !existsSync(join(GUIDES, link)))
      .map((link) => `${name}: ${link}`),
  );
  expect(broken).toEqual([]);
});

describe.each(guides)("$name", async ({ name, files }) => {
  for (const file of files.keys()) {
    // Its `test` calls are tests of this file.
    if (file.endsWith(".test.ts")) await import(join(folder, name, file));
  }

  test.runIf([...files.keys()].some(isWorker))("is a Worker that serves its tools", async () => {
    for (const file of [...files.keys()].filter(isWorker)) {
      const server = await startWorkerd({ entry: join(folder, name, file) });
      try {
        const client = new Client({ name: "guides", version: "1" });
        const path = /basePath: "([^"]+)"/.exec(files.get(file) ?? "")?.[1] ?? "";
        const headers = { Authorization: "Bearer of-ann" };
        await client.connect(
          new StreamableHTTPClientTransport(new URL(`${server.url}${path}/mcp`), {
            requestInit: { headers },
          }),
        );
        expect((await client.listTools()).tools.length).toBeGreaterThan(0);
        await client.close();
      } finally {
        await server.close();
      }
    }
  });
});

describe("all of it type-checks", () => {
  const check = (name: string, base: string, include: string[], more: object): void => {
    const config = join(folder, `tsconfig.${name}.json`);
    writeFileSync(
      config,
      JSON.stringify({
        extends: join(ROOT, base),
        compilerOptions: { isolatedDeclarations: false, declaration: false, noEmit: true, ...more },
        include,
        exclude: name === "node" ? ["*/worker*.ts"] : [],
      }),
    );
    const { stdout, status } = spawnSync(join(BIN, "tsc"), ["-p", config], {
      cwd: dirname(config),
      encoding: "utf8",
    });
    expect(stdout).toBe("");
    expect(status).toBe(0);
  };

  test("on Node", () => check("node", "test/tsconfig.json", ["*/*.ts"], {}));

  test("on Workers", () => {
    // What `wrangler types` makes.
    writeFileSync(
      join(folder, "env.d.ts"),
      "interface Env { MCP_SESSION: DurableObjectNamespace; MCP_HUB: DurableObjectNamespace; NOTES_SESSION: DurableObjectNamespace; BOARD: DurableObjectNamespace<import('./own-durable-object/worker.ts').Board>; WEBHOOK_SECRET: string }\n",
    );
    check("worker", "worker/tsconfig.json", ["env.d.ts", "*/worker*.ts"], {});
  });
});
