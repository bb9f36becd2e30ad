// The official @sanity/client, unchanged, against the emulator. Run by test_official_client.py.
import assert from 'node:assert/strict';
import { lookup } from 'node:dns/promises';
import { createRequire } from 'node:module';
import { before, test } from 'node:test';

const { EMULATOR_ADDRESS: address, CLIENT_PACKAGE: packageName, EDITOR_TOKEN: token } = process.env;
const emulator = new URL('../../../deploy/sanity-emulator/package.json', import.meta.url);
const { createClient } = createRequire(emulator)(packageName);

const dataset = `client-${Date.now()}-${process.pid}`;
const settings = {
  projectId: 'shop',
  dataset,
  apiVersion: '2025-02-19',
  token,
  useCdn: false,
  apiHost: address,
  useProjectHostname: false,
};
const client = createClient(settings);
const product = (id, more = {}) => ({ _id: id, _type: 'product', title: 'Shirt', ...more });

before(() => client.datasets.create(dataset, { aclMode: 'public' }));

test('datasets are created and listed', async () => {
  const names = (await client.datasets.list()).map(({ name }) => name);

  assert.ok(names.includes(dataset));
});

test('create, getDocument, fetch and delete', async () => {
  const made = await client.create(product('a'));
  assert.equal(made.title, 'Shirt');
  assert.deepEqual(await client.getDocument('a'), made);
  assert.deepEqual(await client.fetch('*[_id == $id]{title}', { id: 'a' }), [{ title: 'Shirt' }]);

  const gone = await client.delete('a');

  assert.deepEqual(gone.documentIds, ['a']);
  assert.equal(await client.getDocument('a'), undefined);
});

test('createIfNotExists and createOrReplace answer the document', async () => {
  await client.create(product('b', { subtitle: 'x' }));

  const kept = await client.createIfNotExists(product('b', { title: 'New' }));
  const replaced = await client.createOrReplace(product('b', { title: 'New' }));

  assert.equal(kept.title, 'Shirt');
  assert.equal(replaced.title, 'New');
  assert.equal(replaced.subtitle, undefined);
});

test('a patch with a revision passes once', async () => {
  const { _rev } = await client.create(product('c'));
  const patch = () => client.patch('c').set({ title: 'New' }).ifRevisionId(_rev).commit();

  assert.equal((await patch()).title, 'New');

  await assert.rejects(patch(), (error) => {
    assert.equal(error.statusCode, 409);
    assert.equal(error.details.type, 'mutationError');
    assert.equal(error.details.items[0].error.type, 'documentRevisionIDDoesNotMatchError');
    return true;
  });
});

test('every patch operation', async () => {
  await client.create(product('d', { list: ['a'], count: 1, gone: true }));

  const patched = await client
    .patch('d')
    .setIfMissing({ made: {} })
    .set({ 'sync.revision': 3 })
    .unset(['gone'])
    .inc({ count: 2 })
    .append('list', ['b'])
    .commit();

  assert.deepEqual(patched.made, {});
  assert.deepEqual(patched.sync, { revision: 3 });
  assert.deepEqual(patched.list, ['a', 'b']);
  assert.equal(patched.count, 3);
  assert.equal('gone' in patched, false);
});

test('a patch by query patches all it finds', async () => {
  await client.transaction().create(product('e1')).create(product('e2')).commit();

  await client.patch({ query: '*[_id in ["e1", "e2"]]' }).set({ seen: true }).commit({
    returnFirst: false,
  });

  assert.equal(await client.fetch('count(*[seen])'), 2);
});

test('a transaction with an id of its own', async () => {
  const transactionId = `mine-${process.pid}`;
  const transaction = client.transaction().create(product('f')).patch('f', (p) => p.set({ x: 1 }));

  const answer = await transaction.transactionId(transactionId).commit();

  assert.equal(answer.transactionId, transactionId);
  assert.equal((await client.getDocument('f'))._rev, transactionId);
  await assert.rejects(client.transaction().delete('f').transactionId(transactionId).commit(), {
    statusCode: 409,
  });
});

test('dryRun stores nothing', async () => {
  await client.create(product('g'), { dryRun: true });

  assert.equal(await client.getDocument('g'), undefined);
});

test('getDocuments keeps order and tells what is missing', async () => {
  await client.create(product('h'));

  const [found, missing] = await client.getDocuments(['h', 'nope']);

  assert.equal(found._id, 'h');
  assert.equal(missing, null);
});

