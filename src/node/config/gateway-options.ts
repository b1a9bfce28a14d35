/** Options of our own about who may ask what of the gateway, for tallac.cfg. */
import type { Option, ValueKind } from './option.js';
import { boolean, list } from './values.js';

function own<Value>(name: string, kind: ValueKind<Value>, fallback: Value, says: string): Option<Value> {
  const shown = Array.isArray(fallback) ? '' : String(fallback);
  return { file: 'tallac.cfg', effect: 'now', section: 'gateway', name, kind, fallback, shown, says };
}

/** By the names the code calls them. */
export const ownGateway = {
  gatewayHosts: own<readonly string[]>(
    'hosts',
    list,
    [],
    'Names, beside localhost and addresses, under which the gateway may be asked: a comma list. Other names are refused, so that no page of another site can lead a browser here.',
  ),
  gatewayPrivate: own(
    'private',
    boolean,
    false,
    'True asks everybody for the token in private/api_auth_token: as Authorization: tahoe-lafs TOKEN, or as the password in a browser.',
  ),
  gatewayReadOnly: own('read_only', boolean, false, 'True answers nothing but GET and HEAD: nobody changes anything.'),
};
