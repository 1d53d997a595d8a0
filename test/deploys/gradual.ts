/**
 * A gradual deployment on workerd: each version is a service of its own, with edges and a class for each
 * kind of object, and all classes of a kind share their ids and their storage. Which version a session's object is
 * of is the deployment's choice, as on the platform; it can change under traffic.
 * @module
 */
import { freePorts, runWorkerd, type Workerd } from "../support/workerd.ts";
import { bundleVersion, previousSource, type Raised, TREE_SOURCE } from "./versions.ts";

/** The previous release, this tree, and a release after it. */
export type Version = "old" | "new" | "later";

export interface Gradual {
  readonly server: Workerd;
  /** Where the edges of a version are. */
  edge(version: Version): string;
  /** Replaces the session's object by one of another version: what it has in hand dies, as on the platform. */
  move(session: string, to: Version): Promise<void>;
  /** Kills the whole process, and starts it with all objects of this version. */
  restart(objects: Version): Promise<void>;
}

export interface GradualOptions {
  readonly versions: readonly [Version, Version];
  /** Of which version objects are that nobody has moved. */
  readonly objects: Version;
  /** Of which version the hub is; that of the objects by default. */
  readonly hub?: Version;
  /** What `later` has raised. */
  readonly raised?: Raised;
  readonly vars?: Readonly<Record<string, string>>;
}

function codeOf(version: Version, raised: Raised): Promise<string> {
  if (version === "old") return bundleVersion(previousSource());
  return bundleVersion(TREE_SOURCE, version === "later" ? raised : {});
}

export async function startGradual({
  versions,
  hub,
  raised = {},
  vars = {},
  ...options
}: GradualOptions): Promise<Gradual> {
  let { objects } = options;
  const files: Record<string, string> = {};
  for (const version of versions) files[`${version}.js`] = await codeOf(version, raised);
  const ports = await freePorts(versions.length);
  const quoted = (value: string): string => JSON.stringify(value);
  const bindings = (): string =>
    [
      ...Object.entries({ ...vars, OBJECTS: objects }).map(
        ([name, value]) => `(name = ${quoted(name)}, text = ${quoted(value)})`,
      ),
      ...[
        ["MCP_SESSION", "McpSession", objects],
        ["MCP_HUB", "McpHub", hub ?? objects],
        ...versions.map((version) => [version, "McpSession", version]),
      ].map(
        ([name, of, version]) =>
          `(name = "${name}", durableObjectNamespace = (className = "${of}", serviceName = "${version}"))`,
      ),
    ].join(", ");
  const config = (storage: string): string => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    ${versions.map((version) => `(name = "${version}", worker = .${version}Worker),`).join("\n    ")}
    (name = "storage", disk = (path = ${quoted(storage)}, writable = true)),
  ],
  sockets = [
    ${versions
      .map(
        (version, n) =>
          `(name = "${version}", address = "127.0.0.1:${ports[n]}", http = (), service = "${version}"),`,
      )
      .join("\n    ")}
  ],
);
${versions
  .map(
    (version) => `const ${version}Worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "${version}.js")],
  compatibilityDate = "2026-08-01",
  compatibilityFlags = ["enable_request_signal"],
  durableObjectNamespaces = [
    (className = "McpSession", uniqueKey = "holdfast", enableSql = true),
    (className = "McpHub", uniqueKey = "holdfast-hub", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "storage"),
  bindings = [${bindings()}],
);`,
  )
  .join("\n")}
`;
  const server = await runWorkerd({ config, files, ports });
  /** Where objects are that were moved. */
  const moved = new Map<string, Version>();
  /** Moves of a session, one after another: two at once would leave two objects on one storage. */
  const moving = new Map<string, Promise<void>>();
  const urlOf = (version: Version): string => server.urls[versions.indexOf(version)] ?? "";

  const tell = async (query: string, urls: readonly string[]): Promise<void> => {
    await Promise.all(
      urls.map(async (url) => {
        const answer = await fetch(`${url}/__deploy?${query}`);
        if (answer.status !== 204) throw new Error(`${query}: ${answer.status}`);
      }),
    );
  };

  const replace = async (session: string, to: Version): Promise<void> => {
    const from = moved.get(session) ?? objects;
    // No edge reaches the session from before the old object's end until after it.
    await tell(`session=${session}&objects=moving`, server.urls);
    await tell(`session=${session}&ended=${from}`, [urlOf(to)]);
    moved.set(session, to);
    await tell(`session=${session}&objects=${to}`, server.urls);
  };

  return {
    server,
    edge: urlOf,
    move(session, to) {
      const next = (moving.get(session) ?? Promise.resolve()).then(() => replace(session, to));
      moving.set(
        session,
        next.catch(() => {}),
      );
      return next;
    },
    async restart(to) {
      await server.kill();
      moved.clear();
      objects = to;
      await server.restart();
    },
  };
}
