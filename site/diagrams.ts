/**
 * Diagrams: a fence of `mermaid`, which GitHub draws by itself, as SVG that is there when the page comes.
 * @module
 */
import { renderMermaidSVG } from "beautiful-mermaid";

/** In the colours of the theme, light or dark: they are its CSS variables. */
const COLORS = {
  bg: "var(--vp-c-bg)",
  fg: "var(--vp-c-text-1)",
  line: "var(--vp-c-text-3)",
  accent: "var(--vp-c-brand-1)",
  muted: "var(--vp-c-text-2)",
  surface: "var(--vp-c-bg-soft)",
  border: "var(--vp-c-border)",
  transparent: true,
};

/** What a diagram shows, for who does not see it: Mermaid's own way to say it. */
const TITLE = /^ *accTitle: *(.+)\n/m;

/** @throws {Error} where the diagram does not say what it shows, or would load something from elsewhere */
export function diagram(source: string): string {
  const [, label] = TITLE.exec(source) ?? [];
  if (label === undefined) throw new Error("a diagram needs an accTitle");
  const svg = renderMermaidSVG(source.replace(TITLE, ""), COLORS)
    // It would load a font from elsewhere; the page has one.
    .replace(/@import url\([^)]*\);/, "")
    .replace("font-family: 'Inter', system-ui, sans-serif;", "font-family: var(--vp-font-family-base);");
  if (/https?:\/\/(?!www\.w3\.org\/)/.test(svg))
    throw new Error("a diagram would load something from elsewhere");
  // Vue takes no <style> from a template.
  const html = JSON.stringify(svg).replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  return `<figure class="diagram" role="img" aria-label="${escape(label)}" tabindex="0" v-html="${html}"></figure>\n`;
}

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
