import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as failures from "../../src/jsonrpc/failures.ts";
import type { Failure } from "../../src/jsonrpc/failures.ts";
import type { JsonRpcResponse } from "../../src/jsonrpc/messages.ts";
import { publicSettings, resolveOptions } from "../../src/options.ts";
import { environmentName } from "../../src/variables.ts";
import { HUB_PATHS } from "../../worker/hub-wire.ts";
import { PATHS } from "../../worker/wire.ts";

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

describe("docs/options.md", () => {
  /** What entries hand to a host, and nobody else. */
  const INNER = ["guest"];

  it("lists every option with its default", () => {
    const text = read("docs/options.md");
    for (const [name, value] of Object.entries(publicSettings(resolveOptions()))) {
      expect(text).toMatch(new RegExp(`\\| \`${name}\` +\\| \`?${value}\`? +\\|`));
    }
  });

  it("lists every option that is neither a number nor a choice", () => {
    const text = read("docs/options.md");
    const source = read("src/options.ts");
    const start = source.indexOf("export interface HoldfastOptions");
    const names = [...source.slice(start, source.indexOf("\n}", start)).matchAll(/^ {2}(\w+)\?:/gm)];
    expect(names.length).toBeGreaterThan(5);
    for (const [, name = ""] of names) expect(text).toMatch(new RegExp(`^\\| \`${name}\` +\\|`, "m"));
  });

  it("names all that a server is made of", () => {
    const text = read("docs/options.md");
    const interfaces = [
      ["src/router.ts", "RouterOptions<"],
      ["worker/cloudflare.ts", "McpWorkerOptions<"],
      ["src/local/host.ts", "LocalHostOptions<"],
      ["src/cluster/host.ts", "ClusterHostOptions<"],
      ["src/cluster/index.ts", "ClusterMcpOptions<"],
    ] as const;
    for (const [file, name] of interfaces) {
      const source = read(file);
      const start = source.indexOf(`export interface ${name}`);
      const fields = [...source.slice(start, source.indexOf("\n}", start)).matchAll(/^ {2}(\w+)\??:/gm)];
      expect(fields.length, file).toBeGreaterThan(0);
      for (const [, field = ""] of fields)
        if (!INNER.includes(field))
          expect(text, `${file}: ${field}`).toMatch(new RegExp(`^\\| [^|]*\`${field}\``, "m"));
    }
  });

  it("names the variables as they are read", () => {
    const text = read("docs/options.md");
    for (const name of ["allowedOrigins", "allowedHosts", "basePath", "publicUrl"])
      expect(text).toContain(environmentName(name));
  });
});

describe("docs/events.md", () => {
  const source = read("src/events.ts").replaceAll(/\/\*\*.*?\*\//gs, "");
  const [block = "", rest = ""] = source.split("interface EventFields {")[1]?.split("\n}\n\n") ?? [];
  const levels = source.split("const LEVELS")[1]?.split("\n};")[0] ?? "";

  /** The fields of an interface of the file, those that it extends first. */
  const fieldsOf = (name: string): string[] => {
    const [, parent, body = ""] =
      new RegExp(`export interface ${name}(?: extends (\\w+))? {(.*?)\\n}`, "s").exec(source) ?? [];
    const own = [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, field = ""]) => field);
    return [...(parent === undefined ? [] : fieldsOf(parent)), ...own];
  };
  const events = [...block.matchAll(/^ {2}"?([a-z_.]+)"?: (?:{([^}]*)}|(\w+));/gm)].map(
    ([, name = "", inline, type]) => ({
      name,
      fields:
        type === undefined
          ? [...(inline ?? "").matchAll(/(\w+)\??:/g)].map(([, field = ""]) => field)
          : fieldsOf(type),
    }),
  );
  const level = new Map(
    [...levels.matchAll(/^ {2}"?([a-z_.]+)"?: "(\w+)",$/gm)].map(([, ...pair]) => pair as [string, string]),
  );

  it("lists every event with its level and its fields, and no other", () => {
    expect(rest).not.toBe("");
    expect(events.length).toBeGreaterThan(45);
    expect([...level.keys()].filter((name) => !events.some((event) => event.name === name))).toEqual([]);
    const rows = [...read("docs/events.md").matchAll(/^\| `([a-z_.]+)` +\| (\w+) +\| ([^|]+) \|/gm)];
    const listed = rows.map(([, name, of, fields = ""]) => ({
      name,
      level: of,
      fields: fields.replaceAll("`", "").trim().split(", ").toSorted(),
    }));
    const expected = events.map(({ name, fields }) => ({
      name,
      level: level.get(name) ?? "info",
      fields: fields.toSorted(),
    }));
    const byName = (a: { name?: string }, b: { name?: string }): number =>
      String(a.name).localeCompare(String(b.name));
    expect(listed.toSorted(byName)).toEqual(expected.toSorted(byName));
  });
});

