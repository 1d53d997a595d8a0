/** Puts the repository's templates into the package, as it is packed. @module */
import { cpSync, rmSync } from "node:fs";

const into = new URL("templates", import.meta.url);
rmSync(into, { recursive: true, force: true });
cpSync(new URL("../templates", import.meta.url), into, {
  recursive: true,
  // What somebody has run in a template stays where it is.
  filter: (path) => !/[\\/](?:node_modules|\.wrangler|worker-configuration\.d\.ts)$/.test(path),
});
