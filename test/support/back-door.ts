/** The test Worker's back door: into one session's object, past the router. @module */

/** What has happened to the object since its isolate started, and what it has stored. */
export interface Inspection {
  readonly bootId: string;
  readonly fetches: number;
  readonly alarms: number;
  readonly socketMessages: number;
  readonly sockets: number;
  readonly alarm: number | null;
  /** Rows written by SQL in the isolate, in all objects; alarms are not among them. */
  readonly rowsWritten: number;
  readonly tables: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;
}

/** Resets the object as the platform does on an exception or a deploy: its isolate's memory is gone, its storage stays. */
export async function abortObject(url: string, session: string): Promise<void> {
  await reach(url, "abort", session);
}

/** Lets the object take this many calls, and resets it with the last of them just in hand. */
export async function doomObject(url: string, session: string, calls = 1): Promise<void> {
  await reach(url, "doom", `${session}&calls=${calls}`);
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

/** The same for the hub of a topic. */
export async function abortHub(url: string, topic = "default"): Promise<void> {
  await reach(url, "abort", topic, "hub");
}

export async function inspectHub(url: string, topic = "default"): Promise<Inspection> {
  return (await (await reach(url, "inspect", topic, "hub")).json()) as Inspection;
}

/** Cuts the hub's links and lets none be opened, or lets them again. */
export async function deafenHub(url: string, isDeaf: boolean, topic = "default"): Promise<void> {
  await reach(url, isDeaf ? "deaf" : "hear", topic, "hub");
}

async function reach(url: string, action: string, name: string, kind = "session"): Promise<Response> {
  const response = await fetch(`${url}/__test/${action}?${kind}=${name}`);
  if (!response.ok) throw new Error(`${action}: ${response.status} ${await response.text()}`);
  return response;
}
