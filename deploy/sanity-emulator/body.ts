import { isObject } from './doc.ts';
import type { JsonObject } from './doc.ts';
import { boom } from './errors.ts';

type Query = Record<string, unknown>;

/** The body of a request as a JSON object. Raises 400. */
export function jsonBody(body: unknown): JsonObject {
  let parsed: unknown;
  try {
    parsed = JSON.parse(String(body ?? ''));
  } catch (error) {
    throw boom(400, `Request body is no valid JSON: ${(error as Error).message}`);
  }
  if (!isObject(parsed)) throw boom(400, 'Request body must be a JSON object');
  return parsed;
}

/** One value of a query string parameter; the last counts where it was repeated. */
export function parameter(query: unknown, name: string): string | undefined {
  const value = (query as Query)[name];
  const last: unknown = Array.isArray(value) ? value.at(-1) : value;
  return typeof last === 'string' ? last : undefined;
}

export function isOn(query: unknown, name: string): boolean {
  return parameter(query, name) === 'true';
}

/** GROQ parameters of a query string: `$name=<JSON>`. Raises 400. */
export function groqParameters(query: unknown): JsonObject {
  const params: JsonObject = {};
  for (const key of Object.keys(query as Query)) {
    if (!key.startsWith('$')) continue;
    const value = parameter(query, key) ?? '';
    try {
      params[key.slice(1)] = JSON.parse(value);
    } catch {
      throw boom(400, `Unable to parse value of "${key}=${value}": it must be JSON`);
    }
  }
  return params;
}
