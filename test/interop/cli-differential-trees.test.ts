/** Trees of files, checks and backups: the same commands with both programs, side by side. */
import { compareCommands } from './command-comparison.js';
import { treeScript } from './command-script.js';

compareCommands('trees', treeScript);
