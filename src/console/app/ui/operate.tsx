/** Operate: which sessions there are, and what goes on in one of them; for those whom `admin` lets see it. @module */
import type { JSX } from "preact";
import { useEffect, useId } from "preact/hooks";
import * as admin from "../admin.ts";
import { isObject, type Json, objectsIn, textIn } from "../wire/types.ts";
import { Log } from "./log.tsx";
import { duration, inLine, JsonText } from "./text.tsx";

/** Nobody looks closer than this, and each look is a request. */
const POLL_MS = 2000;

export function Operate(): JSX.Element {
  const principalId = useId();
  const authorizationId = useId();
  useEffect(() => {
    void admin.refresh();
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") void admin.refresh();
    }, POLL_MS);
    return () => clearInterval(timer);
  }, []);
  const { detail, nextCursor, selected, sessions, trouble } = admin;
  return (
    <section class="panel operate" aria-labelledby="operate-title">
      <header>
        <h2 id="operate-title">Sessions</h2>
        <span class="count">
          {sessions.value.length}
          {nextCursor.value === undefined ? "" : "+"}
        </span>
      </header>
      <div class="row tools">
        <label for={principalId}>Principal</label>
        <input
          id={principalId}
          type="search"
          value={admin.principal.value}
          onInput={({ currentTarget }) => {
            admin.principal.value = currentTarget.value;
            void admin.refresh();
          }}
        />
        <label for={authorizationId}>Authorization</label>
        <input
          id={authorizationId}
          placeholder="as connected"
          autocomplete="off"
          value={admin.adminAuthorization.value}
          onInput={({ currentTarget }) => (admin.adminAuthorization.value = currentTarget.value)}
        />
      </div>
      {trouble.value !== undefined && <p class="problem">{trouble.value}</p>}
      {sessions.value.length > 0 && (
        <div class="scroll" tabIndex={0} role="group" aria-label="Sessions">
          <table>
            <thead>
              <tr>
                <th>Session</th>
                <th>Principal</th>
                <th>Client</th>
                <th>Era</th>
                <th>Status</th>
                <th>Last used</th>
                {areApart() && <th>Process</th>}
              </tr>
            </thead>
            <tbody>
              {sessions.value.map((session) => (
                <SessionRow session={session} isSelected={session["id"] === selected.value} />
              ))}
            </tbody>
          </table>
          {nextCursor.value !== undefined && (
            <button type="button" class="link" onClick={() => void admin.more()}>
              More
            </button>
          )}
        </div>
      )}
      {detail.value !== undefined && <One session={detail.value} />}
    </section>
  );
}

/** True where the server is several processes: then each row says which has the session. */
function areApart(): boolean {
  return admin.sessions.value.some((session) => session["process"] !== undefined);
}

function SessionRow({ session, isSelected }: { session: Json; isSelected: boolean }): JSX.Element {
  const id = textIn(session["id"]) ?? "";
  return (
    <tr aria-current={isSelected ? "true" : undefined}>
      <td>
        <button type="button" class="link mono" onClick={() => void admin.look(isSelected ? undefined : id)}>
          {inLine(id.slice(0, 12))}
        </button>
      </td>
      <td>{said(session["principal"])}</td>
      <td>{clientOf(session["client"])}</td>
      <td>{eraOf(session)}</td>
      <td>{session["status"] === undefined ? "–" : <StatusTag status={said(session["status"])} />}</td>
      <td>{ago(session["lastUsed"])}</td>
      {areApart() && (
        <td class="mono">{session["process"] === undefined ? "–" : said(session["process"])}</td>
      )}
    </tr>
  );
}

