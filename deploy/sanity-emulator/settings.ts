import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { DEFAULT_BEHAVIOUR } from './behaviour.ts';
import type { Behaviour } from './behaviour.ts';
import type { AclMode } from './dataset.ts';
import { isObject } from './doc.ts';
import { ROLES } from './tokens.ts';
import type { Role } from './tokens.ts';

export interface TokenSettings {
  token: string;
  name: string;
  role: Role;
  /** RFC 3339; from then on the token is answered as an expired session. */
  expiresAt: string | null;
}

export interface ProjectSettings {
  id: string;
  datasets: { name: string; aclMode: AclMode }[];
  tokens: TokenSettings[];
}

export interface Settings {
  host: string;
  port: number;
  dataDir: string;
  admin: boolean;
  keepTransactions: number;
  behaviour: Behaviour;
  projects: ProjectSettings[];
}

/** A setting is wrong or missing; the message says which and what to do. */
export class SettingsError extends Error {}

type Environment = Record<string, string | undefined>;

const OPTIONS = {
  config: { type: 'string' },
  port: { type: 'string' },
  host: { type: 'string' },
  'data-dir': { type: 'string' },
  admin: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

export const HELP = `Serve Sanity's Content Lake API locally.

usage: node main.ts [--config FILE] [--port N] [--host ADDRESS] [--data-dir DIR] [--admin]

A flag wins over its environment variable:
  --config    EMULATOR_CONFIG             projects, datasets and tokens (JSON; see README.md)
  --port      EMULATOR_PORT               1..65535, or 0 for any free one; default 8020
  --host      EMULATOR_HOST               default 127.0.0.1
  --data-dir  EMULATOR_DATA_DIR           where emulator.sqlite lies; :memory: keeps nothing
  --admin     EMULATOR_ADMIN=1            serve /_emulator/ (request log, weather) to this machine
              EMULATOR_KEEP_TRANSACTIONS  history kept, in transactions; default 100000
              EMULATOR_PATCH_ORDER        mutator (default) or docs
              EMULATOR_INC_MISSING        skip (default) or refuse
              EMULATOR_SECOND_GUARD       working (default) or stored
`;

/** Read the settings, or `'help'`. Raises `SettingsError`. */
export function readSettings(args: string[], environment: Environment): Settings | 'help' {
  const flags = readFlags(args);
  if (flags.help) return 'help';
  const value = (flag: 'config' | 'port' | 'host' | 'data-dir', name: string): string | undefined =>
    flags[flag] ?? environment[name];
  return {
    host: value('host', 'EMULATOR_HOST') ?? '127.0.0.1',
    port: wholeNumber('EMULATOR_PORT', value('port', 'EMULATOR_PORT') ?? '8020', 0, 65_535),
    dataDir: required('EMULATOR_DATA_DIR', value('data-dir', 'EMULATOR_DATA_DIR')),
    admin: flags.admin ?? choice(environment, 'EMULATOR_ADMIN', ['0', '1'], '0') === '1',
    keepTransactions: wholeNumber(
      'EMULATOR_KEEP_TRANSACTIONS',
      environment.EMULATOR_KEEP_TRANSACTIONS ?? '100000',
      100,
      100_000_000,
    ),
    behaviour: readBehaviour(environment),
    projects: readProjects(required('EMULATOR_CONFIG', value('config', 'EMULATOR_CONFIG'))),
  };
}

function readFlags(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS }).values;
  } catch (error) {
    throw new SettingsError(`${(error as Error).message}; try --help`);
  }
}

function readBehaviour(environment: Environment): Behaviour {
  const { patchOrder, incMissing, secondGuard } = DEFAULT_BEHAVIOUR;
  return {
    patchOrder: choice(environment, 'EMULATOR_PATCH_ORDER', ['mutator', 'docs'], patchOrder),
    incMissing: choice(environment, 'EMULATOR_INC_MISSING', ['skip', 'refuse'], incMissing),
    secondGuard: choice(environment, 'EMULATOR_SECOND_GUARD', ['working', 'stored'], secondGuard),
  };
}

