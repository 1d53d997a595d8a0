/**
 * The API reference: a page for each entry of the package, made of the docstrings by TypeDoc, into `docs/api/`.
 * @module
 */
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Application, Converter, type ProjectReflection, ReflectionKind } from "typedoc";
import type { PluginOptions } from "typedoc-plugin-markdown";
import { entries } from "./entries.ts";
import { route } from "./pages.ts";
import { addressOf, repository } from "./repository.ts";

const at = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** The form of the pages. */
const FORM: PluginOptions = {
  outputFileStrategy: "modules",
  entryFileName: "index",
  pageTitleTemplates: {
    index: "API",
    module: ({ name }) => entries.find(({ file }) => file === `api/${name}.md`)?.name ?? name,
  },
  hidePageHeader: true,
  hideBreadcrumbs: true,
  useCodeBlocks: true,
  parametersFormat: "table",
  interfacePropertiesFormat: "table",
  classPropertiesFormat: "table",
  typeDeclarationFormat: "table",
  indexFormat: "table",
  tableColumnSettings: { hideSources: true, hideModifiers: true, hideInherited: true, hideOverrides: true },
  sanitizeComments: true,
};

/** Contracts between the parts: public types mention what is in them, and nobody outside writes it down. */
const CONTRACTS =
  /^src\/(?:caller|endings|guest|host|cluster\/\w+|jsonrpc\/failure|modern\/extension|session\/server\/scopes|user\/\w+)\.ts$/;

/** The same, one by one, of files that have more. */
const INTERNAL: Readonly<Record<string, readonly string[]>> = {
  "src/client/connect-error.ts": ["ConnectFailed"],
  "src/events.ts": ["DISCONNECT_REASONS", "EventSink"],
  "src/jsonrpc/messages.ts": ["Payload"],
  "src/router.ts": ["Served"],
  "src/variables.ts": ["Variables"],
};

/** What TypeDoc reads otherwise than it is meant. */
function refine(project: ProjectReflection): void {
  // Modules have the names of their pages, and not of their files.
  for (const module of project.children ?? []) {
    const file = module.sources?.[0]?.fileName ?? "";
    const entry = entries.find(({ source }) => file.endsWith(source));
    if (entry !== undefined) module.name = route(entry.file).replace("api/", "");
  }
  // Options that are taken apart where they are declared.
  for (const parameter of project.getReflectionsByKind(ReflectionKind.Parameter))
    if (parameter.name === "__namedParameters") parameter.name = "options";
  // `@throws {TypeError} …`: the pages leave the type out.
  for (const { comment } of Object.values(project.reflections))
    for (const { typeAnnotation, content } of comment?.blockTags ?? [])
      if (typeAnnotation !== undefined)
        content.unshift(
          { kind: "code", text: `\`${typeAnnotation.slice(1, -1)}\`` },
          { kind: "text", text: " " },
        );
}

/** Writes the pages. Throws where a docstring is missing, or links to what there is not. */
export async function writeApi(): Promise<void> {
  rmSync(at("docs/api"), { recursive: true, force: true });
  const app = await Application.bootstrapWithPlugins({
    plugin: ["typedoc-plugin-markdown"],
    entryPoints: entries.map(({ source }) => at(source)),
    basePath: at("."),
    tsconfig: at("site/tsconfig.api.json"),
    // It is type-checked elsewhere, each part for its own platform.
    skipErrorChecking: true,
    excludePrivate: true,
    excludeInternal: true,
    groupOrder: ["Functions", "Classes", "Interfaces", "Type Aliases", "Variables", "*"],
    preservedTypeAnnotationTags: ["@throws"],
    disableGit: true,
    sourceLinkTemplate: `${repository}/blob/main/{path}#L{line}`,
    out: at("docs/api"),
    readme: "none",
    validation: { notExported: true, invalidLink: true, rewrittenLink: true, notDocumented: true },
    requiredToBeDocumented: ["Function", "Class", "Interface", "TypeAlias", "Variable", "Enum"],
    intentionallyNotExported: Object.entries(INTERNAL).flatMap(([file, names]) =>
      names.map((name) => `${file}:${name}`),
    ),
    ...FORM,
  });
  // They lead to their source.
  app.converter.addUnknownSymbolResolver((_reference, _reflection, _part, symbol) =>
    symbol !== undefined && CONTRACTS.test(symbol.packagePath) ? addressOf(symbol.packagePath) : undefined,
  );
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => refine(project));
  const project = await app.convert();
  if (project === undefined) throw new Error("the API could not be read");
  app.validate(project);
  await app.generateOutputs(project);
  if (app.logger.hasErrors() || app.logger.hasWarnings()) throw new Error("the API reference is incomplete");
}
