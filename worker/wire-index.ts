/**
 * The wire to the indexes of sessions, and to the directory of those indexes (`session-index.ts`): what crosses.
 * @module
 */
import { isObject } from "../src/jsonrpc/messages.ts";
import type { SessionSummary } from "../src/sessions.ts";
import { fits, parseJson } from "../src/wire/version.ts";

/** What an index keeps of a session: what is known of it as it begins, and does not change. */
export type Noted = Omit<SessionSummary, "status" | "lastUsed">;

/** An index among others: its name, and whose sessions it has; null where they are nobody's. */
export interface Place {
  readonly name: string;
  readonly principal: string | null;
}

/** A session for its index, which enters itself in the directory under `place`. */
export interface Note {
  readonly place: Place;
  readonly noted: Noted;
}

/** A place for the directory: to be entered, or to be struck off. */
export interface Entry {
  readonly place: Place;
  readonly isHeld: boolean;
}

/** Asks for a page. Names are in order. */
export interface PageRequest {
  /** Sessions of an index, or places of the directory. */
  readonly of: "session" | "place";
  /** Begin behind this name, or with it. */
  readonly after?: string | undefined;
  readonly from?: string | undefined;
  readonly limit: number;
  /** The place under which the directory knows the index: where that is empty, it is struck off. */
  readonly listedAs?: string | undefined;
}

const NAME = /^[0-9a-f]{64}$/;

/** True for what is the name of an index, or the id of a session. */
export const isName = (value: unknown): value is string => typeof value === "string" && NAME.test(value);

function fitsPlace(value: unknown): asserts value is Place {
  fits(isObject(value) && isName(value["name"]), "the place");
  const { principal } = value;
  fits(principal === null || typeof principal === "string", "the place's principal");
}

function isNoted(value: unknown): value is Noted {
  if (!isObject(value) || !isName(value["id"])) return false;
  const { principal, transport, version, client, created } = value;
  const isClient = client === undefined || (isObject(client) && typeof client["name"] === "string");
  return (
    (principal === undefined || typeof principal === "string") &&
    (transport === "streamable" || transport === "http+sse") &&
    typeof version === "string" &&
    typeof created === "number" &&
    isClient
  );
}

/** @throws {Unreadable} */
export async function decodeNote(request: Request): Promise<Note> {
  const note = parseJson(await request.text());
  fits(isObject(note), "the note");
  const { place, noted } = note;
  fitsPlace(place);
  fits(isNoted(noted), "what is noted");
  return { place, noted };
}

/** @throws {Unreadable} */
export async function decodeEntry(request: Request): Promise<Entry> {
  const entry = parseJson(await request.text());
  fits(isObject(entry), "the entry");
  const { place, isHeld } = entry;
  fitsPlace(place);
  fits(typeof isHeld === "boolean", "the entry");
  return { place, isHeld };
}

/** @throws {Unreadable} */
export async function decodePageRequest(request: Request): Promise<PageRequest> {
  const page = parseJson(await request.text());
  fits(isObject(page), "the page");
  const { of, after, from, limit, listedAs } = page;
  fits(of === "session" || of === "place", "the page");
  for (const name of [after, from, listedAs]) fits(name === undefined || isName(name), "the page's place");
  fits(Number.isInteger(limit) && Number(limit) > 0, "the page's limit");
  return page as unknown as PageRequest;
}

/**
 * The sessions of a page, and the last name in it; undefined where it is empty. What an earlier version noted says
 * nothing of its session, and is passed over.
 * @throws {Unreadable}
 */
export async function decodeSessions(
  response: Response,
): Promise<{ noted: Noted[]; count: number; last: string | undefined }> {
  const entries = parseJson(await response.text());
  fits(Array.isArray(entries), "the page");
  for (const entry of entries) fits(Array.isArray(entry) && isName(entry[0]), "the page");
  const pairs = entries as [string, unknown][];
  return {
    noted: pairs.map(([, value]) => value).filter(isNoted),
    count: pairs.length,
    last: pairs.at(-1)?.[0],
  };
}

/** @throws {Unreadable} */
export async function decodePlaces(response: Response): Promise<Place[]> {
  const entries = parseJson(await response.text());
  fits(Array.isArray(entries), "the directory");
  return entries.map((entry: unknown) => {
    fits(Array.isArray(entry), "the directory");
    const [, place] = entry as unknown[];
    fitsPlace(place);
    return place;
  });
}

/**
 * The id of a session, for its principal's index.
 * @throws {Unreadable}
 */
export async function decodeId(request: Request): Promise<string> {
  const id = await request.text();
  fits(isName(id), "the session's id");
  return id;
}

/**
 * What a principal's index holds.
 * @throws {Unreadable}
 */
export async function decodeIds(response: Response): Promise<string[]> {
  const ids = parseJson(await response.text());
  fits(Array.isArray(ids), "the index");
  for (const id of ids) fits(isName(id), "the index");
  return ids as string[];
}
