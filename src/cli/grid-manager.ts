#!/usr/bin/env node
/** The `grid-manager` command; what it does is grid-manager/program.ts. */
import { homedir } from 'node:os';
import { systemClock } from '#node/clock.js';
import { runGridManager } from './grid-manager/program.js';

const { stdin, stdout, stderr } = process;
// A stream that fails tells who writes to it; without a listener it would end the program instead.
for (const stream of [stdin, stdout, stderr]) stream.on('error', () => undefined);
const status = await runGridManager(process.argv.slice(2), {
  programName: 'grid-manager',
  stdin,
  stdout,
  stderr,
  environment: process.env,
  workingDirectory: process.cwd(),
  homeDirectory: homedir(),
  clock: systemClock,
});
for (const stream of [stdout, stderr]) await new Promise((resolve) => stream.write('', resolve));
process.exit(status);
