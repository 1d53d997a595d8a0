/** A form for a JSON Schema: a field for each thing it names, JSON for what no field can ask. @module */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useId, useMemo } from "preact/hooks";
import { type Draft, draftOf, readDraft } from "../form/draft.ts";
import { type Field, fieldOf } from "../form/schema.ts";
import { visible } from "./text.tsx";

interface SchemaFormProps {
  readonly schema: unknown;
  readonly submit: string;
  readonly disabled?: boolean;
  readonly onSubmit: (value: unknown) => void;
  /** Beside the button that submits. */
  readonly others?: JSX.Element;
}

/** The form; what it hands over is as the schema's fields say, or whatever was typed as JSON. */
export function SchemaForm({ schema, submit, disabled, onSubmit, others }: SchemaFormProps): JSX.Element {
  const field = useMemo(() => fieldOf(schema ?? { type: "object", properties: {} }), [schema]);
  // Signals, and not state: what is typed counts at once, and the page is drawn a frame later.
  const draft = useSignal<Draft>(useMemo(() => draftOf(field), [field]));
  const json = useSignal<string | undefined>(field.kind === "object" ? undefined : "{}");
  const problem = useSignal<string | undefined>(undefined);
  const id = useId();

  const read = (): ReturnType<typeof readDraft> =>
    json.value === undefined
      ? readDraft(field, draft.value, true)
      : readDraft({ ...field, kind: "json" }, json.value, true);

  const send = (event: Event): void => {
    event.preventDefault();
    const now = read();
    problem.value = "problem" in now ? now.problem : undefined;
    if ("value" in now) onSubmit(now.value);
  };
  const asJson = (): void => {
    const now = read();
    if (json.value === undefined) {
      json.value = JSON.stringify("value" in now ? now.value : {}, null, 2);
      return;
    }
    problem.value = "problem" in now ? now.problem : undefined;
    if ("problem" in now) return;
    draft.value = draftOf(field, now.value);
    json.value = undefined;
  };
  const isEmpty = field.kind === "object" && field.properties.length === 0;

  return (
    <form class="schema" onSubmit={send}>
      {json.value !== undefined ? (
        <div class="field">
          <label for={id}>Arguments as JSON</label>
          <textarea
            id={id}
            class="mono"
            rows={8}
            spellcheck={false}
            value={json.value}
            onInput={({ currentTarget }) => (json.value = currentTarget.value)}
          />
        </div>
      ) : isEmpty ? (
        <p class="muted">It takes no arguments.</p>
      ) : (
        <Properties
          field={field}
          draft={draft.value}
          onChange={(change) => (draft.value = change(draft.value))}
        />
      )}
      {problem.value !== undefined && (
        <p class="problem" role="alert">
          {visible(problem.value)}
        </p>
      )}
      <div class="row">
        <button type="submit" class="primary" disabled={disabled}>
          {submit}
        </button>
        {others}
        {field.kind === "object" && (
          <button type="button" class="link" onClick={asJson}>
            {json.value === undefined ? "Edit as JSON" : "Edit as form"}
          </button>
        )}
      </div>
    </form>
  );
}

interface PartProps {
  readonly field: Field;
  readonly draft: Draft;
  /** Says how the draft changes, from what it is by then. */
  readonly onChange: (change: (draft: Draft) => Draft) => void;
}

function Properties({ field, draft, onChange }: PartProps): JSX.Element | null {
  if (field.kind !== "object") return null;
  const drafts = draft as Readonly<Record<string, Draft>>;
  return (
    <>
      {field.properties.map(({ key, field: of, isRequired }) => (
        <Labelled
          key={key}
          name={key}
          field={of}
          isRequired={isRequired}
          draft={drafts[key] ?? ""}
          onChange={(change) =>
            onChange((now) => {
              const before = now as Readonly<Record<string, Draft>>;
              const after = { [key]: change(before[key] ?? "") };
              // Without a prototype: `__proto__` is a name like any other.
              return Object.assign(Object.create(null), before, after) as Draft;
            })
          }
        />
      ))}
    </>
  );
}

