/**
 * The caller as it crosses to the object: JSON, without its request. `authInfo` is what `authorize` made it, less
 * what JSON has no word for; `authInfo.resource`, which the SDKs type as a URL, arrives as one.
 * @module
 */
import type { Caller } from "../src/host.ts";
import { isObject } from "../src/jsonrpc/messages.ts";

/** What crosses in a caller's place. */
export type PlainCaller = Omit<Caller, "headers" | "original"> & {
  readonly headers: Readonly<Record<string, string>>;
  /** True where `authInfo.resource` was a URL: a string that looks like one stays a string. */
  readonly isResourceUrl?: true;
};

export function plainCaller({ principal, authInfo, topic, url, headers }: Caller): PlainCaller {
  const plain = { principal, authInfo, topic, url, headers: headers() };
  return resourceOf(authInfo) instanceof URL ? { ...plain, isResourceUrl: true } : plain;
}

export function callerFrom({ principal, authInfo, topic, url, headers, isResourceUrl }: PlainCaller): Caller {
  const resource = isResourceUrl === true ? resourceOf(authInfo) : undefined;
  return {
    principal,
    authInfo:
      typeof resource === "string" ? { ...(authInfo as object), resource: new URL(resource) } : authInfo,
    topic,
    url,
    headers: () => headers,
  };
}

function resourceOf(authInfo: unknown): unknown {
  return isObject(authInfo) ? authInfo["resource"] : undefined;
}
