/** What the server asks of the user, in a dialog that stands in front until it is answered. @module */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { type Question, questions } from "../wire/questions.ts";
import { isObject, type Json, objectsIn, textIn } from "../wire/types.ts";
import { SchemaForm } from "./form.tsx";
import { Blocks, Outside } from "./result.tsx";
import { inLine, LongText } from "./text.tsx";

const TITLES: Readonly<Record<string, string>> = {
  "elicitation/create": "The server asks you",
  "sampling/createMessage": "The server asks your model",
  "roots/list": "The server asks for your roots",
};

/** The question whose turn it is. */
export function Questions(): JSX.Element | null {
  const [first] = questions.value;
  // A dialog of its own for each, so that nothing of one stays in the next.
  return first === undefined ? null : (
    <Dialog key={first.n} question={first} waiting={questions.value.length - 1} />
  );
}

function Dialog({ question, waiting }: { question: Question; waiting: number }): JSX.Element {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => ref.current?.showModal(), []);
  const { method } = question;
  const cancel = (event: Event): void => {
    event.preventDefault();
    if (method === "elicitation/create") question.answer({ result: { action: "cancel" } });
    else question.answer(DECLINED);
  };
  return (
    <dialog ref={ref} class="question" aria-labelledby="question-title" onCancel={cancel}>
      <h2 id="question-title">{TITLES[method]}</h2>
      {waiting > 0 && <p class="muted">{waiting} more after this one</p>}
      {method === "elicitation/create" ? (
        <Elicitation question={question} />
      ) : method === "roots/list" ? (
        <Roots question={question} />
      ) : (
        <Sampling question={question} />
      )}
    </dialog>
  );
}

const DECLINED = { error: { code: -1, message: "User rejected the request" } } as const;

function Elicitation({ question: { params, answer } }: { question: Question }): JSX.Element {
  const act = (action: string, content?: unknown): void =>
    answer({ result: { action, ...(isObject(content) && { content }) } });
  const others = (
    <>
      <button type="button" onClick={() => act("decline")}>
        Decline
      </button>
      <button type="button" onClick={() => act("cancel")}>
        Cancel
      </button>
    </>
  );
  const url = textIn(params["url"]);
  return (
    <>
      <LongText text={textIn(params["message"]) ?? ""} label="What it asks" />
      {params["mode"] === "url" ? (
        <>
          <p>
            <Outside uri={url ?? ""}>{inLine(url ?? "", 500)}</Outside>
          </p>
          <div class="row">
            <button type="button" class="primary" onClick={() => act("accept")}>
              I have opened it
            </button>
            {others}
          </div>
        </>
      ) : (
        <SchemaForm
          schema={params["requestedSchema"]}
          submit="Submit"
          others={others}
          onSubmit={(content) => act("accept", content)}
        />
      )}
    </>
  );
}

function Sampling({ question: { params, answer } }: { question: Question }): JSX.Element {
  const words = useSignal("");
  const system = textIn(params["systemPrompt"]);
  const send = (event: Event): void => {
    event.preventDefault();
    answer({
      result: {
        role: "assistant",
        model: "a person at the console",
        stopReason: "endTurn",
        content: { type: "text", text: words.value },
      },
    });
  };
  return (
    <form onSubmit={send}>
      {system !== undefined && <LongText text={system} label="System prompt" />}
      {objectsIn(params["messages"]).map((message: Json) => (
        <div class="message">
          <span class="tag">{inLine(textIn(message["role"]) ?? "", 40)}</span>
          <Blocks blocks={[message["content"]].flat()} />
        </div>
      ))}
      <div class="field">
        <label for="sampling-words">Answer in the model's place</label>
        <textarea
          id="sampling-words"
          rows={4}
          value={words.value}
          onInput={({ currentTarget }) => (words.value = currentTarget.value)}
        />
      </div>
      <SendOrDecline answer={answer} />
    </form>
  );
}

/** The end of a question's form, where to decline is an error: of sampling and of roots. */
function SendOrDecline({ answer }: Pick<Question, "answer">): JSX.Element {
  return (
    <div class="row">
      <button type="submit" class="primary">
        Send
      </button>
      <button type="button" onClick={() => answer(DECLINED)}>
        Decline
      </button>
    </div>
  );
}

function Roots({ question: { answer } }: { question: Question }): JSX.Element {
  const uris = useSignal("file:///");
  const send = (event: Event): void => {
    event.preventDefault();
    const roots = uris.value.split("\n").map((uri) => ({ uri: uri.trim() }));
    answer({ result: { roots: roots.filter(({ uri }) => uri !== "") } });
  };
  return (
    <form onSubmit={send}>
      <div class="field">
        <label for="roots-uris">Roots, one URI a line</label>
        <textarea
          id="roots-uris"
          class="mono"
          rows={4}
          value={uris.value}
          onInput={({ currentTarget }) => (uris.value = currentTarget.value)}
        />
      </div>
      <SendOrDecline answer={answer} />
    </form>
  );
}
