/**
 * What `cp` copies: files and directories, here or in the grid.
 * @see Tahoe-LAFS docs/frontends/CLI.rst, "tahoe cp"
 */

/** A file that is open for reading; the caller closes it. */
export interface OpenSource {
  /** In bytes; undefined when it is not known. */
  readonly sizeBytes: number | undefined;
  /** Its content, once. */
  read(): AsyncGenerator<Uint8Array, void>;
  close(): Promise<void>;
}

/** A file to be copied. */
export interface SourceFile {
  readonly kind: 'file';
  /** undefined for what is named by its capability alone. */
  readonly name: string | undefined;
  /** That of an immutable file of the grid, which another directory can name as well; else undefined. A secret. */
  readonly linkable: string | undefined;
  /** As far as it is known before it is opened, in bytes. */
  readonly sizeBytes?: number;
  /** @throws ERR_FILE, ERR_GATEWAY, ERR_GATEWAY_REPLY, ERR_TIMEOUT. */
  open(): Promise<OpenSource>;
}

/** A directory to be copied. */
export interface SourceDirectory {
  readonly kind: 'directory';
  readonly name: string | undefined;
  /** @throws ERR_FILE, ERR_GATEWAY, ERR_GATEWAY_REPLY, ERR_TIMEOUT; ERR_USAGE for what cannot be copied. */
  children(): Promise<readonly Source[]>;
}

/** Either of them. */
export type Source = SourceFile | SourceDirectory;
