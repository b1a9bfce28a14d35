/**
 * CommonJS modules in one file, each with the code that V8 has made of it: loading them takes one read and next to no
 * compiling. Where that code is of another V8 it is made anew from the module's text, as ever.
 *
 *     {"modules": [[name, textSize, codeSize], …], "packages": {"commander": name}}\n     then text and code of each
 *
 * A name is a path below the archive, which a module sees as its file's. What is not in the archive is loaded from where it is;
 * `require.import` stands for `import()`, which V8's code does not remember where it belongs.
 * Nothing is imported here: with node:fs alone that would load all streams of Node.js, for some milliseconds.
 */
const fs = process.getBuiltinModule('node:fs');
const { createRequire } = process.getBuiltinModule('node:module');
const path = process.getBuiltinModule('node:path');
const { pathToFileURL } = process.getBuiltinModule('node:url');
const vm = process.getBuiltinModule('node:vm');

/** One module. */
export interface ArchivedModule {
  readonly text: string;
  /** What V8 made of it; undefined before it was used. */
  readonly code?: Uint8Array;
}

interface Index {
  readonly modules: readonly (readonly [name: string, textSize: number, codeSize: number])[];
  readonly packages: Readonly<Record<string, string>>;
}

/** The modules of one archive. */
export class ModuleArchive {
  readonly #file: string;
  readonly #modules: ReadonlyMap<string, ArchivedModule>;
  readonly #packages: Readonly<Record<string, string>>;
  readonly #scripts = new Map<string, InstanceType<typeof vm.Script>>();
  readonly #loaded = new Map<string, { exports: unknown }>();
  readonly #requireElsewhere: (id: string) => unknown;

  /**
   * @param file - where the archive is, or is to be.
   * @param packages - the names of the modules that packages begin with.
   */
  constructor(file: string, modules: ReadonlyMap<string, ArchivedModule>, packages: Readonly<Record<string, string>>) {
    this.#file = file;
    this.#modules = modules;
    this.#packages = packages;
    this.#requireElsewhere = createRequire(file);
  }

  /** @throws the system's error, or a SyntaxError when it is no archive. */
  static read(file: string): ModuleArchive {
    const bytes = fs.readFileSync(file);
    const end = bytes.indexOf('\n');
    const { modules, packages } = JSON.parse(bytes.toString('utf8', 0, end)) as Index;
    let offset = end + 1;
    const entries = modules.map(([name, textSize, codeSize]): [string, ArchivedModule] => {
      const text = bytes.toString('utf8', offset, offset + textSize);
      const code = bytes.subarray(offset + textSize, offset + textSize + codeSize);
      offset += textSize + codeSize;
      return [name, codeSize === 0 ? { text } : { text, code }];
    });
    return new ModuleArchive(file, new Map(entries), packages);
  }

  /** What a module exports. @throws what it throws, or that there is none of that name. */
  load(name: string): unknown {
    const loaded = this.#loaded.get(name);
    if (loaded !== undefined) return loaded.exports;
    const module = { exports: {} };
    this.#loaded.set(name, module);
    const filename = path.join(path.dirname(this.#file), name);
    const require = Object.assign((id: string) => this.#require(id, name), {
      import: (id: string) => this.#import(id, name),
    });
    const run = this.#scriptOf(name, filename).runInThisContext() as (...parameters: readonly unknown[]) => void;
    try {
      run(module.exports, require, module, filename, path.dirname(filename));
    } catch (error) {
      this.#loaded.delete(name);
      throw error;
    }
    return module.exports;
  }

  /** Writes the archive, whole, with the code that V8 has of each module by now. @throws the system's error. */
  write(): void {
    const parts: Uint8Array[] = [];
    const modules = [...this.#modules].map(([name, { text }]): [string, number, number] => {
      const bytes = Buffer.from(text);
      const code = this.#scripts.get(name)?.createCachedData() ?? new Uint8Array(0);
      parts.push(bytes, code);
      return [name, bytes.length, code.length];
    });
    const index: Index = { modules, packages: this.#packages };
    const draft = `${this.#file}.${String(process.pid)}.new`;
    fs.writeFileSync(draft, Buffer.concat([Buffer.from(`${JSON.stringify(index)}\n`), ...parts]));
    fs.renameSync(draft, this.#file);
  }

  #scriptOf(name: string, filename: string): InstanceType<typeof vm.Script> {
    const module = this.#modules.get(name);
    if (module === undefined) throw new Error(`there is no module ${name} in ${this.#file}`);
    const script = new vm.Script(`(function (exports, require, module, __filename, __dirname) {${module.text}\n})`, {
      filename,
      ...(module.code && { cachedData: module.code }),
    });
    this.#scripts.set(name, script);
    return script;
  }

  #require(id: string, from: string): unknown {
    const name = this.#find(id, from);
    return name === undefined ? this.#requireElsewhere(id) : this.load(name);
  }

  async #import(id: string, from: string): Promise<unknown> {
    if (id.startsWith('node:') || this.#find(id, from) !== undefined) return this.#require(id, from);
    const isPath = id.startsWith('.') || path.isAbsolute(id);
    return import(isPath ? pathToFileURL(path.resolve(path.dirname(this.#file), from, '..', id)).href : id);
  }

  /** The module that `id` means, said by another; undefined when it is not in the archive. */
  #find(id: string, from: string): string | undefined {
    const name = id.startsWith('.') ? path.join(path.dirname(from), id) : this.#packages[id];
    return [name, `${name ?? ''}.js`].find((each) => each !== undefined && this.#modules.has(each));
  }
}
