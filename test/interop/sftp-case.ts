/** One case of the script that runs against the SFTP servers of both programs, and how one is written down. */
import type { FileEntryWithStats, Stats } from 'ssh2';
import { called, statusOf, told, WRITE_ANEW } from '#test/fixtures/sftp-user.js';
import type { SftpUser } from '#test/fixtures/sftp-user.js';

/** One side: a user, and capabilities of its own grid user by name. */
export interface ScriptSide {
  readonly user: SftpUser;
  readonly capabilities: Readonly<Record<string, string>>;
}

/** One case. */
export interface SftpCase {
  readonly name: string;
  readonly run: (side: ScriptSide) => Promise<unknown>;
  /** An accepted difference: its number in docs/differences.md, and what we answer. */
  readonly differs?: { readonly number: string; readonly ours: unknown };
}

/** What a call comes to: its result, or its status as a number. */
export async function outcome(call: Promise<unknown>): Promise<unknown> {
  try {
    return (await call) ?? 'done';
  } catch (error) {
    return statusOf(error);
  }
}

export function the(name: string, run: SftpCase['run']): SftpCase {
  return { name, run: (side) => outcome(run(side)) };
}

export function differs(number: string, ours: unknown, one: SftpCase): SftpCase {
  return { ...one, differs: { number, ours } };
}

export const bytes = (size: number): Buffer =>
  Buffer.from(Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) & 255));
export const put = (path: string, size: number, flags = WRITE_ANEW): SftpCase =>
  the(`put ${path}, ${String(size)} bytes, flags ${String(flags)}`, ({ user }) => user.put(path, bytes(size), flags));
export const get = (path: string): SftpCase =>
  the(`get ${path}`, async ({ user }) => (await user.get(path)).toString('base64').slice(0, 400));
export const stat = (path: string): SftpCase => the(`stat ${path}`, async ({ user }) => told(await user.stat(path)));
export const lstat = (path: string): SftpCase =>
  the(`lstat ${path}`, async ({ user }) => told(await called<Stats>((back) => user.sftp.lstat(path, back))));
export const list = (path: string): SftpCase => the(`list ${path}`, async ({ user }) => listed(await user.list(path)));
export const mkdir = (path: string, mode = 0o755): SftpCase =>
  the(`mkdir ${path} ${mode.toString(8)}`, ({ user }) =>
    called((back) => user.sftp.mkdir(path, { mode }, (error) => back(error, undefined))),
  );
export const rmdir = (path: string): SftpCase =>
  the(`rmdir ${path}`, ({ user }) => called((back) => user.sftp.rmdir(path, (error) => back(error, undefined))));
export const remove = (path: string): SftpCase =>
  the(`remove ${path}`, ({ user }) => called((back) => user.sftp.unlink(path, (error) => back(error, undefined))));
export const rename = (from: string, to: string): SftpCase =>
  the(`rename ${from} ${to}`, ({ user }) =>
    called((back) => user.sftp.rename(from, to, (error) => back(error, undefined))),
  );
export const posixRename = (from: string, to: string): SftpCase =>
  the(`posix-rename ${from} ${to}`, ({ user }) =>
    called((back) => user.sftp.ext_openssh_rename(from, to, (error) => back(error, undefined))),
  );
export const realpath = (path: string): SftpCase =>
  the(`realpath ${path}`, ({ user }) => called<string>((back) => user.sftp.realpath(path, back)));
export const chmod = (path: string, mode: number): SftpCase =>
  the(`chmod ${path} ${mode.toString(8)}`, ({ user }) =>
    called((back) => user.sftp.setstat(path, { mode }, (error) => back(error, undefined))),
  );
/** Opens a file, does something with it, closes it. */
export const opened = (
  what: string,
  path: string,
  flags: number,
  work: (side: ScriptSide, handle: Buffer) => Promise<unknown>,
): SftpCase =>
  the(`open ${path} ${String(flags)}: ${what}`, async (side) => {
    const handle = await side.user.open(path, flags);
    const worked = await outcome(work(side, handle));
    return [worked, await outcome(side.user.closeHandle(handle))];
  });
export const open = (path: string, flags: number): SftpCase =>
  opened('nothing', path, flags, () => Promise.resolve('open'));

export function listed(entries: readonly FileEntryWithStats[]): unknown {
  return entries
    .map(({ attrs, filename, longname }) => ({ filename, ...told(attrs), kind: longname.slice(0, 10) }))
    .sort((a, b) => (a.filename < b.filename ? -1 : 1));
}

/** The same with a path that begins with a capability of the side's. */
export const byCapability = (name: string, rest: string, make: (path: string) => SftpCase): SftpCase => ({
  name: make(`/uri/{${name}}${rest}`).name,
  run: (side) => make(`/uri/${side.capabilities[name] ?? ''}${rest}`).run(side),
});

export const fstat = async ({ user }: ScriptSide, handle: Buffer): Promise<unknown> =>
  told(await called<Stats>((back) => user.sftp.fstat(handle, back)));
export const fsetSize = ({ user }: ScriptSide, handle: Buffer, size: number): Promise<unknown> =>
  called((back) => user.sftp.fsetstat(handle, { size }, (error) => back(error, undefined)));
