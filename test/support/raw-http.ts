/** One HTTP/1.1 request as `fetch` would not send it: any Host, a body in chunks of unknown length. @module */
import { request } from "node:http";
import { within } from "./wait.ts";

export interface RawRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent one by one, without a Content-Length. */
  readonly chunks?: readonly (string | Uint8Array)[];
}

export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export function rawRequest(
  url: string,
  { method = "GET", headers = {}, chunks = [] }: RawRequest,
): Promise<RawResponse> {
  const answered = new Promise<RawResponse>((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    sent.on("error", reject);
    for (const chunk of chunks) sent.write(chunk);
    sent.end();
  });
  return within(answered, `${method} ${url}`);
}
