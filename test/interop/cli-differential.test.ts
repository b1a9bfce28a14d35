/** Files, directories and aliases: the same commands with both programs, side by side. */
import t from 'tap';
import { compareCommands } from './command-comparison.js';
import { singleScript, treeScript } from './command-script.js';

t.ok(singleScript.length + treeScript.length >= 150, 'there are 150 commands and more');
compareCommands('single files and directories', singleScript);
