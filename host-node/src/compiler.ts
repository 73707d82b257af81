// What build.ts uses of the AssemblyScript compiler's interface. Its own type declarations put the
// names of the language (i32, console, memory, ...) into every file's global scope, so they are not
// imported; and the compiler is loaded when a build asks for it, as it is large.

export const DiagnosticCategory = { WARNING: 2, ERROR: 3 } as const;

export interface Diagnostic {
  readonly message: string;
  readonly code: number;
  readonly category: number;
  readonly range: {
    readonly start: number;
    readonly source: { readonly normalizedPath: string } | null;
  } | null;
}

interface CompilerHooks {
  readonly stdout: unknown;
  readonly stderr: unknown;
  readFile(name: string, base: string): Promise<string | null>;
  writeFile(name: string, contents: Uint8Array | string, base: string): void;
  listFiles(directory: string, base: string): string[] | null;
  reportDiagnostic(diagnostic: Diagnostic): void;
}

export interface Compiler {
  main(args: string[], hooks: CompilerHooks): Promise<{ error: Error | null }>;
  createMemoryStream(): unknown;
}

export async function loadCompiler(): Promise<Compiler> {
  const specifier: string = "assemblyscript/asc";
  const module = (await import(specifier)) as { default: Compiler };
  return module.default;
}
