/**
 * An attach as it crosses to the object: in a header of the upgrade, or sent ahead where it is too long for one.
 * @module
 */
import type { Attach } from "../src/host.ts";
import { decodeAttachBody, encodeAttachBody } from "../src/wire/attach.ts";
import { fits, stamped, Unreadable } from "../src/wire/version.ts";

/** Carries an {@link Attach} on a WebSocket upgrade, which has no body. */
const ATTACH_HEADER = "holdfast-attach";

/** In place of an envelope: it was sent ahead, under this name. */
const PREPARED = "prepared:";

/** Most characters of a header. Platforms bound headers, and none says where between Worker and object. */
const MOST_HEADER = 8192;

/** The upgrade's headers, and what must be sent ahead of it where they cannot hold the envelope. */
export function encodeAttach(attach: Attach): {
  headers: Record<string, string>;
  prepare: string | undefined;
} {
  const envelope = encodeAttachBody(attach);
  const encoded = encodeURIComponent(envelope);
  const fitsHeader = encoded.length <= MOST_HEADER;
  const value = fitsHeader ? encoded : `${PREPARED}${attach.connectionId}`;
  return {
    headers: stamped({ Upgrade: "websocket", [ATTACH_HEADER]: value }),
    prepare: fitsHeader ? undefined : `${attach.connectionId}\n${envelope}`,
  };
}

/** The same for an object that does not know what `prepare` is: all in the header, as in version 0. */
export function encodeAttachWhole(attach: Attach): Record<string, string> {
  return stamped({ Upgrade: "websocket", [ATTACH_HEADER]: encodeURIComponent(encodeAttachBody(attach)) });
}

/** The envelopes that were sent ahead, each until its upgrade takes it. */
export interface Prepared {
  put(body: string): void;
  take(name: string): string | undefined;
}

/** Upgrades follow at once: what is older than this many others was left behind by an edge that died. */
const MOST_PREPARED = 32;

/** Nothing has been sent ahead at first. */
export function createPrepared(): Prepared {
  const envelopes = new Map<string, string>();
  return {
    put(body) {
      const split = body.indexOf("\n");
      fits(split > 0, "what was prepared");
      envelopes.set(body.slice(0, split), body.slice(split + 1));
      if (envelopes.size <= MOST_PREPARED) return;
      for (const oldest of envelopes.keys()) return void envelopes.delete(oldest);
    },
    take(name) {
      const envelope = envelopes.get(name);
      envelopes.delete(name);
      return envelope;
    },
  };
}

/**
 * @returns undefined where the envelope was sent ahead and is not there: the object died in between
 * @throws {Unreadable}
 */
export function decodeAttach({ headers }: Request, prepared: Prepared): Attach | undefined {
  const value = headers.get(ATTACH_HEADER) ?? "";
  const json = value.startsWith(PREPARED) ? prepared.take(value.slice(PREPARED.length)) : decodeUri(value);
  return json === undefined ? undefined : decodeAttachBody(json);
}

function decodeUri(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw new Unreadable("not URI-encoded");
  }
}
