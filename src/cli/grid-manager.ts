#!/usr/bin/env node
/** The `grid-manager` command; what it does is grid-manager/program.ts. */
import { runGridManager } from './grid-manager/program.js';
import { inOwnProcess } from './own-process.js';

const words = process.argv.slice(2);
process.exit(await inOwnProcess('grid-manager', (surroundings) => runGridManager(words, surroundings)));
