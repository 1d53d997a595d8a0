/** What a client says it reads and writes. @module */
import { JSON_TYPE, SSE_TYPE } from "./headers.ts";

/** True where an Accept header admits the media type. No header admits nothing: MCP clients must send one. */
export function accepts(header: string | null, type: string): boolean {
  const [family] = type.split("/");
  return (header ?? "").split(",").some((range) => {
    const [name = "", ...params] = range.split(";").map((part) => part.trim().toLowerCase());
    if (params.some((param) => /^q=0(\.0*)?$/.test(param))) return false;
    return name === type || name === "*/*" || name === `${family}/*`;
  });
}

/** What a client reads of answers: either kind, JSON only, or event streams only. */
export type Accepted = "any" | "json" | "sse";

/** What was said of the header that came last: clients of one make all send the same. */
let known: { header: string | null; answers: Accepted | undefined } | undefined;

/**
 * How a POST can be answered; undefined where the client reads neither. The specification has clients accept both;
 * one alone is served all the same.
 */
export function acceptedAnswers(header: string | null): Accepted | undefined {
  if (known?.header !== header) {
    const json = accepts(header, JSON_TYPE);
    const sse = accepts(header, SSE_TYPE);
    known = { header, answers: json && sse ? "any" : json ? "json" : sse ? "sse" : undefined };
  }
  return known.answers;
}

/** True where an Accept header names the media type itself, not by `*` and not by its family. */
export function acceptsByName(header: string | null, type: string): boolean {
  return (header ?? "")
    .split(",")
    .some((range) => range.split(";")[0]?.trim().toLowerCase() === type && accepts(range, type));
}

/** True for `application/json`, whatever its parameters; also where a proxy has doubled the header. */
export function isJson(contentType: string | null): boolean {
  if (contentType === JSON_TYPE) return true;
  return (contentType ?? "")
    .split(",")
    .every((type) => type.split(";")[0]?.trim().toLowerCase() === JSON_TYPE);
}

/** True where a body comes as it is. */
export function isPlain(contentEncoding: string | null): boolean {
  return (
    contentEncoding === null ||
    contentEncoding.split(",").every((coding) => /^(identity)?$/i.test(coding.trim()))
  );
}
