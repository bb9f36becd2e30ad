import { evaluateSync } from 'groq-js';
import type { ExprNode, FilterNode } from 'groq-js';

import { publishedId } from './doc.ts';
import type { StoredDocument } from './doc.ts';
import type { View } from './perspective.ts';

/**
 * What the indexes know about a filter: ids that match whatever else it says, and ids that groq-js
 * must still judge. Every other document is known not to match.
 */
export interface Candidates {
  certain: Set<string>;
  possible: Set<string>;
}

/** Ids that a filter can match, or `undefined` where only a scan can tell. */
export function candidatesOf(filter: ExprNode, view: View): Candidates | undefined {
  switch (filter.type) {
    case 'Group':
      return candidatesOf(filter.base, view);
    case 'And':
      return both(candidatesOf(filter.left, view), candidatesOf(filter.right, view));
    case 'Or':
      return either(candidatesOf(filter.left, view), candidatesOf(filter.right, view));
    case 'OpCall':
      return comparison(filter.op, filter.left, filter.right, view);
    case 'FuncCall':
      return functionCall(`${filter.namespace}::${filter.name}`, filter.args, view);
    default:
      return undefined;
  }
}

function both(left?: Candidates, right?: Candidates): Candidates | undefined {
  if (!left || !right) {
    const known = left ?? right;
    return known && { certain: new Set(), possible: known.certain.union(known.possible) };
  }
  const certain = left.certain.intersection(right.certain);
  const leftAll = left.certain.union(left.possible);
  const all = leftAll.intersection(right.certain.union(right.possible));
  return { certain, possible: all.difference(certain) };
}

function either(left?: Candidates, right?: Candidates): Candidates | undefined {
  if (!left || !right) return undefined;
  const certain = left.certain.union(right.certain);
  return { certain, possible: left.possible.union(right.possible).difference(certain) };
}

function comparison(
  op: string,
  left: ExprNode,
  right: ExprNode,
  view: View,
): Candidates | undefined {
  if (op === '==') {
    const attribute = ownAttribute(left) ?? ownAttribute(right);
    const value = constant(ownAttribute(left) ? right : left);
    if (!attribute || !value) return undefined;
    return withAttribute(attribute, [value.value], view);
  }
  if (op !== 'in') return undefined;
  const attribute = ownAttribute(left);
  const set = attribute && constant(right)?.value;
  if (attribute === '_id' && isPath(set)) return withPath(set, view);
  return attribute && Array.isArray(set) ? withAttribute(attribute, set, view) : undefined;
}

function withAttribute(name: string, values: unknown[], view: View): Candidates | undefined {
  const wanted = values.filter((value) => typeof value === 'string');
  if (name === '_id') return sure(wanted.filter((id) => view.get(id) !== undefined));
  if (name === '_type') return sure(wanted.flatMap((type) => [...view.ofType(type)]));
  return undefined;
}

interface GroqPath {
  matches(id: string): boolean;
  toJSON(): string;
}

function isPath(value: unknown): value is GroqPath {
  return typeof value === 'object' && value !== null && 'matches' in value;
}

/** `path("versions.**")`: only ids below its first segment can match. */
function withPath(path: GroqPath, view: View): Candidates | undefined {
  const pattern = path.toJSON();
  const [first = ''] = pattern.split('.');
  if (first.includes('*')) return undefined;
  if (first === pattern) return sure(view.get(pattern) ? [pattern] : []);
  return sure([...view.below(first)].filter((id) => path.matches(id)));
}

