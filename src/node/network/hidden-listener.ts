/** What a new node is given to be reached by Tor or I2P: lines of its tahoe.cfg, and its key. */

/** One way to be reached. */
export interface HiddenListener {
  /** For tub.port and tub.location. */
  readonly tubPort: string;
  readonly tubLocation: string;
  readonly section: ConfigurationSection;
  /** Its key, a file of private/. Secret. */
  readonly key: { readonly name: string; readonly dangerousText: string };
}

/** A section of tahoe.cfg, its options in their order. */
export interface ConfigurationSection {
  readonly name: string;
  readonly options: readonly (readonly [name: string, value: string])[];
}

/** What was typed of Tor. */
export interface TorWords {
  readonly torLaunch?: boolean | undefined;
  readonly torControlPort?: string | undefined;
  readonly torExecutable?: string | undefined;
}

/** The port by which others know a hidden node. */
export const HIDDEN_PORT = 3457;