function One({ session }: { session: Json }): JSX.Element {
  const id = textIn(session["id"]) ?? "";
  const { log, ...known } = session;
  const facts = Object.entries(known).filter(([, value]) => !Array.isArray(value));
  const tables = Object.entries(known).filter((entry): entry is [string, unknown[]] =>
    Array.isArray(entry[1]),
  );
  return (
    <article class="one" aria-label="Session">
      <header class="row">
        <h3 class="mono">{inLine(id, 80)}</h3>
        <button type="button" class="warn" onClick={() => void admin.endSession(id)}>
          End this session
        </button>
        <button type="button" class="link" onClick={() => void admin.look(undefined)}>
          Close
        </button>
      </header>
      <dl>
        {facts
          .filter(([name]) => name !== "id")
          .map(([name, value]) => (
            <div>
              <dt>{wordsOf(name)}</dt>
              <dd>
                {isMoment(name, value) ? ago(value) : name === "client" ? clientOf(value) : said(value)}
              </dd>
            </div>
          ))}
      </dl>
      {tables.map(([name, rows]) => (
        <Rows name={name} rows={rows} />
      ))}
      <Log log={log} />
      <details>
        <summary>All of it, as JSON</summary>
        <JsonText value={session} label="Session" />
      </details>
    </article>
  );
}

/** Streams, connections, calls: a table of whatever its rows say. */
function Rows({ name, rows }: { name: string; rows: readonly unknown[] }): JSX.Element {
  const objects = objectsIn(rows);
  const columns = [...new Set(objects.flatMap((row) => Object.keys(row)))].slice(0, 12);
  return (
    <section class="rows-of">
      <h4>
        {inLine(name, 40)} <span class="count">{rows.length}</span>
      </h4>
      {objects.length > 0 && (
        <div class="scroll" tabIndex={0} role="group" aria-label={inLine(name, 40)}>
          <table>
            <thead>
              <tr>
                {columns.map((column) => (
                  <th>{wordsOf(column)}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {objects.slice(0, 200).map((row) => (
                <tr>
                  {columns.map((column) => (
                    <td>{isMoment(column, row[column]) ? ago(row[column]) : cell(column, row[column])}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

/** `lastUsed` → `last used`, `ageMs` → `age`: that a time is one is seen. */
function wordsOf(name: string): string {
  return inLine(name.replace(/Ms$/, ""), 40).replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function StatusTag({ status }: { status: string }): JSX.Element {
  return <span class={status === "active" ? "tag good" : "tag"}>{status}</span>;
}

function cell(column: string, value: unknown): string {
  if (isObject(value) && typeof value["ageMs"] === "number") {
    return `${textIn(value["id"])?.slice(0, 8) ?? ""} ${duration(value["ageMs"])}`;
  }
  return typeof value === "number" && /(age|ms)$/i.test(column) ? duration(value) : said(value);
}

/** A time since 1970 in milliseconds, or as ISO 8601. */
function isMoment(name: string, value: unknown): boolean {
  return /(at|created|used|alarm|since|expires)$/i.test(name) && Number.isFinite(momentOf(value));
}

function momentOf(value: unknown): number {
  if (typeof value === "number") return value > 1e12 ? value : NaN;
  return typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value) ? Date.parse(value) : NaN;
}

function ago(value: unknown): string {
  const at = momentOf(value);
  if (!Number.isFinite(at)) return said(value);
  const ms = Date.now() - at;
  return ms >= 0 ? `${duration(ms)} ago` : `in ${duration(-ms)}`;
}

function eraOf({ version, transport }: Json): string {
  const era = textIn(version) ?? "?";
  return inLine(transport === "http+sse" ? `${era} · HTTP+SSE` : era, 40);
}

function clientOf(value: unknown): string {
  if (!isObject(value)) return said(value);
  return inLine(`${textIn(value["name"]) ?? "?"} ${textIn(value["version"]) ?? ""}`, 60);
}

function said(value: unknown): string {
  if (value === undefined || value === null) return "–";
  if (isObject(value)) {
    return inLine(
      Object.entries(value)
        .map(([name, of]) => `${said(of)} ${wordsOf(name)}`)
        .join(", "),
      120,
    );
  }
  return inLine(typeof value === "string" ? value : JSON.stringify(value), 80);
}
