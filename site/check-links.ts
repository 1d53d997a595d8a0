/**
 * Whether each link of the built site leads somewhere, to the very heading. Nothing is asked of the network: what leads
 * elsewhere is left alone, and what leads into the repository is looked up here by a test.
 * @module
 */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LinkChecker } from "linkinator";
import { base } from "./repository.ts";

/** @throws {Error} naming each link that leads nowhere, with its page */
export async function checkLinks(dist: string): Promise<void> {
  // Under the path that it is served from.
  const root = mkdtempSync(join(tmpdir(), "holdfast-site-"));
  try {
    cpSync(dist, join(root, base), { recursive: true });
    const checker = new LinkChecker();
    const { links } = await checker.check({
      path: base.slice(1),
      serverRoot: root,
      recurse: true,
      cleanUrls: true,
      checkFragments: true,
      // The servers of the reader are elsewhere too.
      linksToSkip: ["^https?://(?!127\\.0\\.0\\.1)", "^http://127\\.0\\.0\\.1:8787/"],
    });
    const broken = links.filter(({ state }) => state === "BROKEN");
    const checked = links.filter(({ state }) => state === "OK");
    if (checked.length < 100) throw new Error(`only ${checked.length} links were looked at`);
    if (broken.length > 0) {
      const lines = broken.map(({ url, parent, status }) => `${parent}: ${url} (${status})`);
      throw new Error(`${broken.length} links lead nowhere:\n${lines.join("\n")}`);
    }
    process.stdout.write(`${checked.length} links lead somewhere\n`);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
