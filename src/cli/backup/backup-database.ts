/**
 * backupdb.sqlite: which files and directories earlier backups have stored, and as what. The reference keeps the same
 * file, so that a backup with one program uses what the other has stored.
 *
 *   version(version)                                     one row: 2
 *   local_files(path, size, mtime, ctime, fileid)        absolute paths; times in whole seconds
 *   caps(fileid, filecap)                                last_upload(fileid, last_uploaded, last_checked)
 *   directories(dirhash, dircap, last_uploaded, last_checked)
 *
 * The reference has capabilities and hashes as blobs, so they are blobs here; older files hold texts.
 *
 * It is read as a whole, and written as a whole in the place of the old one: a crash leaves the last one that was
 * saved. The capabilities in it are secrets.
 * @see Tahoe-LAFS docs/backupdb.rst
 */
import { readFile, stat } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import initSqlJs from 'sql.js';
import type { Database, SqlJsStatic, SqlValue, Statement } from 'sql.js';
import { formatBase32 } from '#core/base32.js';
import { fromUtf8, join, utf8 } from '#core/bytes.js';
import type { BulkCrypto } from '#core/crypto.js';
import { deriveBackupDirectoryHash } from '#core/derive.js';
import { encodeNetstring } from '#core/netstring.js';
import { TahoeError, reasonOf } from '#core/errors.js';
import { replaceFile, systemCode } from '#node/durable-file.js';
import { localFileError } from '../local-file.js';
import { wholeSeconds } from './file-metadata.js';

/**
 * What a function of SQLite has to do before it is compiled once more, for speed: about so many bytes, a hundred times what is
 * usual. That compiling takes as long as a small backup in all, and the process waits for it at its end.
 */
const TIERING_BUDGET = 200_000_000;
const MODE = 0o600;
const VERSION = 2;
const MONTH_SECONDS = 30 * 24 * 60 * 60;

const FIRST_TABLES = `
CREATE TABLE version (version INTEGER);
CREATE TABLE local_files (path VARCHAR(1024) PRIMARY KEY, size INTEGER, mtime NUMBER, ctime NUMBER, fileid INTEGER);
CREATE TABLE caps (fileid INTEGER PRIMARY KEY AUTOINCREMENT, filecap VARCHAR(256) UNIQUE);
CREATE TABLE last_upload (fileid INTEGER PRIMARY KEY, last_uploaded TIMESTAMP, last_checked TIMESTAMP);
`;
const DIRECTORY_TABLE = `
CREATE TABLE directories (dirhash VARCHAR(256) PRIMARY KEY, dircap VARCHAR(256), last_uploaded TIMESTAMP, last_checked TIMESTAMP);
`;

/** What an earlier backup has stored. */
export interface EarlierCopy {
  /** A secret. */
  readonly capability: string;
  /** Whether it is so long ago that the servers should be asked whether it is still there. */
  readonly isDue: boolean;
}

/** A file as the database knows it. */
export interface KnownFile {
  /** Absolute. */
  readonly path: string;
  readonly stats: BigIntStats;
}

/** What the database is opened with. */
export interface DatabaseSurroundings {
  /** Unix seconds. */
  readonly now: () => number;
  /** From 0 up to 1. */
  readonly chance: () => number;
  readonly crypto: BulkCrypto;
}

let sqlite: Promise<SqlJsStatic> | undefined;

/**
 * Has SQLite made ready, once, by other threads. Not all of it is compiled there: that would keep them busy for longer than
 * the functions take that are used.
 */
export function loadSqlite(): Promise<SqlJsStatic> {
  if (sqlite === undefined) {
    setFlagsFromString(`--wasm-tiering-budget=${String(TIERING_BUDGET)}`);
    sqlite = initSqlJs();
  }
  return sqlite;
}

/** The database. The caller closes it, after `save`. */
export class BackupDatabase {
  readonly #path: string;
  readonly #database: Database;
  readonly #surroundings: DatabaseSurroundings;
  /** By their texts: to read a statement takes many times as long as to carry it out. */
  readonly #statements = new Map<string, Statement>();
  #isChanged: boolean;

  private constructor(path: string, database: Database, surroundings: DatabaseSurroundings, isNew: boolean) {
    this.#path = path;
    this.#database = database;
    this.#surroundings = surroundings;
    this.#isChanged = isNew;
  }

  /**
   * Opens the database, or begins one.
   * @throws ERR_FILE when it cannot be read or is none, or another program has left it in mid-change.
   */
  static async open(path: string, surroundings: DatabaseSurroundings): Promise<BackupDatabase> {
    const bytes = await readIfThere(path);
    await refuseJournal(path);
    const { Database } = await loadSqlite();
    const database = new Database(bytes);
    try {
      prepare(database, bytes === undefined);
      // One transaction between two times that it is saved: each statement by itself would cost ten times as much.
      database.run('BEGIN');
    } catch (error) {
      database.close();
      const reason = `it is no database of backups (${reasonOf(error)}); move it away to begin a new one`;
      throw new TahoeError('ERR_FILE', { file: path, reason }, { cause: error });
    }
    return new BackupDatabase(path, database, surroundings, bytes === undefined);
  }

  /** What an earlier backup has stored of the file, if it has not changed since. */
  findFile({ path, stats }: KnownFile, usesTimes: boolean): EarlierCopy | undefined {
    const [known] = this.#rows('SELECT size, mtime, ctime, fileid FROM local_files WHERE path = ?', [path]);
    if (known === undefined) return undefined;
    const query =
      'SELECT caps.filecap, last_upload.last_checked FROM caps, last_upload WHERE caps.fileid = ? AND last_upload.fileid = ?';
    const [stored] = this.#rows(query, [known[3] ?? null, known[3] ?? null]);
    const [size, mtime, ctime] = timesOf(stats);
    const isSame = usesTimes && known[0] === size && known[1] === mtime && known[2] === ctime;
    if (isSame && stored !== undefined) return this.#copy(stored);
    this.#change('DELETE FROM local_files WHERE path = ?', [path]);
    return undefined;
  }

