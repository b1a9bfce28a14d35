/**
 * What all pages of the gateway have in common: one frame, a few pieces, and the policy under which they are shown. No page
 * needs a script. Whatever is put into a page is escaped here; what is `Html` has been.
 */
import type { FastifyReply } from 'fastify';

/** The content security policy of our own pages: nothing is loaded, nothing runs, nobody frames them. */
export const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}' +
  'td,th{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top}' +
  'td form{display:inline}code{overflow-wrap:anywhere}fieldset{margin:1rem 0;border:1px solid #999}';

/** Text that is markup already. */
export interface Html {
  readonly html: string;
}

/** The text as HTML shows it, in an element or in a quoted attribute. */
export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

/** Markup; what stands in its places is escaped unless it is markup itself. */
export function markup(
  texts: TemplateStringsArray,
  ...values: readonly (string | number | Html | readonly Html[])[]
): Html {
  const [first = '', ...rest] = texts;
  return { html: rest.reduce((html, text, i) => html + htmlOf(values[i] ?? '') + text, first) };
}

/** A table; without a head where there are no titles. */
export function table(titles: readonly string[], rows: readonly (readonly (string | Html)[])[]): Html {
  const line = (cells: readonly (string | Html)[], name: string): Html => ({
    html: `<tr>${cells.map((cell) => `<${name}>${htmlOf(cell)}</${name}>`).join('')}</tr>\n`,
  });
  const head = titles.length === 0 ? '' : markup`<thead>${line(titles, 'th')}</thead>`;
  return markup`<table>${head}<tbody>\n${rows.map((row) => line(row, 'td'))}</tbody></table>\n`;
}

/** A form whose fields are hidden, but for what `shown` holds. */
export function actionForm(
  action: string,
  fields: Readonly<Record<string, string>>,
  button: string,
  shown: Html | string = '',
): Html {
  const hidden = Object.entries(fields).map(
    ([name, value]) => markup`<input type="hidden" name="${name}" value="${value}">`,
  );
  return markup`<form action="${action}" method="post" enctype="multipart/form-data">${hidden}${shown} <button>${button}</button></form>\n`;
}

/** A whole page. @param title - holds no capability: it is kept in histories. */
export function page(title: string, ...parts: readonly Html[]): string {
  const frame = markup`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${title}</h1>
${parts}
</body>
</html>
`;
  return frame.html;
}

/** Answers with a page. */
export function sendPage(reply: FastifyReply, html: string): FastifyReply {
  return (
    reply
      .header('content-type', 'text/html;charset=utf-8')
      .header('content-security-policy', PAGE_POLICY)
      // With none at all a browser calls the origin of our own forms null, and they could not be told from others'.
      .header('referrer-policy', 'same-origin')
      .send(html)
  );
}

function htmlOf(value: string | number | Html | readonly Html[]): string {
  if (typeof value === 'string' || typeof value === 'number') return escapeHtml(String(value));
  return 'html' in value ? value.html : value.map(htmlOf).join('');
}
