/**
 * Which process a number means. Numbers are given out again, and every container counts its own: in each of them
 * number 1 lives. A process is known by its number together with its start, the boot of the kernel and the process
 * namespace that counts it; of processes elsewhere nothing can be said from here.
 *
 * Where there is no /proc, a number that lives may be anybody's.
 */
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { performance } from 'node:perf_hooks';
import { systemCode } from './durable-file.js';

/** Ticks a second of the times in /proc on every Linux that Node.js runs on. */
const CLOCK_TICKS = 100;

/** A process, told apart from every other. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in ticks since the boot; 0 where the kernel does not tell. */
  readonly startTicks: number;
  /** New at each boot of a kernel; containers of one machine share it. */
  readonly bootId: string;
  /** Which namespace counts the pid. */
  readonly pidNamespace: string;
  /** For people: names of containers are not unique. */
  readonly host: string;
}

/** What became of a process; `unknown` when it ran elsewhere, or the kernel does not tell. */
export type ProcessState = 'lives' | 'gone' | 'unknown';

interface KernelProcess {
  /** One letter: Z and X are dead and only counted still. */
  readonly state: string;
  readonly startTicks: number;
}

/** This process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  const kernel = await kernelProcess('self');
  return {
    pid: process.pid,
    startTicks: kernel?.startTicks ?? 0,
    bootId: (await readText('/proc/sys/kernel/random/boot_id')) ?? hostname(),
    pidNamespace: await readlink('/proc/self/ns/pid').catch(() => ''),
    host: hostname(),
  };
}

/** @param own - this process. */
export async function stateOf(other: ProcessIdentity, own: ProcessIdentity): Promise<ProcessState> {
  if (other.bootId !== own.bootId || other.pidNamespace !== own.pidNamespace) return 'unknown';
  if (!isAlive(other.pid)) return 'gone';
  const kernel = await kernelProcess(other.pid);
  if (kernel === undefined || other.startTicks === 0) return 'unknown';
  return isDead(kernel) || kernel.startTicks !== other.startTicks ? 'gone' : 'lives';
}

/** Whether something has this pid here, a zombie included. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}

/**
 * When a process started, in Unix seconds with two decimals, as psutil computes it: the kernel's boot time and ticks.
 * @returns `gone` when nothing runs under that number; undefined when the kernel does not tell.
 */
export async function createTimeOf(pid: number): Promise<number | 'gone' | undefined> {
  if (!isAlive(pid)) return 'gone';
  const kernel = await kernelProcess(pid);
  if (kernel === undefined) return undefined;
  if (isDead(kernel)) return 'gone';
  const [, bootTime] = /^btime ([0-9]+)$/m.exec((await readText('/proc/stat')) ?? '') ?? [];
  return bootTime === undefined ? undefined : kernel.startTicks / CLOCK_TICKS + Number(bootTime);
}

/** When this process started, in Unix seconds: as the kernel counts it, else as Node.js does. */
export async function ownCreateTime(): Promise<number> {
  const kernel = await createTimeOf(process.pid);
  return typeof kernel === 'number' ? kernel : Math.round(performance.timeOrigin / 10) / 100;
}

/** Fields 3 and 22 of /proc/PID/stat, counted behind the name's last `)`: names may hold anything. */
async function kernelProcess(pid: number | 'self'): Promise<KernelProcess | undefined> {
  const text = await readText(`/proc/${String(pid)}/stat`);
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ') ?? [];
  const [state, startTicks] = [fields[0], Number(fields[19])];
  return state === undefined || !Number.isSafeInteger(startTicks) ? undefined : { state, startTicks };
}

function isDead({ state }: KernelProcess): boolean {
  return state === 'Z' || state === 'X';
}

async function readText(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text?.trim();
}