  /** The file has been stored. */
  addFile({ path, stats }: KnownFile, capability: string): void {
    const now = this.#surroundings.now();
    const blob = utf8(capability);
    this.#change('INSERT OR IGNORE INTO caps (filecap) VALUES (?)', [blob]);
    const fileid = this.#rows('SELECT fileid FROM caps WHERE filecap = ?', [blob])[0]?.[0] ?? null;
    this.#change('REPLACE INTO last_upload VALUES (?, ?, ?)', [fileid, now, now]);
    this.#change('REPLACE INTO local_files VALUES (?, ?, ?, ?, ?)', [path, ...timesOf(stats), fileid]);
  }

  /** A file was found to be all there. */
  confirmFile(capability: string): void {
    const fileid = 'SELECT fileid FROM caps WHERE CAST(filecap AS BLOB) = ?';
    const now = this.#surroundings.now();
    this.#change(`UPDATE last_upload SET last_checked = ? WHERE fileid IN (${fileid})`, [now, utf8(capability)]);
  }

  /** What an earlier backup has stored of a directory with these entries, whatever it was called. */
  findDirectory(contents: ReadonlyMap<string, string>): EarlierCopy | undefined {
    const query = 'SELECT dircap, last_checked FROM directories WHERE dirhash = ?';
    const [stored] = this.#rows(query, [this.#hashOf(contents)]);
    return stored === undefined ? undefined : this.#copy(stored);
  }

  /** The directory has been stored. @param contents - capabilities by name. */
  addDirectory(contents: ReadonlyMap<string, string>, capability: string): void {
    const now = this.#surroundings.now();
    this.#change('REPLACE INTO directories VALUES (?, ?, ?, ?)', [this.#hashOf(contents), utf8(capability), now, now]);
  }

  /** A directory was found to be all there. */
  confirmDirectory(capability: string): void {
    const command = 'UPDATE directories SET last_checked = ? WHERE CAST(dircap AS BLOB) = ?';
    this.#change(command, [this.#surroundings.now(), utf8(capability)]);
  }

  /** Writes what has changed. @throws ERR_NO_SPACE, ERR_FILE. */
  async save(): Promise<void> {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    this.#database.run('COMMIT');
    // That ends all statements.
    this.#statements.clear();
    const bytes = this.#database.export();
    this.#database.run('BEGIN');
    await replaceFile(this.#path, bytes, MODE);
  }

  /** Lets go of its memory. */
  close(): void {
    this.#database.close();
  }

  #copy([capability, checked]: readonly SqlValue[]): EarlierCopy {
    const age = this.#surroundings.now() - Number(checked);
    // Never in the first month, always after the second, and more likely from day to day in between.
    const probability = (age - MONTH_SECONDS) / MONTH_SECONDS;
    return { capability: textOf(capability), isDue: this.#surroundings.chance() < probability };
  }

  #hashOf(contents: ReadonlyMap<string, string>): Uint8Array {
    const entries = [...contents].map(([name, capability]) => [utf8(name), utf8(capability)] as const);
    entries.sort(([a], [b]) => Buffer.compare(a, b));
    const strings = entries.flatMap((pair) => pair.map((bytes) => encodeNetstring(bytes)));
    return utf8(formatBase32(deriveBackupDirectoryHash(this.#surroundings.crypto, join(strings))));
  }

  #rows(query: string, values: SqlValue[]): readonly SqlValue[][] {
    const statement = this.#statement(query);
    statement.bind(values);
    const rows: SqlValue[][] = [];
    while (statement.step()) rows.push(statement.get());
    statement.reset();
    return rows;
  }

  #change(command: string, values: SqlValue[]): void {
    this.#statement(command).run(values);
    this.#isChanged = true;
  }

  #statement(text: string): Statement {
    const statement = this.#statements.get(text) ?? this.#database.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  }
}

function prepare(database: Database, isNew: boolean): void {
  if (isNew) {
    database.run(FIRST_TABLES + DIRECTORY_TABLE);
    database.run('INSERT INTO version (version) VALUES (?)', [VERSION]);
  }
  const version = database.exec('SELECT version FROM version')[0]?.values[0]?.[0];
  if (version === VERSION) return;
  if (version !== 1) throw new TypeError(`its version is ${String(version)}`);
  database.run(DIRECTORY_TABLE);
  database.run('UPDATE version SET version = ?', [VERSION]);
}

function textOf(value: SqlValue | undefined): string {
  return value instanceof Uint8Array ? fromUtf8(value) : String(value);
}

function timesOf({ size, mtimeNs, ctimeNs }: BigIntStats): [size: number, mtime: number, ctime: number] {
  return [Number(size), wholeSeconds(mtimeNs), wholeSeconds(ctimeNs)];
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw localFileError(path, error);
  }
}

/** A journal beside it that is not empty holds what must be undone first, and only SQLite itself does that. */
async function refuseJournal(path: string): Promise<void> {
  const journal = `${path}-journal`;
  const size = await stat(journal).then(
    (stats) => stats.size,
    () => 0,
  );
  if (size === 0) return;
  const reason = 'a backup with tahoe-lafs was cut off; run one with it again, or move this file and the database away';
  throw new TahoeError('ERR_FILE', { file: journal, reason });
}
