/**
 * The issuer's documents (its metadata, its keys), kept for a while.
 *
 * Strangers decide when they are asked for, so what is fetched is bounded by time alone: one fetch in
 * {@link PAUSE_MS}, whatever comes in, and however many come while it is under way. Only results are shared between
 * requests, never the fetch itself: on Workers a request that waits for another one's I/O hangs, and a fetch ends with
 * the request that began it. So who has nothing to go by looks for a result every now and then.
 * @module
 */

/** The issuer could not be reached, or answered what makes no sense. */
export class IssuerUnavailable extends Error {
  override readonly name = "IssuerUnavailable";
}

/** One of the issuer's documents, kept. Both methods reject with {@link IssuerUnavailable} where it cannot be had. */
export interface Document<T> {
  /** The document, at most ten minutes old; an older one, up to a day, while a newer one is on its way or cannot be had. */
  current(): Promise<T>;
  /** The same, for who missed something in it: fetched anew, unless that has just been done. */
  renewed(): Promise<T>;
}

const FRESH_MS = 600_000;
const STALE_MS = 86_400_000;
const PAUSE_MS = 10_000;
const TIMEOUT_MS = 5000;
/** How often those who wait look for what another request's fetch has brought. */
const LOOK_MS = 20;

/** @param load rejects where the document cannot be had */
export function createDocument<T>(load: () => Promise<T>, now: () => number = () => Date.now()): Document<T> {
  let held: { readonly value: T; readonly at: number } | undefined;
  let failed: { readonly error: unknown; readonly at: number } | undefined;

  /** When the fetch that is under way began. */
  let begun: number | undefined;

  /** One that takes longer than this is taken for dead, with the request that it belonged to. */
  const isUnderWay = (): boolean => begun !== undefined && now() - begun < TIMEOUT_MS;

  const fetched = async (): Promise<T> => {
    const before = held;
    for (;;) {
      if (failed !== undefined && now() - failed.at < PAUSE_MS) throw failed.error;
      if (held !== undefined && held !== before) return held.value;
      if (!isUnderWay()) break;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    const at = (begun = now());
    try {
      const value = await load();
      held = { value, at };
      failed = undefined;
      return value;
    } catch (error) {
      failed = { error, at };
      throw error;
    } finally {
      if (begun === at) begun = undefined;
    }
  };

  return {
    async current() {
      const ageMs = held === undefined ? Infinity : now() - held.at;
      if (held !== undefined && (ageMs < FRESH_MS || (ageMs < STALE_MS && isUnderWay()))) return held.value;
      try {
        return await fetched();
      } catch (error) {
        if (held !== undefined && now() - held.at < STALE_MS) return held.value;
        throw error;
      }
    },
    async renewed() {
      return held !== undefined && now() - held.at < PAUSE_MS ? held.value : fetched();
    },
  };
}

/** Fetches a JSON object. @throws {IssuerUnavailable} where there is none */
export async function fetchJson(
  url: string,
  fetcher: typeof fetch,
  init: RequestInit = {},
): Promise<Readonly<Record<string, unknown>>> {
  let body: unknown;
  let status: number | undefined;
  try {
    const response = await fetcher(url, {
      ...init,
      headers: { Accept: "application/json", ...init.headers },
      // Not followed: what is trusted is this URL.
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    status = response.status;
    if (status === 200) body = await response.json();
    else await response.body?.cancel();
  } catch (error) {
    throw new IssuerUnavailable(`${url} could not be read`, { cause: error });
  }
  if (status !== 200) throw new IssuerUnavailable(`${url} answered ${status}`);
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new IssuerUnavailable(`${url} holds no JSON object`);
  }
  return body as Record<string, unknown>;
}

/** Looked up where it is called, and called as a plain function: Workers refuse a `fetch` with a `this` of its own. */
export const globalFetch: typeof fetch = (...args) => fetch(...args);
