/** What came of a call, as what it is: texts, pictures, sounds, links, resources, structure, errors. @module */
import type { ComponentChildren, JSX } from "preact";
import { call } from "../store.ts";
import { isObject, type Json, objectsIn, type Outcome, textIn } from "../wire/types.ts";
import { inLine, JsonText, LongText, save, visible } from "./text.tsx";

/** Blocks that are laid out; what is more is told, and is in the wire log. */
const MAX_BLOCKS = 50;
const PICTURE = /^image\/[\w.+-]{1,60}$/;
const SOUND = /^audio\/[\w.+-]{1,60}$/;

export function OutcomeView({ outcome }: { outcome: Outcome }): JSX.Element {
  switch (outcome.type) {
    case "cancelled":
      return <p class="muted">Cancelled.</p>;
    case "lost":
      return <p class="problem">No answer: {visible(outcome.reason)}</p>;
    case "error":
      return (
        <div class="problem">
          <p>
            <strong>{outcome.error.code ?? "Error"}</strong>{" "}
            {inLine(textIn(outcome.error.message) ?? "", 2000)}
          </p>
          {outcome.error.data !== undefined && (
            <JsonText value={outcome.error.data} label="Data of the error" />
          )}
        </div>
      );
    case "result":
      return <ResultView result={outcome.result} />;
  }
}

function ResultView({ result }: { result: Json }): JSX.Element {
  if (Array.isArray(result["messages"])) {
    return (
      <>
        {objectsIn(result["messages"])
          .slice(0, MAX_BLOCKS)
          .map((message) => (
            <div class="message">
              <span class="tag">{inLine(textIn(message["role"]) ?? "message", 40)}</span>
              <Blocks blocks={[message["content"]].flat()} />
            </div>
          ))}
      </>
    );
  }
  if (Array.isArray(result["contents"])) {
    return (
      <Blocks blocks={objectsIn(result["contents"]).map((resource) => ({ type: "resource", resource }))} />
    );
  }
  const { content, structuredContent, isError } = result;
  if (!Array.isArray(content) && structuredContent === undefined)
    return <JsonText value={result} label="Result" />;
  return (
    <div class={isError === true ? "problem" : ""}>
      {isError === true && <p class="tag bad">The tool reports an error</p>}
      <Blocks blocks={Array.isArray(content) ? (content as unknown[]) : []} />
      {structuredContent !== undefined && (
        <>
          <p class="tag">Structured</p>
          <JsonText value={structuredContent} label="Structured content" />
        </>
      )}
    </div>
  );
}

/** Content blocks of any kind, in order. */
export function Blocks({ blocks }: { blocks: readonly unknown[] }): JSX.Element {
  const more = blocks.length - MAX_BLOCKS;
  return (
    <>
      {blocks.slice(0, MAX_BLOCKS).map((block) => (
        <Block block={isObject(block) ? block : { type: "unknown", block }} />
      ))}
      {more > 0 && <p class="muted">{more} more are in the wire log.</p>}
    </>
  );
}

function Block({ block }: { block: Json }): JSX.Element {
  const { type, data } = block;
  const mimeType = textIn(block["mimeType"]) ?? "";
  if (type === "text") return <Text text={textIn(block["text"]) ?? ""} />;
  if (type === "image" && typeof data === "string" && PICTURE.test(mimeType)) {
    return <Picture mimeType={mimeType} data={data} />;
  }
  if (type === "audio" && typeof data === "string" && SOUND.test(mimeType)) {
    return <audio controls src={`data:${mimeType};base64,${data}`} aria-label={`Sound, ${mimeType}`} />;
  }
  if (type === "resource_link") return <Link link={block} />;
  if (type === "resource" && isObject(block["resource"])) return <Resource resource={block["resource"]} />;
  return <JsonText value={block} label="Content" />;
}

/** A text; one that is JSON is shown as such. */
function Text({ text }: { text: string }): JSX.Element {
  if (text.length < 1_000_000 && /^\s*[[{]/.test(text)) {
    try {
      return <JsonText value={JSON.parse(text)} label="Text, as JSON" />;
    } catch {
      // It only began like JSON.
    }
  }
  return <LongText text={text} label="Text" />;
}

function Picture({ mimeType, data }: { mimeType: string; data: string }): JSX.Element {
  return (
    <figure>
      <img src={`data:${mimeType};base64,${data}`} alt={`Picture of the result, ${mimeType}`} />
      <figcaption class="muted">{mimeType}</figcaption>
    </figure>
  );
}

function Link({ link }: { link: Json }): JSX.Element {
  const uri = textIn(link["uri"]) ?? "";
  const name = textIn(link["title"]) ?? textIn(link["name"]) ?? uri;
  return (
    <div class="resource">
      <Outside uri={uri}>{inLine(name)}</Outside>
      <code class="muted">{inLine(uri)}</code>
      <button
        type="button"
        class="small"
        onClick={() =>
          void call("resources/read", { uri }, { title: `read ${inLine(uri, 60)}`, of: `resource ${uri}` })
        }
      >
        Read
      </button>
    </div>
  );
}

/** A link that leads away, if it is one that may: never a script, and with nothing told of where it came from. */
export function Outside({ uri, children }: { uri: string; children: ComponentChildren }): JSX.Element {
  if (!/^https?:\/\//i.test(uri)) return <span>{children}</span>;
  return (
    <a href={uri} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  );
}

function Resource({ resource }: { resource: Json }): JSX.Element {
  const mimeType = textIn(resource["mimeType"]) ?? "";
  const text = textIn(resource["text"]);
  const blob = textIn(resource["blob"]);
  return (
    <div class="resource">
      <code class="muted">
        {inLine(textIn(resource["uri"]) ?? "")} {inLine(mimeType, 60)}
      </code>
      {text !== undefined && <Text text={text} />}
      {blob !== undefined && PICTURE.test(mimeType) && <Picture mimeType={mimeType} data={blob} />}
      {blob !== undefined && !PICTURE.test(mimeType) && (
        <button type="button" class="small" onClick={() => save(bytesOf(blob), "resource.bin")}>
          Save
        </button>
      )}
    </div>
  );
}

function bytesOf(base64: string): Blob {
  try {
    return new Blob([Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))]);
  } catch {
    return new Blob([base64]);
  }
}
