/**
 * The caller as it crosses to the object: JSON, without its request. `authInfo` is what `authorize` made it, less
 * what JSON has no word for; `authInfo.resource`, which the SDKs type as a URL, arrives as one.
 * @module
 */
import type { Caller } from "../host.ts";
import { isObject } from "../jsonrpc/messages.ts";
import { fits } from "./version.ts";

/** What crosses in a caller's place. */
export type PlainCaller = Omit<Caller, "headers" | "original"> & {
  readonly headers: Readonly<Record<string, string>>;
  /** True where `authInfo.resource` was a URL: a string that looks like one stays a string. */
  readonly isResourceUrl?: true;
};

/** The caller as plain data; its headers are read for it. */
export function plainCaller({ principal, authInfo, topic, url, headers }: Caller): PlainCaller {
  const plain = { principal, authInfo, topic, url, headers: headers() };
  return resourceOf(authInfo) instanceof URL ? { ...plain, isResourceUrl: true } : plain;
}

/** @throws {Unreadable} for a resource that is no URL; the other fields have been checked */
export function callerFrom({ principal, authInfo, topic, url, headers, isResourceUrl }: PlainCaller): Caller {
  const plain = { principal, authInfo, topic, url, headers: () => headers };
  if (isResourceUrl === undefined) return plain;
  const resource = resourceOf(authInfo);
  fits(typeof resource === "string" && URL.canParse(resource), "the caller's resource");
  return { ...plain, authInfo: { ...(authInfo as object), resource: new URL(resource) } };
}

function resourceOf(authInfo: unknown): unknown {
  return isObject(authInfo) ? authInfo["resource"] : undefined;
}