describe("docs/errors.md", () => {
  /** What is no failure of its own: numbers, what wraps another, what writes one down. */
  const TOOLS = ["METHOD_NOT_FOUND", "SESSION_ENDED", "inBatch", "errorBody", "notNowBody"];
  /** A task's are answers of the SDK's, whatever the status. */
  const IN_BAND = ["tooManyTasks", "noTaskMore", "taskUnreachable"];
  const text = read("docs/errors.md");
  const made = Object.entries(failures)
    .filter(([name]) => !TOOLS.includes(name))
    .map(([name, value]) => {
      const make = value as (...args: readonly unknown[]) => Failure | JsonRpcResponse;
      return { name, value: typeof value === "function" ? make("x", ["y"]) : (value as Failure) };
    });
  const cells = (heading: string): string[][] => {
    const [, table = ""] = text.split(heading);
    const rows = (table.trim().split("\n\n")[0] ?? "").split("\n");
    return rows.slice(2).map((row) => row.split("|").map((cell) => cell.trim()));
  };

  it("has a line for every failure, with its status, its headers and its code", () => {
    const listed = cells("| Name").flatMap(([, , http = "", rpc = "", names = ""]) =>
      Array.from(names.matchAll(/`(\w+)`/g), ([, name = ""]) => ({
        name,
        status: Number(http.split(",")[0]),
        headers: Array.from(http.matchAll(/`([\w-]+)`/g), ([, header = ""]) => header),
        code: /^-\d+/.exec(rpc)?.[0],
      })),
    );
    const known = made.flatMap(({ name, value }) => ("status" in value ? [[name, value] as const] : []));
    expect(known.length).toBeGreaterThan(45);
    expect([...new Set(listed.map(({ name }) => name))].toSorted()).toEqual(
      known.map(([name]) => name).toSorted(),
    );
    const byName = new Map<string, Failure>(known);
    for (const { name, ...said } of listed) {
      const { status, headers = {}, error } = byName.get(name) ?? failures.internalError;
      const isInBand = IN_BAND.includes(name);
      expect({ name, ...said }).toEqual({
        name,
        status: isInBand ? 200 : status,
        headers: isInBand ? [] : Object.keys(headers),
        code: status === 204 ? undefined : String(error.code),
      });
    }
  });

  it("has every reason of an error that answers a call, with its code", () => {
    const listed = cells("| Meaning").map(([, code, reason]) => `${code} ${reason}`);
    const known = made.flatMap(({ value }) => {
      if ("status" in value) return [];
      const { code, data } = value.error ?? {};
      const { reason } = (data ?? {}) as { reason?: string };
      return reason === undefined ? [] : [`${code} \`${reason}\``];
    });
    expect(known.length).toBeGreaterThan(7);
    expect(listed.toSorted()).toEqual(known.toSorted());
  });
});

describe("docs/architecture.md", () => {
  const root = new URL("../../", import.meta.url);
  const text = read("docs/architecture.md");
  const files = execFileSync(
    "git",
    ["ls-files", "--cached", "--others", "--exclude-standard", "src", "worker"],
    {
      cwd: root,
      encoding: "utf8",
    },
  )
    .split("\n")
    // One that was moved is listed until that is committed.
    .filter((file) => file !== "" && existsSync(new URL(file, root)));

  it("has one line for every file", () => {
    const lines = [...text.matchAll(/^- `([^`]+)`: \S/gm)].map(([, name = ""]) => name);
    expect(files.length).toBeGreaterThan(150);
    expect(lines.toSorted()).toEqual(files.toSorted());
  });

  it("names no file that is not there", () => {
    const named = [...text.matchAll(/`([\w./-]+\.(?:ts|json))`/g)].map(([, name = ""]) => name);
    expect(named.length).toBeGreaterThan(files.length);
    const missing = named.filter((name) => !files.some((file) => file === name || file.endsWith(`/${name}`)));
    expect(missing).toEqual([]);
  });

  it("explains each word once, in order", () => {
    const [, glossary = ""] = text.split("\n## Words\n");
    const words = [...(glossary.split("\n## ")[0] ?? "").matchAll(/^\| ([a-z][a-z ]+?) +\| \S/gm)].map(
      ([, w]) => w,
    );
    expect(words.length).toBeGreaterThan(30);
    expect(words).toEqual([...new Set(words)].toSorted());
  });
});

describe("what crosses between edge and object", () => {
  it.each([
    ["worker/wire.ts", PATHS],
    ["worker/hub-wire.ts", HUB_PATHS],
  ])("is in the table of %s, every call of it", (file, paths) => {
    const [table = ""] = read(file).split(" * @module");
    const rows = [...table.matchAll(/^ \* \| `(\w+)` /gm)].map(([, name]) => name);
    expect([...new Set(rows)].toSorted()).toEqual(Object.keys(paths).toSorted());
  });
});

describe("docstrings", () => {
  const root = new URL("../../", import.meta.url);
  const files = execFileSync(
    "git",
    ["ls-files", "src/**/*.ts", "src/*.ts", "worker/**/*.ts", "worker/*.ts"],
    {
      cwd: root,
      encoding: "utf8",
    },
  )
    .split("\n")
    .filter((file) => file !== "" && existsSync(new URL(file, root)));
  const DECLARATION =
    /^export (?:default )?(?:declare )?(?:abstract )?(?:async )?(?:function\*?|const|let|class|interface|type|enum) (\w+)/;

  /** Each declaration that is exported, with the line above it. */
  const exported = files.flatMap((file) => {
    const lines = read(file).split("\n");
    return lines.flatMap((line, at) => {
      const [, name] = DECLARATION.exec(line) ?? [];
      return name === undefined ? [] : [{ file, name, above: lines[at - 1] ?? "" }];
    });
  });

  it("say of every exported name what it is", () => {
    expect(exported.length).toBeGreaterThan(500);
    // Overloads of one function have one docstring, before the first.
    const bare = exported.filter(
      ({ name, above }) => !above.endsWith("*/") && DECLARATION.exec(above)?.[1] !== name,
    );
    expect(bare.map(({ file, name }) => `${file}: ${name}`)).toEqual([]);
  });

  it("say of every file what it is for", () => {
    const silent = files.filter((file) => !/^(?:#!.*\n)?\/\*\*[\s\S]*?@module/.test(read(file)));
    expect(silent).toEqual([]);
  });
});
