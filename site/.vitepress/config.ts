/**
 * The site over `docs/`, whose Markdown is read on GitHub too: what differs there is put right here.
 * @module
 */
import { type DefaultTheme, defineConfig } from "vitepress";
import { diagram } from "../diagrams.ts";
import { entries } from "../entries.ts";
import { type Page, route, sections, slug } from "../pages.ts";
import { base, description, outward, repository, site } from "../repository.ts";

const item = ({ file, title, pages }: Page): DefaultTheme.SidebarItem => ({
  text: title,
  link: `/${route(file)}`,
  ...(pages.length > 0 ? { items: pages.map(item), collapsed: false } : {}),
});

/** A list that says only where its own pages begin is not a level of its own. */
const group = (title: string, pages: readonly Page[]): DefaultTheme.SidebarItem => {
  const [only, ...others] = pages;
  const isList = only !== undefined && others.length === 0;
  return isList
    ? { text: title, link: `/${route(only.file)}`, items: only.pages.map(item) }
    : { text: title, items: pages.map(item) };
};

export default defineConfig({
  title: "Holdfast",
  description,
  lang: "en",
  base,
  srcDir: "../docs",
  outDir: "./dist",
  cleanUrls: true,
  rewrites: { "guides/README.md": "guides/index.md" },
  sitemap: { hostname: site },
  vite: {
    // The largest is the index of the search, which is fetched as somebody searches.
    build: { chunkSizeWarningLimit: 2000 },
    plugins: [
      {
        // Pages, where they become HTML, import Vue from a folder that has none above it: it is this package's.
        name: "vue-of-the-site",
        enforce: "pre",
        resolveId: (id, _importer, { ssr }) =>
          ssr === true && ["vue", "vue/server-renderer"].includes(id) ? { id, external: true } : undefined,
      },
    ],
    // From `docs/` on: the theme is beside it.
    server: { fs: { allow: [".."] } },
  },
  markdown: {
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    anchor: { slugify: slug },
    config(md) {
      md.core.ruler.push("outward", ({ tokens, env }) => {
        for (const token of tokens.flatMap(({ children }) => children ?? [])) {
          const link = token.attrGet("href");
          if (token.type !== "link_open" || link === null) continue;
          token.attrSet(
            "href",
            outward(String(env.relativePath), link) ?? link.replace(/\bREADME\.md\b/, "index.md"),
          );
        }
      });
      const fence = md.renderer.rules.fence;
      md.renderer.rules.fence = (tokens, at, options, env, self) => {
        const token = tokens[at];
        if (token?.info.trim() !== "mermaid") return fence?.(tokens, at, options, env, self) ?? "";
        return diagram(token.content);
      };
    },
  },
  transformPageData(page) {
    if (page.relativePath.startsWith("api/")) page.frontmatter["editLink"] = false;
  },
  themeConfig: {
    nav: [
      { text: "Guides", link: "/guides/", activeMatch: "^/guides/" },
      { text: "Options", link: "/options" },
      { text: "API", link: "/api/", activeMatch: "^/api/" },
      { text: "GitHub", link: repository },
    ],
    sidebar: [
      { text: "What it is", link: "/" },
      ...sections().map(({ title, pages }) => group(title, pages)),
      { text: "Glossary", link: "/architecture#words" },
      {
        text: "API",
        link: "/api/",
        items: entries.map(({ name, file }) => ({ text: name, link: `/${route(file)}` })),
      },
    ],
    outline: [2, 3],
    search: {
      provider: "local",
      options: {
        miniSearch: {
          searchOptions: {
            // A docstring comes after the page that explains it: options are repeated wherever they are inherited.
            boostDocument: (id: string) => (id.includes("/api/") ? 0.2 : 1),
          },
        },
      },
    },
    editLink: { pattern: `${repository}/edit/main/docs/:path`, text: "Edit this page" },
  },
});
