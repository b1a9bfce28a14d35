/** What the owner of a gateway prohibits, by a line for each storage index. */
import { differs, get, head, post, put } from './step.js';
import type { Step } from './step.js';

const text = '# prohibited\n{chk-index} a court says so\n{sdmf-index} and another\n{kids-index} a directory\n';

/** In this order, and last. */
export const blacklisted: readonly Step[] = [
  post('uri/{dir}?t=uri&name=prohibited&uri={chk}'),
  post('uri/{dir}?t=uri&name=prohibited-sdmf&uri={sdmf}'),
  post('uri/{dir}?t=uri&name=prohibited-dir&uri={kids}'),
  get('uri/{chk}', { writes: { file: 'access.blacklist', text } }),
  differs('W10', 200, head('uri/{chk}')),
  get('uri/{chk}?t=uri'),
  get('uri/{dir}/prohibited'),
  get('uri/{dir}/prohibited-sdmf'),
  get('uri/{sdmf}'),
  get('uri/{sdmf}?t=json'),
  put('uri/{sdmf}', 'x'),
  get('uri/{kids}?t=uri'),
  get('uri/{kids}/file'),
  get('uri/{dir}/prohibited-dir/file'),
  put('uri/{kids}/new', 'x'),
  differs('W10', 403, post('uri/{chk}?t=check&output=JSON')),
  get('uri/{dir}?t=uri'),
  get('uri/{mdmf}'),
];
