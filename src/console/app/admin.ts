/** The sessions API, as the console asks it: the list, one session, its end. @module */
import { signal } from "@preact/signals";
import { authorization, base } from "./store.ts";
import { isObject, type Json, objectsIn, textIn } from "./wire/types.ts";

/** The header for operators; empty: the one that the client connects with. */
export const adminAuthorization = signal("");
/** Shows the sessions of one principal. */
export const principal = signal("");
/** The sessions that are listed. */
export const sessions = signal<readonly Json[]>([]);
/** Where the next page begins, where there is one. */
export const nextCursor = signal<string | undefined>(undefined);
/** The id of the session that is looked at. */
export const selected = signal<string | undefined>(undefined);
/** What goes on in it. */
export const detail = signal<Json | undefined>(undefined);
/** Why nothing is shown. */
export const trouble = signal<string | undefined>(undefined);

const PAGE = 50;
/** Pages that are kept: what is shown is asked for anew each time. */
const MAX_LISTED = 500;
const MAX_PAGES = 20;

async function ask(path: string, method: string = "GET"): Promise<Json | undefined> {
  const header = adminAuthorization.value.trim() || authorization.value.trim();
  const headers = { Accept: "application/json", ...(header !== "" && { Authorization: header }) };
  let response: Response;
  try {
    response = await fetch(`${base}/admin/sessions${path}`, { method, headers });
  } catch {
    trouble.value = "The server cannot be reached.";
    return undefined;
  }
  if (!response.ok) {
    trouble.value = TROUBLES[response.status] ?? reasonIn(await response.text(), response.status);
    return undefined;
  }
  trouble.value = undefined;
  const text = await response.text();
  try {
    const answer: unknown = text === "" ? {} : JSON.parse(text);
    return isObject(answer) ? answer : {};
  } catch {
    trouble.value = "The server answers something else than JSON.";
    return undefined;
  }
}

/** What the server says is wrong. */
function reasonIn(text: string, status: number): string {
  try {
    const said: unknown = JSON.parse(text);
    const error = isObject(said) && isObject(said["error"]) ? said["error"] : {};
    return textIn(error["message"]) ?? `HTTP ${status}`;
  } catch {
    return `The server answers HTTP ${status}.`;
  }
}

const TROUBLES: Readonly<Record<number, string>> = {
  401: "The server asks who you are: fill in the Authorization for operators.",
  403: "You may not see sessions here.",
  404: "There is none: give the server the option admin, or the session has ended.",
};

/** Asks for the list, as far as it is open, and for the session that is looked at. */
export async function refresh(): Promise<void> {
  const wanted = Math.max(sessions.value.length, PAGE);
  const listed: Json[] = [];
  let cursor: string | undefined;
  // A page may be short, or empty, and still not be the last.
  for (let pages = 0; pages < MAX_PAGES && listed.length < wanted; pages++) {
    const page = await ask(queryFor(cursor));
    if (page === undefined) return;
    listed.push(...objectsIn(page["sessions"]));
    cursor = textIn(page["nextCursor"]);
    if (cursor === undefined) break;
  }
  sessions.value = listed;
  nextCursor.value = cursor;
  const id = selected.value;
  if (id === undefined) return;
  const found = await ask(`/${encodeURIComponent(id)}`);
  if (selected.value !== id) return;
  detail.value = found;
  if (found === undefined) selected.value = undefined;
}

/** One page more. */
export async function more(): Promise<void> {
  if (nextCursor.value === undefined || sessions.value.length >= MAX_LISTED) return;
  const page = await ask(queryFor(nextCursor.value));
  if (page === undefined) return;
  sessions.value = [...sessions.value, ...objectsIn(page["sessions"])];
  nextCursor.value = textIn(page["nextCursor"]);
}

function queryFor(cursor: string | undefined): string {
  const query = new URLSearchParams({ limit: String(PAGE) });
  if (principal.value.trim() !== "") query.set("principal", principal.value.trim());
  if (cursor !== undefined) query.set("cursor", cursor);
  return `?${query.toString()}`;
}

/** Looks at a session, or at none. */
export async function look(id: string | undefined): Promise<void> {
  selected.value = id;
  detail.value = undefined;
  if (id !== undefined) await refresh();
}

/** Ends a session, whoever's it is. */
export async function endSession(id: string): Promise<void> {
  await ask(`/${encodeURIComponent(id)}`, "DELETE");
  selected.value = undefined;
  detail.value = undefined;
  await refresh();
}
