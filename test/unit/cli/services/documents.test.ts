import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readDocuments, readFolder } from '../../../../cli/services/documents.ts';
import { planRequest } from '../../../../cli/services/plan.ts';
import { validateFiles, validateFolder } from '../../../../cli/services/validate.ts';

const app = (name: string) => `
applications:
  - application_name: ${name}
    microservices:
      - { microservice_name: web, code: nginx }
`;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-documents-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, text);
  }
}

async function* stdin(text: string): AsyncGenerator<string> {
  yield text.slice(0, 3);
  yield text.slice(3);
}
const noInput = stdin('');

describe('documents', () => {
  it('of a folder are its descriptors, wherever they lie, and nothing of dot folders', async () => {
    await write({
      'a.yaml': app('a'),
      'deep/b.json': JSON.stringify({ applications: [] }),
      'broken.yaml': 'applications: [',
      'values.yaml': 'x: 1',
      'nodes.yaml': '',
      'README.md': 'applications:',
      '.git/c.yaml': app('c'),
      'node_modules/d.yaml': app('d'),
    });
    const found = await readDocuments([folder], noInput);
    expect(found.map(({ file }) => file)).toEqual(['a.yaml', 'broken.yaml', 'deep/b.json'].map((f) => join(folder, f)));
  });

  it('that are named are taken whatever they hold', async () => {
    await write({ 'values.yaml': 'x: 1' });
    expect(await readDocuments([join(folder, 'values.yaml')], noInput)).toMatchObject([{ text: 'x: 1' }]);
  });

  it('come from standard input', async () => {
    expect(await readDocuments(['-'], stdin(app('a')))).toEqual([{ file: 'stdin', text: app('a') }]);
  });

  it.each(['nowhere.yaml', '.'])('that are not there are NOT_FOUND (%s)', async (name) => {
    await expect(readDocuments([join(folder, name)], noInput)).rejects.toThrow('NOT_FOUND');
  });
});

describe('what a plan is asked for', () => {
  it('is everything when nothing is named', async () => {
    expect(await planRequest([], {}, noInput)).toEqual({});
  });

  it('is the whole repository for a working copy, with paths as in the repository', async () => {
    await write({ 'a.yaml': app('a'), 'nodes.yaml': '[]', '.git/HEAD': '' });
    const request = await planRequest([folder], {}, noInput);
    expect(request.asSource).toBe(true);
    expect(request.documents?.map(({ file }) => file)).toEqual(['a.yaml', 'nodes.yaml']);
  });

  it('is a direct deployment for other folders, unless said otherwise', async () => {
    await write({ 'a.yaml': app('a') });
    expect((await planRequest([folder], {}, noInput)).asSource).toBeUndefined();
    expect((await planRequest([folder], { asSource: true }, noInput)).asSource).toBe(true);
    expect(await planRequest([folder], { source: 'apps' }, noInput)).toMatchObject({ asSource: true, source: 'apps' });
  });

  it.each([[[]], [['-']], [['a.yaml']], [['.', '.']]])('is no source by name for %j', async (names) => {
    await write({ 'a.yaml': app('a') });
    const paths = names.map((name) => (name === '-' ? name : join(folder, name)));
    await expect(planRequest(paths, { source: 'apps' }, noInput)).rejects.toThrow('BAD_REQUEST');
  });
});

describe('validate', () => {
  it('counts files, and finds names that clash between them', async () => {
    await write({ 'a.yaml': app('a'), 'again.yaml': app('a'), 'nodes.yaml': '[]', 'x.yaml': 'x: 1' });
    const found = validateFolder(await readFolder(folder));
    expect(found.checked).toEqual(['a.yaml', 'again.yaml', 'nodes.yaml']);
    expect(found.ignored).toEqual(['x.yaml']);
    expect(found.problems).toMatchObject([{ code: 'NAME_TAKEN' }]);
  });

  it('tells where and how a key is misspelt', () => {
    const text = app('a').replace('code: nginx', 'code: nginx, vcpu: 1');
    const { problems } = validateFiles([{ file: 'a.yaml', text }]);
    expect(problems).toMatchObject([
      { code: 'UNKNOWN_FIELD', file: 'a.yaml', line: 5, hint: expect.stringContaining('vcpus') },
    ]);
  });

  it('knows settings and nodes by their names', () => {
    const { problems } = validateFiles([
      { file: 'repo/nodes.yaml', text: 'nodes: 1' },
      { file: 'cluster.yaml', text: 'cluster: "a b"' },
    ]);
    expect(problems.map(({ code }) => code)).toEqual(['NODES_INVALID', 'SETTINGS_INVALID']);
  });
});

it('what all clusters read is checked once, however many there are', () => {
  const readsWith = (clusters: number): number => {
    let reads = 0;
    const common = {
      file: 'common/app.yaml',
      get text() {
        reads += 1;
        return app('shop');
      },
    };
    const own = Array.from({ length: clusters }, (_, n) => ({ file: `clusters/c${n}/own.yaml`, text: app(`own${n}`) }));
    expect(validateFolder([common, ...own]).services).toHaveLength(clusters + 1);
    return reads;
  };
  expect(readsWith(20)).toBe(readsWith(1));
});

