/** @param seconds after which it is worth trying again */
export function tooMany(seconds: number): Response {
  const error = { code: -32000, message: `Too Many Requests: try again in ${seconds} s` };
  return Response.json(
    { jsonrpc: "2.0", error, id: null },
    { status: 429, headers: { "Retry-After": String(seconds) } },
  );
}
