/**
 * Hostile pages in a real browser, against our gateway: whatever they try, by forms, scripts, pictures, WebSockets, a name that
 * leads to this machine, or as a file that somebody has stored, changes nothing and tells them nothing. That the browser
 * would have done all of it for a careless gateway is shown beside it.
 */
import t from 'tap';
import type { Test } from 'tap';
import { Browser } from '#test/fixtures/browser.js';
import type { Page } from '#test/fixtures/browser.js';
import { findProgram } from '#test/fixtures/foreign-programs.js';
import { ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridNode } from '#test/fixtures/process-grid.js';
import { ask, pathOf, putFile } from './gateway-talk.js';
import { attack, attackFromAnywhere, formPage, HostileSite, STORED_PAGES, storedPage } from './hostile-pages.js';
import type { Target } from './hostile-pages.js';

const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
/** Long enough for whatever a page might still do when it is there. */
const AFTERWARDS_MS = 1_500;

const chromium = findProgram(t, 'chromium');
if (chromium !== undefined) await visit(chromium);

async function visit(program: string): Promise<void> {
  const encoding = { needed: 1, happy: 1, total: 1 };
  const grid = await ProcessGrid.start({ storage: ['ours'], gateways: ['ours'], encoding });
  t.teardown(() => grid.stop());
  const browser = await Browser.start(program);
  t.teardown(() => browser.close());
  const gateway = grid.gateway('ours');
  const target = await targetAt(gateway);
  const { port } = new URL(target.base);

  await t.test('all of it works with a careless target', { timeout: 120_000 }, async (t) => {
    const careless = new HostileSite(new Map(), true);
    const base = `http://evil.example:${String(await careless.listen())}/`;
    t.teardown(() => careless.close());
    const page = await browser.page();
    await page.open(base);
    const results = await page.evaluate(attackFromAnywhere({ base, directory: 'd', file: 'f', picture: 'picture' }));
    const attacks = Object.entries(results as Record<string, boolean>);
    t.ok(attacks.length >= 10);
    for (const [name, isDone] of attacks) t.ok(isDone, name);
    const posts = careless.seen.filter(({ method }) => method === 'POST');
    t.ok(posts.length >= 8, 'blind requests arrive');
  });

  await t.test('scripts of another site', { timeout: 240_000 }, async (t) => {
    const { page, close } = await siteIn(browser);
    t.teardown(close);
    for (const base of [target.base, `http://localhost:${port}/`]) {
      await unchanged(t, gateway, target, async () => {
        await fails(t, await page.evaluate(attack({ ...target, base })));
      });
    }
  });

  await t.test('forms of another site', { timeout: 240_000 }, async (t) => {
    const directory = `${target.base}uri/${target.directory}`;
    const types = ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain'] as const;
    const forms = [
      { action: `${target.base}uri?t=mkdir`, fields: {} },
      { action: directory, fields: { t: 'mkdir', name: 'made' } },
      { action: `${directory}?t=unlink&name=kept`, fields: {} },
      { action: `${directory}?t=set_children`, fields: { '{"x": 1, "y': '": 2}' } },
      { action: `${target.base}operations/x?t=cancel`, fields: {} },
    ];
    const pages = types.flatMap((type) =>
      forms.map((form, i) => [`/${type}/${String(i)}`, formPage({ ...form, type })] as const),
    );
    const { page, origin, close } = await siteIn(browser, new Map(pages));
    t.teardown(close);
    await unchanged(t, gateway, target, async () => {
      for (const [path] of pages) {
        await page.open(`${origin}${path.slice(1)}`);
        await page.leave('document.forms[0].submit()');
        t.match(await page.evaluate('document.body.innerText'), /another site/, path);
      }
    });
  });

  await t.test('a foreign name that leads to the gateway', { timeout: 240_000 }, async (t) => {
    const page = await browser.page();
    // Its page might have come from elsewhere a moment ago, with no policy that stands in its way.
    await page.call('Page.setBypassCSP', { enabled: true });
    await unchanged(t, gateway, target, async () => {
      const base = `http://evil.example:${port}/`;
      await page.open(`${base}uri/${target.directory}`);
      t.match(await page.evaluate('document.body.innerText'), /421/);
      await fails(t, await page.evaluate(attackFromAnywhere({ ...target, base })));
    });
  });

  await t.test('pages in frames', { timeout: 120_000 }, async (t) => {
    const careless = new HostileSite(new Map(), true);
    const other = `http://other.example:${String(await careless.listen())}/`;
    t.teardown(() => careless.close());
    const frames = [other, `${target.base}uri/${target.directory}`, target.base].map(
      (url) => `<iframe src="${url}"></iframe>`,
    );
    const { page, origin, close } = await siteIn(browser, new Map([['/', frames.join('')]]));
    t.teardown(close);
    await page.open(origin);
    const { frameTree } = await page.call('Page.getFrameTree');
    const shown = (frameTree as { childFrames: { frame: { url: string } }[] }).childFrames.map(
      ({ frame }) => frame.url,
    );
    t.strictSame(shown, [other, ...Array<string>(2).fill('chrome-error://chromewebdata/')]);
  });

  await t.test('pages and pictures that somebody has stored', { timeout: 240_000 }, async (t) => {
    const { site, origin, close } = await siteIn(browser);
    t.teardown(close);
    const careless = new HostileSite(
      new Map(
        STORED_PAGES.map((name) => [`/${name}`, storedPage(name, { ...target, base: 'http://x.example/' }, origin)]),
      ),
    );
    const open = `http://open.example:${String(await careless.listen())}/`;
    t.teardown(() => careless.close());
    for (const name of STORED_PAGES) {
      site.seen.length = 0;
      await titleAfter(browser, `${open}${name}`);
      t.ok(
        site.seen.some(({ url }) => url?.startsWith('/run')),
        `${name} runs where nothing stands in its way`,
      );
    }
    site.seen.length = 0;
    await unchanged(t, gateway, target, async () => {
      for (const name of STORED_PAGES) {
        const stored = await putFile(gateway, Buffer.from(storedPage(name, target, origin)));
        for (const address of [`uri/${stored}?filename=${name}`, `file/${stored}/${name}`]) {
          t.not(await titleAfter(browser, `${target.base}${address}`), 'pwned', address.replace(stored, 'CAP'));
        }
      }
    });
    t.ok(
      site.seen.some(({ url }) => url?.startsWith('/seen') === true),
      'its pictures are shown',
    );
    for (const { url, headers } of site.seen) {
      t.notMatch(url, /URI|run|sent|refreshed/, 'and nothing else of it reaches its author');
      t.equal(headers.referer, undefined, 'who does not learn where it is');
    }
  });

  await t.test('names in a listing are text', { timeout: 60_000 }, async (t) => {
    const directory = (await ask(gateway, 'uri?t=mkdir', { method: 'POST' })).body.toString();
    const names = [
      '<img src=x onerror="document.title=`pwned`">',
      '"><script>document.title="pwned"</script>',
      'javascript:alert(1)',
    ];
    for (const name of names) {
      await ask(gateway, `${pathOf(directory)}/${encodeURIComponent(name)}`, { method: 'PUT', body: Buffer.from('x') });
    }
    const page = await browser.page();
    await page.call('Page.setBypassCSP', { enabled: true });
    await page.open(`${target.base}${pathOf(directory)}`);
    t.equal(await page.evaluate('document.images.length + document.scripts.length'), 0);
    const shown = await page.evaluate('document.body.innerText');
    for (const name of names) t.ok(String(shown).includes(name));
    t.not(await page.evaluate('document.title'), 'pwned');
  });

  await t.test("the gateway's own pages work", { timeout: 120_000 }, async (t) => {
    for (const base of [target.base, `http://localhost:${port}/`]) {
      const directory = (await ask(gateway, 'uri?t=mkdir', { method: 'POST' })).body.toString();
      const page = await browser.page();
      await page.open(`${base}${pathOf(directory)}`);
      const form = `[...document.forms].find((form) => form.innerText.includes('Make'))`;
      await page.leave(`(() => { const form = ${form}; form.elements.name.value = 'made here'; form.submit(); })()`);
      t.match(await page.evaluate('document.body.innerText'), /made here/);
      t.notMatch(await page.evaluate('document.title'), /URI/);
      await page.leave(`document.querySelector('a[href*="made"]').click()`);
      await page.open(`${base}${pathOf(directory)}?t=info`);
      await page.leave(`[...document.forms].find((form) => form.innerText.includes('Check')).submit()`);
      t.match(await page.evaluate('document.body.innerText'), /Healthy/i);
    }
  });
}

