/**
 * Counts what a Durable Object costs, around a class of anyone's: runs of its constructor, its alarms, its
 * messages, its requests, rows written. The Worker and its objects share an isolate here, so
 * `/__bench/counters` reads them without a word to any object.
 * @module
 */
import type { Counters } from "../lib/counters.ts";

const counters: Counters = {
  constructed: 0,
  fetches: 0,
  methodCalls: 0,
  alarms: 0,
  socketMessages: 0,
  rowsWritten: 0,
  alarmsSet: 0,
  keyValueWrites: 0,
};

type Cursor = SqlStorageCursor<Record<string, SqlStorageValue>>;
/** A cursor knows what it has written once it has been read, which is so by the next statement. */
let latest: Cursor | undefined;

function settleRows(): void {
  counters.rowsWritten += latest?.rowsWritten ?? 0;
  latest = undefined;
}

function countWrites(storage: DurableObjectStorage): void {
  const sql = Object.getPrototypeOf(storage.sql) as SqlStorage & { isCounted?: boolean };
  if (sql.isCounted) return;
  sql.isCounted = true;
  const { exec } = sql;
  sql.exec = function counted(this: SqlStorage, ...args: Parameters<typeof exec>) {
    settleRows();
    const cursor = exec.apply(this, args);
    latest = cursor;
    return cursor;
  } as typeof exec;
  const proto = Object.getPrototypeOf(storage) as DurableObjectStorage;
  const { setAlarm, put, delete: remove } = proto;
  proto.setAlarm = function counted(this: DurableObjectStorage, ...args: Parameters<typeof setAlarm>) {
    counters.alarmsSet += 1;
    return setAlarm.apply(this, args);
  };
  proto.put = function counted(this: DurableObjectStorage, ...args: unknown[]) {
    counters.keyValueWrites +=
      typeof args[0] === "object" && args[0] !== null ? Object.keys(args[0]).length : 1;
    return Reflect.apply(put, this, args) as Promise<void>;
  } as typeof put;
  proto.delete = function counted(this: DurableObjectStorage, ...args: unknown[]) {
    counters.keyValueWrites += Array.isArray(args[0]) ? args[0].length : 1;
    return Reflect.apply(remove, this, args) as Promise<never>;
  } as typeof remove;
}

/** The methods that the runtime calls, and the one that Holdfast's edge calls. */
export interface ObjectClass {
  fetch?(request: Request): Response | Promise<Response>;
  post?(message: string): Promise<string | Response>;
  alarm?(info?: AlarmInvocationInfo): void | Promise<void>;
  webSocketMessage?(socket: WebSocket, message: string | ArrayBuffer): void | Promise<void>;
}

/** The class, counted. `/abort` makes an object of it die. */
export function watched<Env, Instance extends ObjectClass>(
  Base: new (ctx: DurableObjectState, env: Env) => Instance,
): new (ctx: DurableObjectState, env: Env) => Instance {
  const Parent = Base as unknown as new (ctx: DurableObjectState, env: Env) => ObjectClass;
  class Watched extends Parent {
    readonly #ctx: DurableObjectState;

    constructor(ctx: DurableObjectState, env: Env) {
      counters.constructed += 1;
      countWrites(ctx.storage);
      super(ctx, env);
      this.#ctx = ctx;
    }

    override async fetch(request: Request): Promise<Response> {
      if (request.url.startsWith("https://bench/abort")) {
        this.#ctx.abort("bench");
        return new Response(null);
      }
      counters.fetches += 1;
      return (await super.fetch?.(request)) ?? new Response(null, { status: 404 });
    }

    override post(message: string): Promise<string | Response> {
      counters.fetches += 1;
      return super.post?.(message) ?? Promise.resolve(new Response(null, { status: 404 }));
    }

    override alarm(info?: AlarmInvocationInfo): void | Promise<void> {
      counters.alarms += 1;
      return super.alarm?.(info);
    }

    override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void | Promise<void> {
      counters.socketMessages += 1;
      return super.webSocketMessage?.(socket, message);
    }
  }
  return Watched as unknown as new (ctx: DurableObjectState, env: Env) => Instance;
}

/** `/__bench/counters`, `/__bench/gc`, `/__bench/abort?session=`; undefined for any other request. */
export function answerBench(
  request: Request,
  namespace: DurableObjectNamespace,
  idOf: (session: string) => DurableObjectId = (session) => namespace.idFromString(session),
): Response | Promise<Response> | undefined {
  if (!request.url.includes("/__bench/")) return undefined;
  const { pathname, searchParams } = new URL(request.url);
  if (pathname === "/__bench/counters") {
    settleRows();
    return Response.json(counters);
  }
  if (pathname === "/__bench/gc") {
    const { gc } = globalThis as { gc?: () => void };
    gc?.();
    return new Response(null, { status: gc === undefined ? 501 : 204 });
  }
  const object = namespace.get(idOf(searchParams.get("session") ?? ""));
  return object.fetch("https://bench/abort").catch(() => new Response(null));
}

/** The namespace, with the calls of its objects' methods counted. Slower: not for measuring time. */
export function countedNamespace(namespace: DurableObjectNamespace): DurableObjectNamespace {
  return new Proxy(namespace, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      if (name !== "get" && name !== "getByName") return value.bind(target) as unknown;
      return (...args: unknown[]) => countedStub(Reflect.apply(value, target, args) as object);
    },
  });
}

function countedStub(stub: object): object {
  return new Proxy(stub, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function" || typeof name === "symbol") return value;
      if (name === "fetch") return value.bind(target) as unknown;
      return (...args: unknown[]) => {
        counters.methodCalls += 1;
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
}
