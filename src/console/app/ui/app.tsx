/** The whole page. @module */
import { signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useErrorBoundary, useId } from "preact/hooks";
import {
  authorization,
  base,
  type Call,
  calls,
  connect,
  disconnect,
  era,
  isConnected,
  isOn,
  load,
  ping,
  server,
  status,
} from "../store.ts";
import { ERAS } from "../wire/eras.ts";
import { wordFor } from "./call.tsx";
import { Questions } from "./dialog.tsx";
import { Drive } from "./drive.tsx";
import { Life } from "./life.tsx";
import { Operate } from "./operate.tsx";
import { inLine } from "./text.tsx";
import { Wire } from "./wire.tsx";

const VIEWS = ["Drive", "Session", "Wire", "Operate"] as const;
type View = (typeof VIEWS)[number];

/** Where all fits, the session and the wire stand beside what is driven; on a phone each has the page to itself. */
const isWide = signal(true);
const wide = matchMedia("(min-width: 60rem)");
isWide.value = wide.matches;
wide.addEventListener("change", ({ matches }) => (isWide.value = matches));

const view = signal<View>("Drive");

export function App(): JSX.Element {
  const now = view.value;
  const left = <Guard>{now === "Operate" ? <Operate /> : <Drive />}</Guard>;
  return (
    <>
      <Top />
      <ConnectBar />
      <Announcer />
      {isWide.value ? (
        <main class="wide">
          {left}
          <div class="beside">
            <Guard>
              <Life />
            </Guard>
            <Guard>
              <Wire />
            </Guard>
          </div>
        </main>
      ) : (
        <main>{now === "Session" ? <Life /> : now === "Wire" ? <Wire /> : left}</main>
      )}
      <Guard>
        <Questions />
      </Guard>
    </>
  );
}

/** What a server sends must not take the page down: where one part cannot show it, the others go on. */
function Guard({ children }: { children: ComponentChildren }): JSX.Element {
  const [error, reset] = useErrorBoundary();
  if (error === undefined) return <>{children}</>;
  return (
    <section class="panel" role="alert">
      <p class="problem">This part cannot show what came: {inLine(String(error), 300)}</p>
      <button type="button" onClick={reset}>
        Try again
      </button>
    </section>
  );
}

function Top(): JSX.Element {
  const shown = isWide.value ? (["Drive", "Operate"] as const) : VIEWS;
  const isShown = (one: View): boolean =>
    isWide.value && one === "Drive" ? view.value !== "Operate" : view.value === one;
  return (
    <header class="top">
      <h1>
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <path d="M12 3v13m0 0a7 7 0 0 1-7-5m7 5a7 7 0 0 0 7-5M9 8h6" />
          <circle cx="12" cy="19.5" r="1.6" />
        </svg>
        Holdfast <span>console</span>
      </h1>
      {server.value !== undefined && <span class="server">{inLine(server.value, 60)}</span>}
      <nav class="segments" aria-label="Views">
        {shown.map((one) => (
          <button
            type="button"
            aria-current={isShown(one) ? "page" : undefined}
            onClick={() => (view.value = one)}
          >
            {one}
          </button>
        ))}
      </nav>
    </header>
  );
}

/** How the last call goes, for who hears the page: a progress bar says nothing by itself, so its quarters are said. */
function Announcer(): JSX.Element {
  const [last] = calls.value;
  return (
    <p class="sr" role="status" aria-label="Last call">
      {last === undefined ? "" : `${inLine(last.title, 80)}: ${spoken(last)}`}
    </p>
  );
}

function spoken({ outcome, progress }: Call): string {
  const part = progress?.total === undefined ? 0 : Math.floor((4 * progress.progress) / progress.total);
  // The last quarter is over with the call.
  return outcome === undefined && part > 0 ? `${Math.min(part, 3) * 25} %` : wordFor(outcome)[0];
}

function ConnectBar(): JSX.Element {
  const id = useId();
  return (
    <section class="bar" aria-label="Connection">
      <label for={`${id}-era`}>Era</label>
      <select
        id={`${id}-era`}
        disabled={isConnected.value}
        value={era.value.version}
        onChange={({ currentTarget }) => {
          era.value = ERAS.find(({ version }) => version === currentTarget.value) ?? era.value;
        }}
      >
        {ERAS.map(({ version, label }) => (
          <option value={version}>{label}</option>
        ))}
      </select>
      <label for="authorization">Authorization</label>
      <input
        id="authorization"
        autocomplete="off"
        placeholder="none"
        value={authorization.value}
        onInput={({ currentTarget }) => (authorization.value = currentTarget.value)}
      />
      <button
        type="button"
        id="connect"
        class="primary"
        disabled={isConnected.value}
        onClick={() => void connect()}
      >
        Connect
      </button>
      <button type="button" id="disconnect" disabled={!isOn.value} onClick={() => void disconnect()}>
        Disconnect
      </button>
      <button type="button" id="ping" disabled={!isOn.value} onClick={() => void ping()}>
        Send Ping
      </button>
      <button type="button" id="tools" disabled={!isOn.value} onClick={() => void load("tools/list")}>
        Get Tools List
      </button>
      <output id="status" class={`pill ${status.value.toLowerCase()}`} aria-label="Status">
        {status.value}
      </output>
      <code class="endpoint" title={`${base}/mcp`}>
        {era.value.transport === "http+sse" ? `${base}/sse` : `${base}/mcp`}
      </code>
    </section>
  );
}
