import { GroqSyntaxError, evaluate, evaluateSync, parse } from 'groq-js';
import type { EvaluateOptions, ExprNode, FilterNode } from 'groq-js';

import type { JsonObject, StoredDocument } from './doc.ts';
import { parameterMissing, queryFailed, queryParseError } from './errors.ts';
import type { View } from './perspective.ts';
import { mentions, narrowed } from './plan.ts';

export interface QueryContext {
  project: string;
  dataset: string;
  /** What `identity()` answers. */
  identity: string;
}

/** Parse GROQ with its parameters put in; one without a value is an error, as in the service. */
export function parseQuery(query: string, params: JsonObject): ExprNode {
  let tree: ExprNode;
  try {
    tree = parse(query, { params: { ...params } });
  } catch (error) {
    const start = error instanceof GroqSyntaxError ? error.position : undefined;
    throw queryParseError(query, (error as Error).message, start);
  }
  const missing = firstParameter(tree);
  if (missing !== undefined) throw parameterMissing(query, missing);
  return tree;
}

function firstParameter(node: unknown): string | undefined {
  if (typeof node !== 'object' || node === null) return undefined;
  const { type, name } = node as { type?: unknown; name?: unknown };
  if (type === 'Parameter') return String(name);
  if (type === 'Value') return undefined;
  for (const value of Object.values(node)) {
    const found = firstParameter(value);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Run a query over a view. groq-js decides what it means; the indexes only spare it documents. */
export async function runQuery(
  query: string,
  params: JsonObject,
  view: View,
  context: QueryContext,
): Promise<unknown> {
  const tree = narrowed(parseQuery(query, params), view);
  const options = optionsFor(tree, view, context);
  try {
    return evaluateSync(tree, options).data;
  } catch {
    // Few expressions are async only (diff, delta); the rest runs several times faster like this.
  }
  try {
    const value = await evaluate(tree, options);
    return await value.get();
  } catch (error) {
    throw queryFailed(`${(error as Error).message} (groq-js, which this emulator runs)`);
  }
}

/** Ids of the documents that a mutation's query finds. */
export function findIds(
  query: string,
  params: JsonObject,
  view: View,
  context: QueryContext,
): string[] {
  const tree = narrowed(parseQuery(query, params), view);
  let found: unknown;
  try {
    found = evaluateSync(tree, optionsFor(tree, view, context)).data;
  } catch (error) {
    throw queryFailed((error as Error).message);
  }
  if (!Array.isArray(found)) throw queryFailed('A mutation query must return documents');
  return found.flatMap((each: { _id?: unknown } | null) =>
    typeof each?._id === 'string' ? [each._id] : [],
  );
}

function optionsFor(tree: ExprNode, view: View, context: QueryContext): EvaluateOptions {
  return {
    dataset: mentions(tree, 'Everything') || mentionsReleases(tree) ? view.documents() : [],
    dereference: ({ _ref }) => view.get(_ref),
    identity: context.identity,
    sanity: { projectId: context.project, dataset: context.dataset },
    timestamp: new Date(),
  };
}

/** `releases::all()` reads `*` behind its back. */
function mentionsReleases(node: unknown): boolean {
  if (typeof node !== 'object' || node === null) return false;
  const { type, namespace } = node as { type?: unknown; namespace?: unknown };
  if (type === 'Value') return false;
  return namespace === 'releases' || Object.values(node).some(mentionsReleases);
}

/** Whether one document passes the top-level filter of a listener's query. */
export function filterMatcher(
  query: string,
  params: JsonObject,
): (document: StoredDocument) => boolean {
  const filters = topLevelFilters(parseQuery(query, params));
  return (document) =>
    filters.every((expr) => {
      const base: ExprNode = { type: 'Value', value: [document] };
      const matched = evaluateSync({ type: 'Filter', base, expr }, { dataset: [] }).data;
      return Array.isArray(matched) && matched.length === 1;
    });
}

function topLevelFilters(tree: ExprNode): ExprNode[] {
  const filters: ExprNode[] = [];
  let node: ExprNode | undefined = tree;
  while (node && node.type !== 'Everything') {
    if (node.type === 'Filter') filters.push((node as FilterNode).expr);
    node = 'base' in node ? (node.base as ExprNode | undefined) : undefined;
  }
  if (!node) throw queryFailed('A listener query must filter "*"');
  return filters;
}
