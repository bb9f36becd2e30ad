// Indexes may spare groq-js documents, never change an answer. Run by test_plan.py.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

const home = new URL('../../../deploy/sanity-emulator/', import.meta.url);
const { evaluate, parse } = createRequire(new URL('package.json', home))('groq-js');
const { Dataset } = await import(new URL('dataset.ts', home));
const { EarlierDocuments } = await import(new URL('earlier.ts', home));
const { RecentTransactions } = await import(new URL('recent.ts', home));
const { viewFor } = await import(new URL('perspective.ts', home));
const { runQuery } = await import(new URL('query.ts', home));

const ROUNDS = 600;
const PERSPECTIVES = ['raw', 'raw', 'raw', 'published', 'drafts', 'r1', 'r2,drafts'];
const PARAMS = { ids: ['p1', 'drafts.p2', 'nothing'], id: 'p3', none: null, number: 7 };
const CONTEXT = { project: 'shop', dataset: 'd', identity: 'me' };

let state = Number(process.env.SEED ?? 20261123);
const below = (limit) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
};
const pick = (list) => list[below(list.length)];

const ids = () => {
  const base = `p${below(8)}`;
  return pick([base, base, `drafts.${base}`, `versions.r1.${base}`, `versions.r2.${base}`, `sync.t.${base}`]);
};
const reference = () => ({ _ref: pick([`p${below(8)}`, ids()]), _weak: true });
const document = (_id) => ({
  _id,
  _type: pick(['product', 'product', 'settings']),
  _rev: String(below(1000)),
  ...(below(2) ? { price: below(10) } : {}),
  ...(below(3) ? {} : { addons: { products: [reference(), reference()] } }),
  ...(below(8) ? {} : { _system: { delete: true } }),
});

const ATOMS = [
  '_id == "p1"', '"p2" == _id', '_id == $id', '_id == $none', '_id == $number', '_id in $ids',
  '_id in ["p1", "drafts.p1", "p1", $id]', '_id in []', '_id == "drafts." + "p2"', '_id in $none',
  '_type == "product"', '_type in ["settings", "other"]', '_type == $none',
  '_id in path("drafts.**")', '_id in path("drafts.*")', '_id in path("versions.*.p1")',
  '_id in path("versions.**")', '_id in path("p1")', '_id in path("*")', '_id in path("sync.t.*")',
  'references("p1")', 'references($ids)', 'references("drafts.p1", "p2")',
  'sanity::versionOf("p1")', 'sanity::versionOf($id)', 'sanity::versionOf("drafts.p1")',
  'sanity::partOfRelease("r1")', 'sanity::partOfRelease("r2")', 'price > 4', 'defined(price)', 'price == $none', 'false', 'true',
  '_id match "p*"', 'string::split(_id, ".")[2] in $ids', 'count(addons.products[_ref == "p1"]) > 0',
  'addons.products[0]->price > 3', '_id in *[price > 5]._id', '_id in *[_type == "settings"]._id',
];
const filter = (depth) => {
  if (depth === 0 || below(4) === 0) return pick(ATOMS);
  const [left, right] = [filter(depth - 1), filter(depth - 1)];
  return pick([`${left} && (${right})`, `(${left} || ${right})`, `${left} || ${right}`, `!(${left})`]);
};
const query = () => {
  const [f, g] = [filter(3), filter(2)];
  return pick([
    `*[${f}]`, `*[${f}]._id`, `count(*[${f}])`, `*[${f}][0]`, `*[${f}][${g}]._id`,
    `*[${f}] | order(_id desc)[0...3]._id`, `*[${g}]{_id, "n": count(*[${f}])}`,
    `*[${g}]{_id, "by": *[references(^._id) && (${f})]._id}`,
    `*[${g}]{_id, "same": *[_type == ^._type && (${f})]._id}`, `{"a": *[${f}]._id, "b": count(*)}`,
    `*[${f}]{_id, "titles": addons.products[]->_id}`,
  ]);
};

async function plain(text, view) {
  const tree = parse(text, { params: PARAMS });
  const options = { dataset: view.documents(), dereference: ({ _ref }) => view.get(_ref), identity: 'me' };
  return (await evaluate(tree, options)).get();
}

function filled() {
  const dataset = new Dataset(1, 'shop', 'd', 'public');
  const changes = new Map();
  for (let n = 0; n < 30; n += 1) {
    const id = ids();
    changes.set(id, { id, before: null, after: document(id) });
  }
  dataset.commit(changes.values());
  return dataset;
}

test('an answer is the same with and without the indexes', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const view = viewFor(filled(), pick(PERSPECTIVES), (id) => id !== 'p7');
    const text = query();

    const [fast, slow] = [await runQuery(text, PARAMS, view, CONTEXT), await plain(text, view)];

    assert.deepEqual(fast ?? null, slow ?? null, `round ${round}: ${text}`);
  }
});

test('a lagging dataset answers as it did then', async () => {
  for (let round = 0; round < ROUNDS / 3; round += 1) {
    const dataset = filled();
    const recent = new RecentTransactions();
    const [perspective, text] = [pick(PERSPECTIVES), query()];
    const then = await runQuery(text, PARAMS, viewFor(dataset, perspective, () => true), CONTEXT);
    for (let n = 0; n < 4; n += 1) {
      const id = ids();
      const change = { id, before: dataset.get(id) ?? null, after: below(3) ? document(id) : null };
      if (change.before === change.after) continue;
      dataset.commit([change]);
      recent.add({ dataset, transaction: { id: `t${n}`, at: '2026-01-02' }, changes: [change] });
    }

    const earlier = new EarlierDocuments(dataset, recent, '2026-01-01');
    const lagging = await runQuery(text, PARAMS, viewFor(earlier, perspective, () => true), CONTEXT);

    assert.deepEqual(lagging, then, `round ${round}: ${text}`);
  }
});