test('perspectives', async () => {
  await client.create(product('i'));
  await client.create(product('drafts.i', { title: 'Draft' }));
  const title = (perspective) => client.fetch('*[_id == "i"][0].title', {}, { perspective });

  assert.equal(await title('published'), 'Shirt');
  assert.equal(await title('drafts'), 'Draft');
  assert.equal(await client.fetch('count(*[_id match "*i"])', {}, { perspective: 'raw' }), 2);
});

test('a long query goes by POST', async () => {
  const ids = Array.from({ length: 900 }, (_, number) => `long-product-id-${number}`);
  await client.create(product(ids[0]));

  assert.deepEqual(await client.fetch('*[_id in $ids]._id', { ids }), [ids[0]]);
});

test('errors of queries and tokens', async () => {
  await assert.rejects(client.fetch('*[_id == '), { statusCode: 400 });
  await assert.rejects(client.fetch('*[_id == $missing]'), /param \$missing referenced/);
  await assert.rejects(client.withConfig({ token: 'nobody' }).fetch('*'), /Session not found/);
  await assert.rejects(client.withConfig({ dataset: 'nowhere' }).fetch('*'), { statusCode: 404 });
});

test('the project may stand in the host name', async (context) => {
  const apiHost = address.replace('127.0.0.1', 'localhost');
  const byHost = createClient({ ...settings, apiHost, useProjectHostname: true });
  const resolves = await lookup('shop.localhost').then(() => true, () => false);
  if (!resolves) return context.skip('this machine does not resolve *.localhost');

  await client.create(product('j'));

  assert.equal(await byHost.fetch('*[_id == "j"][0].title'), 'Shirt');
});

test('an anonymous client sees no draft', async () => {
  await client.create(product('drafts.k'));
  const anonymous = createClient({ ...settings, token: undefined });

  assert.equal(await anonymous.getDocument('drafts.k'), undefined);
  await assert.rejects(anonymous.create(product('l')), { statusCode: 403 });
});

const nextOf = (observable, wanted) =>
  new Promise((resolve, reject) => {
    const subscription = observable.subscribe({
      next: (event) => {
        if (event.type !== wanted) return;
        subscription.unsubscribe();
        resolve(event);
      },
      error: reject,
    });
  });

test('listen is welcomed and told of a mutation', async () => {
  const events = ['welcome', 'mutation'];
  const seen = [];
  let subscription;
  const heard = new Promise((resolve, reject) => {
    subscription = client.listen('*[_id == $id]', { id: 'm' }, { events }).subscribe({
      next: (event) => {
        seen.push(event);
        if (event.type === 'welcome') client.create(product('m')).catch(reject);
        else resolve(event);
      },
      error: reject,
    });
  });

  const event = await heard;
  subscription.unsubscribe();

  assert.equal(seen[0].type, 'welcome');
  assert.equal(event.transition, 'appear');
  assert.equal(event.result.title, 'Shirt');
  assert.equal(event.resultRev, event.result._rev);
});

test('listen with a bad query ends in a channel error', async () => {
  await assert.rejects(nextOf(client.listen('*[_id == '), 'mutation'), { name: 'ChannelError' });
});

test('actions edit, publish and unpublish', async () => {
  const ids = { draftId: 'drafts.n', publishedId: 'n' };
  await client.create(product('n'));
  await client.action({
    actionType: 'sanity.action.document.edit',
    ...ids,
    patch: { set: { title: 'New' } },
  });
  await client.action({ actionType: 'sanity.action.document.publish', ...ids });
  assert.equal((await client.getDocument('n')).title, 'New');
  assert.equal(await client.getDocument('drafts.n'), undefined);

  await client.action({ actionType: 'sanity.action.document.unpublish', ...ids });

  assert.equal(await client.getDocument('n'), undefined);
  await assert.rejects(client.action({ actionType: 'sanity.action.document.unpublish', ...ids }), (error) => {
    assert.equal(error.details.type, 'actionError');
    return true;
  });
});

test('versions of releases', async () => {
  await client.create(product('o'));
  await client.createVersion({
    publishedId: 'o',
    document: { ...product('versions.r1.o'), title: 'Release' },
    releaseId: 'r1',
  });

  const title = await client.fetch('*[_id == "o"][0].title', {}, { perspective: ['r1'] });
  assert.equal(title, 'Release');

  await client.discardVersion({ publishedId: 'o', releaseId: 'r1' });
  assert.equal(await client.getDocument('versions.r1.o'), undefined);
});

test('users.getById tells who one is', async () => {
  assert.equal((await client.users.getById('me')).role, 'editor');
});