function required(name: string, value: string | undefined): string {
  if (!value) throw new SettingsError(`${name} is not set; try --help`);
  return value;
}

function choice<T extends string>(
  environment: Environment,
  name: string,
  allowed: readonly T[],
  fallback: T,
): T {
  const value = environment[name] ?? fallback;
  const found = allowed.find((each) => each === value);
  if (!found) throw new SettingsError(`${name} is "${value}", it must be ${allowed.join(' or ')}`);
  return found;
}

function wholeNumber(name: string, value: string, least: number, most: number): number {
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= least && number <= most)) {
    throw new SettingsError(`${name} is "${value}", it must be a number from ${least} to ${most}`);
  }
  return number;
}

function readProjects(path: string): ProjectSettings[] {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new SettingsError(`EMULATOR_CONFIG: cannot read ${path}: ${(error as Error).message}`);
  }
  const projects = isObject(content) ? content.projects : undefined;
  if (!Array.isArray(projects) || projects.length === 0) {
    throw new SettingsError('EMULATOR_CONFIG: "projects" must be a list with at least one project');
  }
  const read = projects.map((project, index) => readProject(project, `projects[${index}]`));
  refuseDuplicates('project id', read.map((project) => project.id));
  refuseDuplicates('token', read.flatMap((project) => project.tokens.map((each) => each.token)));
  return read;
}

function readProject(value: unknown, at: string): ProjectSettings {
  return {
    id: text(value, 'id', at, /^[a-z0-9][a-z0-9-]*$/),
    datasets: list(value, 'datasets', at).map((each, index) => {
      const place = `${at}.datasets[${index}]`;
      return { name: text(each, 'name', place, DATASET_NAME), aclMode: readAclMode(each, place) };
    }),
    tokens: list(value, 'tokens', at).map((each, index) =>
      readToken(each, `${at}.tokens[${index}]`),
    ),
  };
}

/** Lower case, digits, `_` and `-`, at most 64 characters. */
export const DATASET_NAME = /^~?[a-z0-9][a-z0-9_-]{0,63}$/;

function readToken(value: unknown, at: string): TokenSettings {
  const role = text(value, 'role', at, /./);
  const known = ROLES.find((each) => each === role);
  if (!known) {
    throw new SettingsError(`${at}.role is "${role}", it must be one of ${ROLES.join(', ')}`);
  }
  const expiresAt = isObject(value) ? value.expiresAt : undefined;
  if (expiresAt !== undefined && Number.isNaN(Date.parse(String(expiresAt)))) {
    throw new SettingsError(`${at}.expiresAt must be a time such as 2026-12-31T00:00:00Z`);
  }
  return {
    token: text(value, 'token', at, /^\S+$/),
    name: text(value, 'name', at, /./),
    role: known,
    expiresAt: expiresAt === undefined ? null : new Date(String(expiresAt)).toISOString(),
  };
}

function readAclMode(value: unknown, at: string): AclMode {
  const mode = isObject(value) ? (value.aclMode ?? 'public') : undefined;
  if (mode === 'public' || mode === 'private') return mode;
  throw new SettingsError(`${at}.aclMode must be "public" or "private"`);
}

function text(value: unknown, key: string, at: string, pattern: RegExp): string {
  const found = isObject(value) ? value[key] : undefined;
  if (typeof found === 'string' && pattern.test(found)) return found;
  throw new SettingsError(`EMULATOR_CONFIG: ${at}.${key} must be a string that matches ${pattern}`);
}

function list(value: unknown, key: string, at: string): unknown[] {
  const found = isObject(value) ? (value[key] ?? []) : undefined;
  if (Array.isArray(found)) return found;
  throw new SettingsError(`EMULATOR_CONFIG: ${at}.${key} must be a list`);
}

function refuseDuplicates(what: string, values: string[]): void {
  const twice = values.find((value, index) => values.indexOf(value) !== index);
  // A token is a secret, so it isn't shown.
  const shown = what === 'token' ? '' : ` "${twice}"`;
  if (twice === undefined) return;
  throw new SettingsError(`EMULATOR_CONFIG: ${what}${shown} stands there twice`);
}
