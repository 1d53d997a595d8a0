/** Drive: what the server offers as lists that can be searched, and a form for the one that was picked. @module */
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { call, calls, instructions, isOn, lists } from "../store.ts";
import { isObject, type Json, objectsIn, textIn } from "../wire/types.ts";
import { CallCard } from "./call.tsx";
import { SchemaForm } from "./form.tsx";
import { inLine, LongText, visible } from "./text.tsx";

type Shelf = "tools" | "prompts" | "resources";

/** One thing that the server offers. */
interface Offer {
  readonly kind: "tool" | "prompt" | "resource" | "template";
  /** Its name, or its URI. */
  readonly id: string;
  readonly title: string;
  readonly about: string | undefined;
  readonly said: Json;
}

const SHELVES: readonly (readonly [Shelf, string])[] = [
  ["tools", "Tools"],
  ["prompts", "Prompts"],
  ["resources", "Resources"],
];
/** What is listed at once; the search finds the rest. */
const MAX_SHOWN = 300;

const shelf = signal<Shelf>("tools");
const search = signal("");
const picked = signal<string | undefined>(undefined);

const keyOf = ({ kind, id }: Offer): string => `${kind} ${id}`;

function offersOn(which: Shelf): Offer[] {
  const { tools, prompts, resources, templates } = lists.value;
  const of = (kind: Offer["kind"], said: Json): Offer => {
    const id = textIn(said["name"]) ?? "";
    return { kind, id, title: textIn(said["title"]) ?? id, about: textIn(said["description"]), said };
  };
  if (which === "tools") return tools.map((said) => of("tool", said));
  if (which === "prompts") return prompts.map((said) => of("prompt", said));
  return [
    ...resources.map((said) => ({ ...of("resource", said), id: textIn(said["uri"]) ?? "" })),
    ...templates.map((said) => ({ ...of("template", said), id: textIn(said["uriTemplate"]) ?? "" })),
  ];
}

export function Drive(): JSX.Element {
  const id = useId();
  const all = offersOn(shelf.value);
  const wanted = search.value.trim().toLowerCase();
  const found = all.filter(({ id, title, about }) =>
    `${id}\n${title}\n${about ?? ""}`.toLowerCase().includes(wanted),
  );
  const offer = all.find((one) => keyOf(one) === picked.value);
  return (
    <section class={offer === undefined ? "panel drive" : "panel drive picked"} aria-labelledby="drive-title">
      <header>
        <h2 id="drive-title">Drive</h2>
        <div class="segments" role="group" aria-label="What the server offers">
          {SHELVES.map(([which, label]) => (
            <button
              type="button"
              aria-pressed={shelf.value === which}
              onClick={() => {
                shelf.value = which;
                picked.value = undefined;
              }}
            >
              {label} <span class="count">{offersOn(which).length}</span>
            </button>
          ))}
        </div>
      </header>
      <div class="split">
        <div class="offers">
          <label class="sr" for={id}>
            Search
          </label>
          <input
            id={id}
            type="search"
            placeholder="Search"
            value={search.value}
            onInput={({ currentTarget }) => (search.value = currentTarget.value)}
          />
          <ul aria-label={SHELVES.find(([which]) => which === shelf.value)?.[1]}>
            {found.slice(0, MAX_SHOWN).map((one) => (
              <li key={keyOf(one)}>
                <button
                  type="button"
                  class="offer"
                  aria-current={one === offer ? "true" : undefined}
                  onClick={() => (picked.value = keyOf(one))}
                >
                  <span class="name">{inLine(one.title, 80)}</span>
                  <span class="about">{inLine((one.about ?? one.id).split("\n")[0] ?? "", 120)}</span>
                </button>
              </li>
            ))}
          </ul>
          {found.length === 0 && (
            <p class="empty">
              {all.length > 0
                ? "Nothing of that name."
                : isOn.value
                  ? "The server offers none."
                  : "Connect to see what the server offers."}
            </p>
          )}
        </div>
        <div class="detail">
          {offer === undefined ? <Welcome /> : <Detail key={keyOf(offer)} offer={offer} />}
          <Recent of={offer === undefined ? undefined : keyOf(offer)} />
        </div>
      </div>
    </section>
  );
}

