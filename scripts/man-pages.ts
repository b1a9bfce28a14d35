/**
 * Writes docs/man, a manual page for each command, and docs/commands.md, all of them on one page: from the same source as
 * their help.
 *
 *     node dist/scripts/man-pages.js
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandsPage } from '#cli/commands-page.js';
import { mainManPage, manPage, manPageName } from '#cli/man-page.js';
import { describeCommands } from '#cli/whole-program.js';

const directory = fileURLToPath(new URL('../../docs/man', import.meta.url));
const commands = await describeCommands();
rmSync(directory, { recursive: true, force: true });
mkdirSync(directory, { recursive: true });
writeFileSync(join(directory, 'tallac.1'), mainManPage(commands));
for (const command of commands) writeFileSync(join(directory, manPageName(command)), manPage(command));
writeFileSync(join(directory, '../commands.md'), commandsPage(commands));