function functionCall(name: string, args: ExprNode[], view: View): Candidates | undefined {
  const values = args.map((arg) => constant(arg));
  if (values.some((value) => value === undefined)) return undefined;
  const strings = values.flatMap((value) => value?.value ?? []).filter(isString);
  switch (name) {
    case 'global::references':
      return sure(strings.flatMap((id) => [...view.referencing(id)]));
    case 'sanity::versionOf':
      // A draft id is no base id: nothing but itself is a version of it, and groq-js decides that.
      return strings.every((id) => publishedId(id) === id)
        ? sure(strings.flatMap((id) => [...view.versionsOf(id)]))
        : undefined;
    case 'sanity::partOfRelease':
      return { certain: new Set(), possible: new Set(view.below('versions')) };
    default:
      return undefined;
  }
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function sure(ids: Iterable<string>): Candidates {
  return { certain: new Set(ids), possible: new Set() };
}

function ownAttribute(node: ExprNode): string | undefined {
  return node.type === 'AccessAttribute' && !node.base ? node.name : undefined;
}

const CONSTANT_FUNCTIONS = ['global::path', 'global::string', 'string::lower', 'string::upper'];

/** The value of an expression that no document has a say in; wrapped, since it may be null. */
function constant(node: ExprNode): { value: unknown } | undefined {
  return isConstant(node) ? { value: evaluateSync(node).data } : undefined;
}

function isConstant(node: ExprNode): boolean {
  switch (node.type) {
    case 'Value':
      return true;
    case 'Group':
      return isConstant(node.base);
    case 'Array':
      return node.elements.every((element) => isConstant(element.value));
    case 'OpCall':
      return node.op === '+' && isConstant(node.left) && isConstant(node.right);
    case 'FuncCall':
      return CONSTANT_FUNCTIONS.includes(`${node.namespace}::${node.name}`)
        && node.args.every(isConstant);
    default:
      return false;
  }
}

/**
 * Replace every `*[filter]` that the indexes help with by the documents they found.
 *
 * What remains of `*` in the answer is a scan of the whole view.
 */
export function narrowed(tree: ExprNode, view: View): ExprNode {
  return rewrite(tree, view, false) as ExprNode;
}

function rewrite(node: unknown, view: View, nested: boolean): unknown {
  if (Array.isArray(node)) return node.map((each) => rewrite(each, view, nested));
  if (!isNode(node) || node.type === 'Value') return node;
  if (node.type === 'Filter' && (node as FilterNode).base.type === 'Everything') {
    return narrowedFilter(node as FilterNode, view, nested);
  }
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(node)) {
    // Below an `expr` there is a scope of its own, which `^` may look out of.
    copy[key] = rewrite(value, view, nested || key === 'expr');
  }
  return copy;
}

function narrowedFilter(node: FilterNode, view: View, nested: boolean): ExprNode {
  const expr = rewrite(node.expr, view, true) as ExprNode;
  const candidates = candidatesOf(node.expr, view);
  if (!candidates) return { ...node, expr };
  const { certain, possible } = candidates;
  const judge = filterOf(documentsOf(possible, view), expr);
  if (possible.size === 0) return valueOf(documentsOf(certain, view));
  if (!nested || !looksOutside(expr)) {
    const judged = tryEvaluate(judge);
    if (judged) return valueOf(merged(documentsOf(certain, view), judged));
  }
  return filterOf(documentsOf(certain.union(possible), view), expr);
}

function tryEvaluate(node: ExprNode): StoredDocument[] | undefined {
  if (mentions(node, 'Everything')) return undefined;
  try {
    return evaluateSync(node).data as StoredDocument[];
  } catch {
    return undefined;
  }
}

function looksOutside(node: unknown): boolean {
  return mentions(node, 'Parent');
}

/** Whether a node of this type occurs anywhere in the tree. */
export function mentions(node: unknown, type: string): boolean {
  if (Array.isArray(node)) return node.some((each) => mentions(each, type));
  if (!isNode(node)) return false;
  if (node.type === type) return true;
  if (node.type === 'Value') return false;
  return Object.values(node).some((value) => mentions(value, type));
}

function isNode(node: unknown): node is { type: string } {
  return typeof node === 'object' && node !== null;
}

function filterOf(documents: StoredDocument[], expr: ExprNode): ExprNode {
  return { type: 'Filter', base: valueOf(documents), expr };
}

function valueOf(documents: StoredDocument[]): ExprNode {
  return { type: 'Value', value: documents };
}

function documentsOf(ids: Set<string>, view: View): StoredDocument[] {
  return [...ids].sort().flatMap((id) => view.get(id) ?? []);
}

function merged(left: StoredDocument[], right: StoredDocument[]): StoredDocument[] {
  return [...left, ...right].sort((a, b) => (a._id < b._id ? -1 : 1));
}
