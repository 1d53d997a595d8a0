/** One client, one host, one part: played from a fresh server to the end. @module */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ClientDefinition } from "./clients.ts";
import { CACHE } from "./envs.ts";
import { type Host, startLab } from "./lab.ts";
import type { Part } from "./parts.ts";
import type { Place, Result, Rows } from "./results.ts";
import { createStage } from "./stage.ts";

export interface Job {
  readonly client: ClientDefinition;
  readonly host: Host;
  readonly part: Part;
}

export const placeOf = ({ client, host, part }: Job): Place => ({
  client: client.name,
  host,
  part: part.name,
});

export const nameOf = ({ client, host, part }: Place): string => `${client}, ${host}, ${part}`;

export interface Outcome {
  readonly rows: Rows;
  /**
   * The server took longer to come back than clients wait before they try again (`retry:` says 3 s), so that what
   * they did tells of the machine and not of them.
   */
  readonly wasSlow: boolean;
}

/** Less than 3 s by the time that clients take. */
const SLOW_START_MS = 2200;

/** Plays a part. What was on the wire, what the server and the client printed, is kept under `.cache/runs`. */
export async function perform({ client, host, part }: Job): Promise<Outcome> {
  const folder = join(CACHE, "runs", `${client.name} ${host} ${part.name}`.replaceAll(" ", "-"));
  mkdirSync(folder, { recursive: true });
  const wanted = new Set(["version", ...part.rows.map(([key]) => key)]);
  const rows: Record<string, Result> = {};
  const lines: string[] = [];
  const lab = await startLab(host, part.vars ?? {}, join(folder, "wire.txt"));
  const stage = createStage({
    client,
    lab,
    transport: part.transport,
    folder,
    note(row, result) {
      lines.push(`${row}: ${result}`);
      lab.proxy.mark(`${row}: ${result}`);
      if (wanted.has(row) || row === "connect") rows[row] = result;
    },
    log: (line) => lines.push(line),
  });
  try {
    await part.play(stage);
  } catch (error) {
    // A client that cannot connect has noted it. Anything else is a fault of this program, or of the server.
    if (rows["connect"] === undefined)
      throw new Error(`${client.name}, ${host}, ${part.name}`, { cause: error });
    lines.push(String(error));
  } finally {
    await stage.clear();
    await lab.close();
    writeFileSync(join(folder, "client.txt"), lines.join("\n"));
    writeFileSync(join(folder, "server.txt"), lab.server.lines.join("\n"));
  }
  return { rows, wasSlow: lab.slowestStartMs > SLOW_START_MS };
}
