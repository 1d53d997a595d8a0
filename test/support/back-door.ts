/** The test Worker's back door: into one session's object, past the router. @module */

/** What has happened to the object since its isolate started, and what it has stored. */
export interface Inspection {
  readonly bootId: string;
  readonly fetches: number;
  readonly alarms: number;
  readonly socketMessages: number;
  readonly sockets: number;
  readonly alarm: number | null;
  readonly tables: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;
}

/** Resets the object as the platform does on an exception or a deploy: its isolate's memory is gone, its storage stays. */
export async function abortObject(url: string, session: string): Promise<void> {
  await reach(url, "abort", session);
}

/** Breaks the links between the edge and the object's streams; the object itself lives on. */
export async function dropLinks(url: string, session: string): Promise<void> {
  await reach(url, "drop", session);
}

/** What the object has stored, and what woke it. */
export async function inspect(url: string, session: string): Promise<Inspection> {
  return (await (await reach(url, "inspect", session)).json()) as Inspection;
}

/** Number of rows that the object holds, over all tables. */
export async function rowCount(url: string, session: string): Promise<number> {
  const { tables } = await inspect(url, session);
  return Object.values(tables).reduce((count, rows) => count + rows.length, 0);
}

async function reach(url: string, action: string, session: string): Promise<Response> {
  const response = await fetch(`${url}/__test/${action}?session=${session}`);
  if (!response.ok) throw new Error(`${action}: ${response.status} ${await response.text()}`);
  return response;
}
