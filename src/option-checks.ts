/**
 * Checks of the options that are neither a number nor a choice: each returns the value in the one form in which
 * the rest of the code knows it.
 * @module
 */

/** Names of allowed origins (`https://app.example`), or a function that decides. */
export type AllowedOrigins = readonly string[] | ((origin: string) => boolean);

/**
 * Origins in their normal form, `*`, `null`, or a function that decides.
 * @throws {RangeError} naming the one that is no origin
 */
export function checkOrigins(origins: AllowedOrigins): AllowedOrigins {
  if (typeof origins === "function") return origins;
  return origins.map((origin) => {
    // "*" opens the server to every web page, on purpose and by name only.
    if (origin === "*" || origin === "null") return origin;
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    if (
      url === undefined ||
      url.origin === "null" ||
      url.origin !== origin.replace(/\/$/, "").toLowerCase()
    ) {
      throw new RangeError(`allowedOrigins must hold origins such as https://app.example, not ${origin}`);
    }
    return url.origin;
  });
}

/**
 * Host names in lower case, each without scheme and port; `*.` in front stands for any name below, `*` for all.
 * @throws {RangeError} naming the one that is no such name
 */
export function checkHosts(hosts: readonly string[]): readonly string[] {
  return hosts.map((host) => {
    const name = host.toLowerCase();
    const plain = name.replace(/^\*\./, "");
    if (name === "*" || (URL.canParse(`http://${plain}`) && new URL(`http://${plain}`).hostname === plain)) {
      return name;
    }
    throw new RangeError(
      `allowedHosts must hold names without scheme and port, such as mcp.example, not ${host}`,
    );
  });
}

/**
 * A path without a slash at its end; the root is the empty string.
 * @throws {RangeError}
 */
export function checkBasePath(path: string): string {
  const trimmed = path.replace(/\/+$/, "");
  if (trimmed !== "" && !/^(\/[A-Za-z0-9._~-]+)+$/.test(trimmed)) {
    throw new RangeError(`basePath must be a path such as /api, not ${path}`);
  }
  return trimmed;
}

/**
 * An absolute http(s) URL, without a slash at its end.
 * @throws {RangeError}
 */
export function checkPublicUrl(url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new RangeError(`publicUrl must be an absolute http(s) URL, not ${url}`);
  }
  return url.replace(/\/+$/, "");
}
