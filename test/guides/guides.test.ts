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
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { afterAll, describe, expect, test } from "vitest";
import { BIN } from "../support/process.ts";
import { bundleWorker, freePort } from "../support/workerd.ts";

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
  .filter((file) => file.endsWith(".md") && file !== "README.md")
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

test("the list of guides names each, and each once", () => {
  const list = readFileSync(join(GUIDES, "README.md"), "utf8");
  const named = Array.from(list.matchAll(/\]\(([\w-]+)\.md\)/g), ([, name = ""]) => name);
  expect(named.toSorted()).toEqual(guides.map(({ name }) => name).toSorted());
});

test("links lead somewhere", () => {
  const broken = guides.flatMap(({ name, text }) =>
    Array.from(text.matchAll(/\]\((?!https?:)([^)#]+)/g), ([, link = ""]) => link)
      .filter((link) => !existsSync(join(GUIDES, link)))
      .map((link) => `${name}: ${link}`),
  );
  expect(broken).toEqual([]);
});

describe.each(guides.map((guide) => [guide.name, guide] as const))("%s", async (name, { text, files }) => {
  for (const file of files.keys()) {
    // Its `test` calls are tests of this file.
    if (file.endsWith(".test.ts")) await import(join(folder, name, file));
  }

  test.runIf([...files.keys()].some(isWorker))("is a Worker that serves its tools", async () => {
    // Where that guide says that clients connect.
    const paths = [...new Set(Array.from(text.matchAll(/`(\/[\w/]+\/mcp)`/g), ([, path = ""]) => path))];
    const config = JSON.parse((files.get("wrangler.jsonc") ?? "").replaceAll(/,(?=\s*[\]}])/g, "")) as {
      main: string;
      compatibility_date: string;
      durable_objects: { bindings: { name: string; class_name: string }[] };
      migrations: { new_sqlite_classes?: string[]; deleted_classes?: string[] }[];
    };
    // What a migration has made and none has deleted must be exported, or wrangler does not start it, bound or not.
    const living = new Set(config.migrations.flatMap((one) => one.new_sqlite_classes ?? []));
    for (const gone of config.migrations.flatMap((one) => one.deleted_classes ?? [])) living.delete(gone);
    const script = await bundleWorker(join(folder, name, config.main));
    const exported = [...script.matchAll(/\bexport\s*\{([^}]*)\}/g)].at(-1)?.[1]?.split(/[\s,]+/);
    expect(exported).toEqual(expect.arrayContaining([...living]));
    for (const { class_name } of config.durable_objects.bindings) expect([...living]).toContain(class_name);
    const port = await freePort();
    const running = new Miniflare(
      convertV4MiniflareOptions({
        port,
        host: "127.0.0.1",
        modules: true,
        script,
        compatibilityDate: config.compatibility_date,
        durableObjects: Object.fromEntries(
          config.durable_objects.bindings.map((at) => [
            at.name,
            { className: at.class_name, useSQLite: true },
          ]),
        ),
      }),
    );
    try {
      await running.ready;
      for (const path of name === "several-servers" ? paths : ["/mcp"]) {
        const client = new Client({ name: "guides", version: "1" });
        await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}${path}`)));
        const { tools } = await client.listTools();
        expect(tools.length).toBe(1);
        const [tool] = tools;
        const given = Object.keys(tool?.inputSchema.properties ?? {}).map((key) => [
          key,
          key === "a" ? 1 : "tea",
        ]);
        const called = await client.callTool({
          name: tool?.name ?? "",
          arguments: Object.fromEntries(given),
        });
        expect(called.isError).not.toBe(true);
        await client.close();
      }
    } finally {
      await running.dispose();
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