async function targetAt(gateway: GridNode): Promise<Target> {
  const directory = (await ask(gateway, 'uri?t=mkdir', { method: 'POST' })).body.toString();
  await ask(gateway, `${pathOf(directory)}/kept`, { method: 'PUT', body: Buffer.from('kept'.repeat(100)) });
  const file = await putFile(gateway, Buffer.from('a secret'.repeat(100)));
  return { base: await gateway.url(), directory, file, picture: `${await putFile(gateway, PIXEL)}?filename=a.png` };
}

interface VisitedSite {
  readonly site: HostileSite;
  readonly page: Page;
  readonly origin: string;
  close(): void;
}

/** A hostile site, and a page that shows its first page. */
async function siteIn(browser: Browser, pages: ReadonlyMap<string, string> = new Map()): Promise<VisitedSite> {
  const site = new HostileSite(pages);
  const origin = `http://evil.example:${String(await site.listen())}/`;
  const page = await browser.page();
  await page.open(origin);
  return { site, page, origin, close: () => site.close() };
}

/** What is stored, and how much has been, is the same before and after. */
async function unchanged(
  t: Test,
  gateway: GridNode,
  { directory }: Target,
  action: () => Promise<void>,
): Promise<void> {
  const look = async (): Promise<unknown> => {
    const listing = JSON.parse((await ask(gateway, `${pathOf(directory)}?t=json`)).body.toString()) as unknown;
    const { counters } = JSON.parse((await ask(gateway, 'statistics?t=json')).body.toString()) as {
      counters: Record<string, number>;
    };
    const made = Object.entries(counters).filter(([name]) => /publish/.test(name));
    return [listing, made];
  };
  const before = await look();
  await action();
  t.strictSame(await look(), before, 'nothing has changed');
}

async function fails(t: Test, results: unknown): Promise<void> {
  const attacks = Object.entries(results as Record<string, boolean>);
  t.ok(attacks.length >= 10);
  for (const [name, isDone] of attacks) t.equal(isDone, false, name);
}

/** What a page is called some time after it was opened. */
async function titleAfter(browser: Browser, url: string): Promise<string> {
  const page = await browser.page();
  await page.open(url);
  await new Promise((resolve) => setTimeout(resolve, AFTERWARDS_MS));
  const { targetInfo } = await page.call('Target.getTargetInfo');
  await page.call('Page.close');
  return String((targetInfo as { readonly title?: string }).title);
}