function Labelled({
  name,
  field,
  isRequired,
  draft,
  onChange,
}: PartProps & { name: string; isRequired: boolean }): JSX.Element {
  const id = useId();
  const title = visible(field.title ?? name);
  const hint = field.description === undefined ? undefined : visible(field.description);
  const label = (
    <>
      {title}
      {field.title !== undefined && field.title !== name && <code class="key">{visible(name)}</code>}
      {isRequired ? <span class="must"> required</span> : null}
    </>
  );
  if (field.kind === "object" || field.kind === "list" || field.kind === "choices") {
    return (
      <fieldset class="field">
        <legend>{label}</legend>
        {hint !== undefined && <p class="hint">{hint}</p>}
        {field.kind === "object" ? (
          <Properties field={field} draft={draft} onChange={onChange} />
        ) : field.kind === "list" ? (
          <List field={field} name={title} draft={draft} onChange={onChange} />
        ) : (
          <Choices field={field} draft={draft} onChange={onChange} />
        )}
      </fieldset>
    );
  }
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <Input
        id={id}
        field={field}
        isRequired={isRequired}
        hasHint={hint !== undefined}
        draft={draft}
        onChange={onChange}
      />
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

const INPUT_TYPES: Readonly<Record<string, "email" | "url" | "date" | "password">> = {
  email: "email",
  uri: "url",
  date: "date",
  password: "password",
};

type InputProps = PartProps & { id: string; isRequired: boolean; hasHint: boolean };

function Input({ id, field, isRequired, hasHint, draft, onChange }: InputProps): JSX.Element {
  const value = typeof draft === "string" ? draft : "";
  const common = {
    id,
    value,
    ...(hasHint && { "aria-describedby": `${id}-hint` }),
    onInput: ({ currentTarget }: { currentTarget: { value: string } }) => {
      const { value: typed } = currentTarget;
      onChange(() => typed);
    },
  };
  if (field.kind === "boolean" || field.kind === "choice") {
    const options =
      field.kind === "choice"
        ? field.options.map(({ label }, at) => [String(at), visible(label)] as const)
        : ([
            ["true", "true"],
            ["false", "false"],
          ] as const);
    return (
      <select {...common}>
        {(!isRequired || value === "") && <option value="">—</option>}
        {options.map(([of, label]) => (
          <option value={of}>{label}</option>
        ))}
      </select>
    );
  }
  if (field.kind === "number") {
    const { minimum, maximum, isInteger } = field;
    // `any`, since what is no multiple of a step may still be what the server takes.
    return (
      <input
        type="number"
        step={isInteger ? 1 : "any"}
        min={minimum}
        max={maximum}
        required={isRequired}
        {...common}
      />
    );
  }
  if (
    field.kind === "text" &&
    (field.format !== undefined || (field.maxLength ?? 1000) <= 120 || field.pattern !== undefined)
  ) {
    const type = INPUT_TYPES[field.format ?? ""] ?? "text";
    const { minLength, maxLength } = field;
    return (
      <input
        type={type as "text"}
        minLength={minLength}
        maxLength={maxLength}
        required={isRequired && (minLength ?? 0) > 0}
        autocomplete="off"
        {...common}
      />
    );
  }
  const rows = Math.min(8, value.split("\n").length);
  return (
    <textarea
      rows={field.kind === "json" ? Math.max(3, rows) : rows}
      class={field.kind === "json" ? "mono" : ""}
      spellcheck={false}
      {...common}
    />
  );
}

const itemsOf = (draft: Draft): readonly Draft[] => (Array.isArray(draft) ? (draft as readonly Draft[]) : []);

function List({ field, name, draft, onChange }: PartProps & { name: string }): JSX.Element | null {
  if (field.kind !== "list") return null;
  return (
    <>
      {itemsOf(draft).map((one, at) => (
        <div class="item">
          <Labelled
            name={`${name} ${at + 1}`}
            field={field.item}
            isRequired={false}
            draft={one}
            onChange={(change) =>
              onChange((now) => itemsOf(now).map((old, i) => (i === at ? change(old) : old)))
            }
          />
          <button
            type="button"
            class="link"
            aria-label={`Remove ${name} ${at + 1}`}
            onClick={() => onChange((now) => itemsOf(now).filter((_, i) => i !== at))}
          >
            Remove
          </button>
        </div>
      ))}
      <button
        type="button"
        class="small"
        onClick={() => onChange((now) => [...itemsOf(now), draftOf(field.item)])}
      >
        Add {name}
      </button>
    </>
  );
}

const chosenIn = (draft: Draft): readonly number[] =>
  Array.isArray(draft) ? (draft as readonly number[]) : [];

function Choices({ field, draft, onChange }: PartProps): JSX.Element | null {
  if (field.kind !== "choices") return null;
  const chosen = chosenIn(draft);
  return (
    <>
      {field.options.map(({ label }, at) => (
        <label class="check">
          <input
            type="checkbox"
            checked={chosen.includes(at)}
            onChange={({ currentTarget: { checked } }) =>
              onChange((now) => {
                const others = chosenIn(now).filter((one) => one !== at);
                return checked ? [...others, at].toSorted((a, b) => a - b) : others;
              })
            }
          />
          {visible(label)}
        </label>
      ))}
    </>
  );
}
