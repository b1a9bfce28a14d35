/** Checks, repairs, walks, and operations with handles, of what the earlier parts of the script have made. */
import { crash, differs, form, get, post } from './step.js';
import type { Step } from './step.js';

const finished = /"finished": true|finished: yes/;

const single: readonly Step[] = [
  post('uri/{chk}?t=check&output=JSON', '', { comparison: 'unordered' }),
  post('uri/{chk}?t=check&output=json&verify=true', '', { comparison: 'unordered' }),
  post('uri/{chk}?t=check&output=JSON&verify=true&repair=true&add-lease=true', '', { comparison: 'unordered' }),
  post('uri/{chk}?t=check', '', { comparison: 'kind' }),
  post('uri/{chk}?t=check&repair=true&return_to=.', '', { comparison: 'kind' }),
  post('uri/{chk}?t=check&output=HTML', '', { comparison: 'kind' }),
  form('uri/{chk}', { t: 'check', verify: 'on', output: 'JSON' }, { comparison: 'unordered' }),
  post('uri/{chk}?t=check&when_done=/done'),
  post('uri/{chk}?t=check&verify=perhaps'),
  post('uri/{lit}?t=check&output=JSON'),
  post('uri/{lit}?t=check&repair=true&output=JSON'),
  post('uri/{lit}?t=check', '', { comparison: 'kind' }),
  post('uri/{sdmf}?t=check&output=JSON', '', { comparison: 'unordered' }),
  post('uri/{sdmf}?t=check&output=JSON&verify=true&repair=true', '', { comparison: 'unordered' }),
  post('uri/{sdmf-ro}?t=check&output=JSON&repair=true', '', { comparison: 'unordered' }),
  post('uri/{mdmf}?t=check&output=JSON&verify=true', '', { comparison: 'unordered' }),
  post('uri/{dir}?t=check&output=JSON', '', { comparison: 'unordered' }),
  post('uri/{dir}?t=check&repair=true&output=JSON', '', { comparison: 'unordered' }),
  post('uri/{dir}?t=check', '', { comparison: 'kind' }),
  post('uri/{dir}/file.txt?t=check&output=JSON', '', { comparison: 'unordered' }),
  post('uri/{frozen-many}?t=check&output=JSON', '', { comparison: 'unordered' }),
  get('uri/{dir}?t=manifest'),
  get('uri/{dir}?t=stream-manifest'),
];

const streams: readonly Step[] = [
  post('uri/{tree}?t=stream-manifest', '', { comparison: 'lines' }),
  post('uri/{frozen-many}?t=stream-manifest', '', { comparison: 'lines' }),
  post('uri/{tree}/deep?t=stream-manifest', '', { comparison: 'lines' }),
  post('uri/{tree}?t=stream-deep-check', '', { comparison: 'lines' }),
  post('uri/{tree}?t=stream-deep-check&verify=true&add-lease=true', '', { comparison: 'lines' }),
  post('uri/{tree}?t=stream-deep-check&repair=true', '', { comparison: 'lines' }),
  form('uri/{tree}', { t: 'stream-deep-check', verify: 'true' }, { comparison: 'lines' }),
  post('uri/{chk}?t=stream-manifest'),
  post('uri/{tree}?t=stream-deep-check&verify=perhaps'),
];

const operations: readonly Step[] = [
  post('uri/{tree}?t=start-manifest&ophandle=m1&output=JSON'),
  get('operations/m1?output=JSON', { until: finished, comparison: 'unordered' }),
  get('operations/m1?output=text', { comparison: 'kind' }),
  get('operations/m1', { comparison: 'kind' }),
  get('operations/m1?output=html&t=status', { comparison: 'kind' }),
  get('operations/m1?output=nonsense'),
  post('uri/{tree}?t=start-deep-size&ophandle=s1'),
  get('operations/s1', { until: finished, comparison: 'kind' }),
  get('operations/s1?output=text', { comparison: 'kind' }),
  get('operations/s1?output=JSON', { comparison: 'unordered' }),
  post('uri/{tree}?t=start-deep-stats&ophandle=t1&output=text'),
  get('operations/t1', { until: finished, comparison: 'unordered' }),
  get('operations/t1?output=JSON', { comparison: 'unordered' }),
  post('uri/{tree}?t=start-deep-check&ophandle=c1'),
  get('operations/c1?output=JSON', { until: finished, comparison: 'unordered' }),
  get('operations/c1', { comparison: 'kind' }),
  get('operations/c1/{chk-index}?output=JSON', { comparison: 'unordered' }),
  get('operations/c1/{chk-index}', { comparison: 'kind' }),
  get('operations/c1/aaaaaaaaaaaaaaaaaaaaaaaaaa'),
  crash(get('operations/c1/!'), 404),
  post('uri/{tree}?t=start-deep-check&ophandle=r1&verify=true&repair=true&add-lease=true'),
  get('operations/r1?output=JSON', { until: finished, comparison: 'unordered' }),
  get('operations/r1', { comparison: 'kind' }),
  get('operations/r1/{chk-index}?output=JSON', { comparison: 'unordered' }),
  form('uri/{tree}', { t: 'start-deep-stats', ophandle: 'f1' }),
  get('operations/f1', { until: finished, comparison: 'unordered' }),
  get('operations/f1?release-after-complete=true', { comparison: 'unordered' }),
  get('operations/f1'),
  post('operations/t1?t=cancel', '', { comparison: 'unordered' }),
  get('operations/t1'),
  get('operations/s1?retain-for=0', { comparison: 'kind' }),
  get('operations/unknown'),
  post('operations/unknown?t=cancel'),
  post('uri/{tree}?t=start-manifest'),
  post('uri/{tree}?t=start-deep-check'),
  post('uri/{tree}?t=start-deep-size'),
  post('uri/{tree}?t=start-deep-stats&ophandle='),
  post('uri/{chk}?t=start-manifest&ophandle=x1'),
  differs('W6', 302, post('uri/{tree}?t=start-manifest&ophandle=w1&when_done=/done')),
];

/** In this order. The tree is made anew, without what changes from run to run. */
export const checks: readonly Step[] = [
  ...single,
  post('uri?t=mkdir', '', { save: 'tree' }),
  post(
    'uri/{tree}?t=set_children',
    '{"a": ["f", {"ro_uri": "{!chk}"}], "b": ["f", {"ro_uri": "URI:LIT:ge"}], "c": ["f", {"rw_uri": "{!mdmf}"}], "d": ["f", {"ro_uri": "{!sdmf-ro}"}], "e": ["d", {"ro_uri": "{!frozen}"}], "u": ["unknown", {"ro_uri": "ro.URI:FUTURE:x"}]}',
  ),
  post('uri/{tree}/deep/er?t=mkdir-immutable', '{"x": ["f", {"ro_uri": "{!chk}"}]}'),
  ...streams,
  ...operations,
];
