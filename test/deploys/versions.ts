/**
 * The versions that a deploy has: the previous one, as git has it; the tree; and later ones, which are the tree
 * with a number raised.
 * @module
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { WORKER_TEXT } from "../support/worker-bundle.ts";

/** The folder of this version's sources. */
const TREE: string = new URL("../..", import.meta.url).pathname;

/** The commit that `previous` names: the release, or what stood for one, that deployments come from. */
export const PREVIOUS: string = readFileSync(new URL("previous", import.meta.url), "utf8").trim();

/** The same for several processes: the first that they came with, until {@link PREVIOUS} is one that has them. */
export const PREVIOUS_CLUSTER: string = readFileSync(
  new URL("previous-cluster", import.meta.url),
  "utf8",
).trim();

/** All that the test servers are made of. */
const PARTS = ["src", "worker", "test/support", "test/worker", "examples", "package.json"];

/**
 * The folder of the previous version's sources, taken out of git where it is not there yet. It stands within
 * the tree, so that packages are found.
 * @throws where this clone does not have the commit
 */
export function previousSource(commit: string = PREVIOUS): string {
  const folder = join(TREE, ".previous", commit);
  if (existsSync(folder)) return folder;
  let archive: Buffer;
  try {
    archive = execFileSync("git", ["archive", commit, ...PARTS], {
      cwd: TREE,
      maxBuffer: 2 ** 28,
      stdio: ["ignore", "pipe", "pipe"],
    });
  } catch (error) {
    throw new Error(
      `These tests deploy over the previous version, commit ${commit} (test/deploys/previous), which this clone does not have. Fetch it with \`git fetch --depth=1 origin ${commit}\`, or all of history with \`git fetch --unshallow\`.`,
      { cause: error },
    );
  }
  // Whole or not at all: another test may take it out at the same time.
  mkdirSync(join(TREE, ".previous"), { recursive: true });
  const made = mkdtempSync(join(TREE, ".previous", "making-"));
  try {
    execFileSync("tar", ["-x", "-C", made], { input: archive });
    renameSync(made, folder);
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/** Numbers of the tree's that a later version has raised. */
export interface Raised {
  /** The wire's version. */
  readonly wire?: number;
  /** The schema's. Migration to it does nothing but say so. */
  readonly schema?: number;
}

/** A number as it stands in the tree. */
export function numberIn(file: string, name: string, root: string = TREE): number {
  const here = join(root, file);
  const path = existsSync(here) ? here : join(root, FORMERLY[file] ?? file);
  const found = declarationOf(name).exec(readFileSync(path, "utf8"));
  if (found === null) throw new Error(`${file} declares no ${name}`);
  return Number(found[2]);
}

const declarationOf = (name: string): RegExp => new RegExp(`(export const ${name}(?:: number)? = )(\\d+)(;)`);

export const WIRE_FILE = "src/wire/version.ts";
export const SCHEMA_FILE = "src/session/store/schema.ts";

/** Where earlier versions have a file that has moved since. */
const FORMERLY: Readonly<Record<string, string>> = {
  [SCHEMA_FILE]: "src/session/schema.ts",
  [WIRE_FILE]: "worker/wire-version.ts",
};

/** Replaces the numbers where they are declared; fails where they are not. */
function raise({ wire, schema }: Raised): Plugin {
  const changes = [
    [WIRE_FILE, "WIRE", wire],
    [SCHEMA_FILE, "SCHEMA_VERSION", schema],
  ] as const;
  return {
    name: "raise",
    setup({ onLoad }) {
      for (const [file, name, to] of changes) {
        if (to === undefined) continue;
        onLoad({ filter: new RegExp(`${file.replaceAll(".", "\\.")}$`) }, ({ path }) => {
          const text = readFileSync(path, "utf8");
          const contents = text.replace(declarationOf(name), `$1${to}$3`);
          if (contents === text) throw new Error(`${file} declares no ${name}`);
          return { contents, loader: "ts" };
        });
      }
    },
  };
}

/**
 * The Worker of a version, with a switch in front of its objects: `/__deploy?session=&objects=` says of which
 * version a session's object is from now on, or `moving` for one that is just being replaced; requests to
 * it wait meanwhile. What is not told of has its object in the version that the binding `OBJECTS` names.
 */
const SWITCHED = `
import worker from "./test/worker/index.ts";
export { McpHub, McpSession } from "./test/worker/index.ts";

const told = new Map();

function switched(env) {
  const any = env.MCP_SESSION;
  const stub = async (id) => {
    for (;;) {
      const version = told.get(id) ?? env.OBJECTS;
      if (version !== "moving") return [env[version].get(env[version].idFromString(id))];
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  return {
    idFromString: (id) => any.idFromString(id),
    newUniqueId: () => any.newUniqueId(),
    get: (id) => ({
      // In an array: a promise would ask a stub whether it is a promise too.
      fetch: async (...args) => (await stub(String(id)))[0].fetch(...args),
      post: async (...args) => (await stub(String(id)))[0].post(...args),
    }),
  };
}

export default {
  async fetch(request, env, context) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== "/__deploy") {
      return worker.fetch(request, { ...env, MCP_SESSION: switched(env) }, context);
    }
    const session = searchParams.get("session");
    const ended = searchParams.get("ended");
    if (ended !== null) {
      await env[ended].get(env[ended].idFromString(session)).fetch("https://test/abort").catch(() => {});
    } else told.set(session, searchParams.get("objects"));
    return new Response(null, { status: 204 });
  },
};
`;

/** Users deploy their server, whatever the version below it is: it is the tree's in all of them. */
const sameServer: Plugin = {
  name: "same-server",
  setup({ onResolve }) {
    onResolve({ filter: /\/support\/test-server\.ts$/ }, () => ({
      path: join(TREE, "test/support/test-server.ts"),
    }));
  },
};

const bundles = new Map<string, Promise<string>>();

/** Bundles the test Worker of a version, once. */
export function bundleVersion(root: string, raised: Raised = {}): Promise<string> {
  const key = JSON.stringify([root, raised]);
  let bundled = bundles.get(key);
  if (bundled === undefined) {
    bundled = build({
      stdin: { contents: SWITCHED, resolveDir: root, loader: "js" },
      ...WORKER_TEXT,
      plugins: [sameServer, raise(raised)],
    }).then(({ outputFiles }) => outputFiles[0]?.text ?? "");
    bundles.set(key, bundled);
  }
  return bundled;
}

export const TREE_SOURCE: string = TREE;
