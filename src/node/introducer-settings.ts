/** The settings of an introducer: what of the options takes effect there, read once at the start and checked together. */
import type { CryptoName } from '#core/crypto.js';
import type { Configuration } from './config/configuration.js';
import type { Endpoint } from './config/endpoint-text.js';
import { options } from './config/schema.js';
import type { LogLevel } from './log.js';
import { readNetwork } from './network/network-settings.js';
import type { NetworkSettings } from './network/network-settings.js';
import { readLogGatherer, readWeb } from './settings.js';

/** All of them. */
export interface IntroducerSettings {
  readonly nickname: string;
  /** Where its status page is; undefined when there is none. */
  readonly web: Endpoint | undefined;
  readonly logLevel: LogLevel;
  readonly crypto: CryptoName;
  /** Whether it speaks Foolscap, too. */
  readonly speaksFoolscap: boolean;
  /** Who gathers its log, by a furl; undefined for nobody. Secret. */
  readonly logGatherer: string | undefined;
  /** By which ways others are reached. */
  readonly network: NetworkSettings;
  /** Connections that one listening port holds at a time. */
  readonly connectionsMax: number;
}

/** @throws ERR_CONFIG naming the first option that is wrong. */
export function readIntroducerSettings(configuration: Configuration): IntroducerSettings {
  if (configuration.get(options.tubPort) === 'disabled') {
    const problem = 'an introducer that does not listen introduces nobody; set tcp:PORT, and [node]tub.location';
    throw configuration.error(options.tubPort, problem);
  }
  return {
    nickname: configuration.get(options.nickname),
    web: readWeb(configuration),
    logLevel: configuration.get(options.logLevel),
    crypto: configuration.get(options.crypto),
    network: readNetwork(configuration),
    speaksFoolscap: configuration.get(options.foolscap),
    logGatherer: readLogGatherer(configuration),
    connectionsMax: configuration.get(options.connectionsMax),
  };
}