function Welcome(): JSX.Element | null {
  if (instructions.value === undefined) {
    return isOn.value ? null : (
      <div class="empty big">
        <p>
          Pick an era and connect. What the server offers is listed on the left; what happens on the wire, and
          to the session, stands beside it.
        </p>
      </div>
    );
  }
  return (
    <div class="instructions">
      <h3>What the server says of itself</h3>
      <LongText text={instructions.value} label="Instructions" />
    </div>
  );
}

function Detail({ offer }: { offer: Offer }): JSX.Element {
  const { kind, id, title, about, said } = offer;
  return (
    <article>
      <div class="row head">
        <button type="button" class="back small" onClick={() => (picked.value = undefined)}>
          ‹ Back
        </button>
        <h3>{inLine(title, 120)}</h3>
        <Hints said={said} />
      </div>
      {title !== id && (
        <p>
          <code class="muted">{inLine(id, 300)}</code>
        </p>
      )}
      {about !== undefined && <p class="about">{visible(about.slice(0, 4000))}</p>}
      {kind === "resource" ? <ResourceForm offer={offer} /> : <OfferForm offer={offer} />}
    </article>
  );
}

const HINTS: Readonly<Record<string, string>> = {
  readOnlyHint: "read only",
  destructiveHint: "destructive",
  idempotentHint: "idempotent",
  openWorldHint: "open world",
};

function Hints({ said }: { said: Json }): JSX.Element {
  const hints = isObject(said["annotations"]) ? said["annotations"] : {};
  return (
    <>
      {Object.entries(HINTS).map(([name, words]) => hints[name] === true && <span class="tag">{words}</span>)}
    </>
  );
}

function OfferForm({ offer }: { offer: Offer }): JSX.Element {
  const { kind, id, said } = offer;
  const of = keyOf(offer);
  const send = (value: unknown): void => {
    const args = isObject(value) ? value : {};
    if (kind === "template") {
      const uri = id.replace(/\{[+#./;?&]?([^{}]*)\}/g, (_, name: string) =>
        encodeURIComponent(String(args[name] ?? "")),
      );
      return void call("resources/read", { uri }, { title: `read ${inLine(uri, 60)}`, of });
    }
    const method = kind === "tool" ? "tools/call" : "prompts/get";
    void call(
      method,
      { name: id, arguments: args },
      { title: id.slice(0, 80), of, schema: said["inputSchema"] },
    );
  };
  const submit = kind === "tool" ? "Call" : kind === "prompt" ? "Get" : "Read";
  return <SchemaForm schema={schemaOf(offer)} submit={submit} disabled={!isOn.value} onSubmit={send} />;
}

/** What a form asks for: a tool has a schema, prompts have arguments, templates have variables; those are texts. */
function schemaOf({ kind, id, said }: Offer): unknown {
  if (kind === "tool") return said["inputSchema"];
  const names =
    kind === "prompt"
      ? objectsIn(said["arguments"]).map((one) => ({
          name: textIn(one["name"]) ?? "",
          isRequired: one["required"] === true,
          description: one["description"],
        }))
      : [...id.matchAll(/\{[+#./;?&]?([^{}]*)\}/g)].map(([, name = ""]) => ({
          name,
          isRequired: true,
          description: undefined,
        }));
  return {
    type: "object",
    properties: Object.fromEntries(
      names.map(({ name, description }) => [name, { type: "string", description }]),
    ),
    required: names.filter(({ isRequired }) => isRequired).map(({ name }) => name),
  };
}

function ResourceForm({ offer }: { offer: Offer }): JSX.Element {
  const { id: uri } = offer;
  const ask = (method: string, verb: string): void =>
    void call(method, { uri }, { title: `${verb} ${inLine(uri, 60)}`, of: keyOf(offer) });
  return (
    <div class="row">
      <button
        type="button"
        class="primary"
        disabled={!isOn.value}
        onClick={() => ask("resources/read", "read")}
      >
        Read
      </button>
      <button type="button" disabled={!isOn.value} onClick={() => ask("resources/subscribe", "subscribe")}>
        Subscribe
      </button>
    </div>
  );
}

/** The last calls, of what was picked or of everything. */
function Recent({ of }: { of: string | undefined }): JSX.Element | null {
  const shown = calls.value.filter((one) => of === undefined || one.of === of);
  if (shown.length === 0) return null;
  return (
    <section class="recent" aria-label="Calls">
      {shown.map((one, at) => (
        <CallCard key={one.n} call={one} isOpen={at === 0} />
      ))}
    </section>
  );
}