describe('files that a descriptor takes from its repository', () => {
  const taking = (...from: string[]) =>
    JSON.stringify({
      applications: [
        {
          application_name: 'a',
          microservices: [
            {
              microservice_name: 'web',
              code: 'nginx',
              files: from.map((one, index) => ({ path: `/f${index}`, from: one })),
            },
          ],
        },
      ],
    });

  it('are nothing of git itself, however it is named: there are logins, and what is taken is sent', async () => {
    const named = [
      '.git/config',
      './.git/config',
      '.GIT/config',
      'sub/../.git/config',
      'way/config',
      'patch:.git/config',
    ];
    await write({
      '.git/config': 'url = https://ann:hunter2@git.example.org',
      'app.yaml': taking(...named, 'ok.conf'),
    });
    await write({ 'ok.conf': 'fine' });
    await symlink('.git', join(folder, 'way'));
    const [document] = await readDocuments([join(folder, 'app.yaml')], noInput);
    expect(document?.files).toEqual({ 'ok.conf': 'fine' });
    const { problems } = validateFiles(document ? [document] : []);
    expect(problems.filter(({ severity }) => severity !== 'warning')).toHaveLength(named.length);
  });

  it('come with it: from the folder with .git, or beside it', async () => {
    await write({
      '.git/HEAD': '',
      'conf/web.conf': 'root',
      'apps/a.yaml': taking('conf/web.conf', './own.conf'),
      'apps/own.conf': 'own',
    });
    const files = { 'conf/web.conf': 'root', './own.conf': 'own' };
    expect(await readDocuments([join(folder, 'apps/a.yaml')], noInput)).toMatchObject([{ files }]);
    expect(await readDocuments([join(folder, 'apps')], noInput)).toMatchObject([{ files }]);
    const found = await readFolder(folder);
    expect(found).toMatchObject([{ file: 'apps/a.yaml', files }]);
    expect(validateFolder(found).problems).toEqual([]);
    expect(validateFiles(found).problems).toEqual([]);
    expect(await planRequest([folder], { asSource: true }, noInput)).toMatchObject({ documents: [{ files }] });
  });

  it('are looked for in its own folder where there is no repository', async () => {
    await write({ 'a.yaml': taking('conf/web.conf'), 'conf/web.conf': 'x' });
    expect(await readDocuments([join(folder, 'a.yaml')], noInput)).toMatchObject([{ files: { 'conf/web.conf': 'x' } }]);
  });

  it('are plain files inside, or are not there', async () => {
    await write({
      'r/.git/HEAD': '',
      'r/a.yaml': taking('link', 'up/secret', 'big', 'none', '../secret'),
      secret: 'x',
    });
    await write({ 'r/big': 'x'.repeat(65_537) });
    await symlink('../secret', join(folder, 'r/link'));
    await symlink('..', join(folder, 'r/up'));
    const [document] = await readDocuments([join(folder, 'r/a.yaml')], noInput);
    expect(document?.files).toEqual({});
    expect(validateFiles(document ? [document] : []).problems).toHaveLength(5);
  });
});

describe('a folder for several clusters', () => {
  const patch = `patch: common/shop.yaml
applications:
  - application_name: shop
    microservices:
      - { microservice_name: web, memory: 40 }
`;

  it('is checked cluster by cluster', async () => {
    await write({
      'common/shop.yaml': app('shop'),
      'clusters/north/shop.yaml': patch,
      'clusters/north/till.yaml': app('till'),
      'clusters/south/till.yaml': app('till'),
      'clusters/south/nodes.yaml': '- node: { hostname: a, IP: nowhere }',
      'stray.yaml': app('stray'),
    });
    const { services, problems, ignored } = validateFolder(await readFolder(folder));
    expect(problems.map(({ code, file }) => [code, file])).toEqual([['NODES_INVALID', 'clusters/south/nodes.yaml']]);
    expect(ignored).toEqual(['stray.yaml']);
    const shops = services.filter(({ spec }) => spec.name.startsWith('shop.'));
    expect(shops.map(({ spec, file }) => [file, spec.needs.memory]).sort()).toEqual([
      ['clusters/north/shop.yaml', 40],
      ['common/shop.yaml', 0],
    ]);
  });

  it('has patches that are found from wherever they are named', async () => {
    await write({ 'common/shop.yaml': app('shop'), 'clusters/north/shop.yaml': patch });
    const before = process.cwd();
    try {
      process.chdir(join(folder, 'clusters/north'));
      const { services, problems } = validateFiles(await readDocuments(['shop.yaml'], noInput));
      expect([problems, services.map(({ spec }) => spec.needs.memory)]).toEqual([[], [40]]);
    } finally {
      process.chdir(before);
    }
  });

  it('has patches that are called by their own path when the folder of one cluster is named', async () => {
    await write({ 'common/shop.yaml': app('shop'), 'clusters/north/shop.yaml': patch });
    const [document] = await readDocuments([join(folder, 'clusters/north')], noInput);
    expect(document?.file).toBe(join(folder, 'clusters/north/shop.yaml'));
  });
});
