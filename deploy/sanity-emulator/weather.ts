import { isObject } from './doc.ts';

export type Moment = 'before' | 'after';

/** What befalls a request, before or after its commit (or the reading of its answer). */
export type Effect =
  | StatusEffect
  | { kind: 'cut'; when: Moment }
  | { kind: 'hang'; when: Moment }
  | { kind: 'conflict' };

export interface StatusEffect {
  kind: 'status';
  when: Moment;
  status: number;
  body: BodyKind;
  retryAfterSeconds: number | null;
}

export type BodyKind = 'json' | 'html' | 'text' | 'empty';

interface Rule {
  route: string | null;
  project: string | null;
  dataset: string | null;
  share: number;
  nth: readonly number[] | null;
  times: number;
  effect: Effect;
  matched: number;
  fired: number;
}

export interface Forecast {
  latencyMs: number;
  jitterMs: number;
  /** How far queries are behind the commits, as after `visibility=async` in the service. */
  queryLagMs: number;
  /** How long each event of a listener is held back. */
  streamDelayMs: number;
  /** Requests per second by kind; null: not enforced. */
  mutatePerSecond: number | null;
  otherPerSecond: number | null;
  /** Whether a 429 by rate carries `Retry-After`. */
  retryAfter: boolean;
}

const CALM: Forecast = {
  latencyMs: 0,
  jitterMs: 0,
  queryLagMs: 0,
  streamDelayMs: 0,
  mutatePerSecond: null,
  otherPerSecond: null,
  retryAfter: false,
};

const KEYS = [...Object.keys(CALM), 'seed', 'rules'];
const RULE_KEYS = [
  'route', 'project', 'dataset', 'share', 'nth', 'times', 'when',
  'status', 'body', 'retryAfterSeconds', 'cut', 'hang', 'conflict',
];

/** The trouble that a test asked for; calm unless somebody put something else. */
export class Weather {
  forecast: Forecast = CALM;
  #rules: Rule[] = [];
  #random: () => number = mulberry32(1);

  clear(): void {
    this.forecast = CALM;
    this.#rules = [];
  }

  /** Replace the weather by a JSON description (docs/sanity-emulator.md). Raises `WeatherError`. */
  set(description: unknown): void {
    if (!isObject(description)) throw new WeatherError('the weather is a JSON object');
    refuseUnknown(description, KEYS, 'weather');
    const rules = description.rules ?? [];
    if (!Array.isArray(rules)) throw new WeatherError('"rules" must be a list');
    const parsed = rules.map((rule, index) => parseRule(rule, `rules[${index}]`));
    this.forecast = {
      latencyMs: number(description, 'latencyMs', 0, 600_000) ?? 0,
      jitterMs: number(description, 'jitterMs', 0, 600_000) ?? 0,
      queryLagMs: number(description, 'queryLagMs', 0, 600_000) ?? 0,
      streamDelayMs: number(description, 'streamDelayMs', 0, 600_000) ?? 0,
      mutatePerSecond: number(description, 'mutatePerSecond', 1, 100_000),
      otherPerSecond: number(description, 'otherPerSecond', 1, 100_000),
      retryAfter: description.retryAfter === true,
    };
    this.#rules = parsed;
    this.#random = mulberry32(number(description, 'seed', 0, 2 ** 32 - 1) ?? 1);
  }

  /** How long the next request waits, in milliseconds. */
  delayMs(): number {
    const { latencyMs, jitterMs } = this.forecast;
    return jitterMs === 0 ? latencyMs : latencyMs + this.#random() * jitterMs;
  }

  /** What befalls this request, if anything: the first rule that fires. */
  strike(route: string, project: string | null, dataset: string | null): Effect | undefined {
    let effect: Effect | undefined;
    for (const rule of this.#rules) {
      if (!applies(rule, route, project, dataset)) continue;
      rule.matched += 1;
      if (effect || rule.fired >= rule.times) continue;
      if (rule.nth ? !rule.nth.includes(rule.matched) : this.#random() >= rule.share) continue;
      rule.fired += 1;
      effect = rule.effect;
    }
    return effect;
  }

  describe(): object {
    const rules = this.#rules.map(({ effect, route, matched, fired }) => ({
      route: route ?? '*',
      effect,
      matched,
      fired,
    }));
    return { ...this.forecast, rules };
  }
}

export class WeatherError extends Error {}

function applies(
  rule: Rule,
  route: string,
  project: string | null,
  dataset: string | null,
): boolean {
  return (
    (rule.route === null || rule.route === route)
    && (rule.project === null || rule.project === project)
    && (rule.dataset === null || rule.dataset === dataset)
  );
}

function parseRule(value: unknown, at: string): Rule {
  if (!isObject(value)) throw new WeatherError(`${at} must be an object`);
  refuseUnknown(value, RULE_KEYS, at);
  return {
    route: value.route === '*' ? null : word(value, 'route'),
    project: word(value, 'project'),
    dataset: word(value, 'dataset'),
    share: number(value, 'share', 0, 1) ?? 1,
    nth: parseNth(value.nth, at),
    times: number(value, 'times', 1, Number.MAX_SAFE_INTEGER) ?? Number.POSITIVE_INFINITY,
    effect: parseEffect(value, at),
    matched: 0,
    fired: 0,
  };
}

function parseEffect(rule: Record<string, unknown>, at: string): Effect {
  const when = rule.when ?? rule.cut ?? 'before';
  if (when !== 'before' && when !== 'after') {
    throw new WeatherError(`${at}: "when" (or "cut") must be "before" or "after"`);
  }
  if (rule.cut !== undefined) return { kind: 'cut', when };
  if (rule.hang === true) return { kind: 'hang', when };
  if (rule.conflict === true) return { kind: 'conflict' };
  const status = number(rule, 'status', 400, 599);
  if (status === null) throw new WeatherError(`${at} needs one of: status, cut, hang, conflict`);
  const body = rule.body ?? 'json';
  if (body !== 'json' && body !== 'html' && body !== 'text' && body !== 'empty') {
    throw new WeatherError(`${at}: "body" must be json, html, text or empty`);
  }
  const retryAfterSeconds = number(rule, 'retryAfterSeconds', 0, 3_600);
  return { kind: 'status', when, status, body, retryAfterSeconds };
}

function parseNth(value: unknown, at: string): readonly number[] | null {
  if (value === undefined) return null;
  const list = Array.isArray(value) ? value : [value];
  if (list.every((each) => Number.isInteger(each) && each >= 1)) return list as number[];
  throw new WeatherError(`${at}: "nth" must be a number from 1, or a list of them`);
}

function word(value: Record<string, unknown>, key: string): string | null {
  const found = value[key];
  if (found === undefined) return null;
  if (typeof found === 'string') return found;
  throw new WeatherError(`"${key}" must be a string`);
}

function number(
  value: Record<string, unknown>,
  key: string,
  least: number,
  most: number,
): number | null {
  const found = value[key];
  if (found === undefined || found === null) return null;
  if (typeof found === 'number' && found >= least && found <= most) return found;
  throw new WeatherError(`"${key}" must be a number from ${least} to ${most}`);
}

function refuseUnknown(value: object, known: readonly string[], at: string): void {
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown) throw new WeatherError(`${at}: "${unknown}" is unknown; known: ${known.join(', ')}`);
}

/** A small seeded generator, so that a share strikes the same requests each time. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
