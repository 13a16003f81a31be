import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseDescriptor } from '../../../schemas/descriptor.ts';
import { runCommand } from '../../support/commands.ts';
import { git } from '../../support/git-repo.ts';

const base = `applications:
  - application_name: shop
    microservices:
      - microservice_name: web
        code: web:1
        memory: 20
        files:
          - { path: /etc/web.conf, from: ./web.conf }
`;
const patch = (memory: number) => `patch: common/shop.yaml
applications:
  - application_name: shop
    microservices:
      - microservice_name: web
        memory: ${memory}
        environment: ["TIER=\${cluster.label.tier}"]
`;

describe('render', () => {
  let root: string;
  let fleet: string;
  const put = async (files: Readonly<Record<string, string>>): Promise<void> => {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(fleet, path)), { recursive: true });
      await writeFile(join(fleet, path), text);
    }
  };
  const commit = async (): Promise<void> => {
    await git(root, 'add', '--all');
    await git(root, 'commit', '--quiet', '-m', 'change');
  };
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'oakctl-render-test-'));
    fleet = join(root, 'fleet');
    await git(root, 'init', '--quiet', '.');
    await put({
      'common/shop.yaml': base,
      'common/web.conf': 'root /www',
      'clusters/north/shop.yaml': patch(40),
      'clusters/south/other.yaml': base.replaceAll('shop', 'other').replace(/ +files:[\s\S]*/, ''),
    });
    await commit();
    await git(root, 'tag', 'first');
    await put({ 'clusters/north/shop.yaml': patch(60) });
    await commit();
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  const render = (...more: string[]) =>
    runCommand('render', [fleet, '--cluster', 'north', '--label', 'tier=small', ...more]);
  const memoryIn = (text: string): unknown => parse(text).applications[0].microservices[0].memory;

  it('says of each value where it was written, in a folder and in a commit alike', async () => {
    const { code, stdout, stderr } = await render();
    expect([code, stderr]).toEqual([0, '1 service, as the cluster north reads them\n']);
    expect(stdout).toMatch(/code +web:1 +common\/shop\.yaml:5\n/);
    expect(stdout).toMatch(/memory +60 +clusters\/north\/shop\.yaml:6\n/);
    expect(stdout).toMatch(/environment\[0\] +TIER=small +clusters\/north\/shop\.yaml:7\n/);
    const committed = await render('--ref', 'HEAD');
    expect(committed.stdout.replaceAll('fleet/', '')).toBe(stdout);
  });

  it('as YAML is a descriptor that says the same', async () => {
    const { stdout } = await render('-o', 'yaml');
    expect(stdout).toMatch(/memory: 60 # clusters\/north\/shop\.yaml:6\n/);
    const { services, problems } = parseDescriptor(stdout, 'rendered.yaml');
    expect(problems).toEqual([]);
    expect(services[0]?.spec.run).toMatchObject({ environment: ['TIER=small'], files: [{ content: 'root /www' }] });
  });

  it('takes a tag, and the files as they were then', async () => {
    expect(memoryIn((await render('--ref', 'first', '-o', 'json')).stdout)).toBe(40);
    expect(await render('--ref', 'nowhere')).toMatchObject({ code: 1, stderr: expect.stringContaining('no commit') });
    expect((await render('--ref', '--output=x')).code).not.toBe(0);
  });

  it('asks which cluster, and says what it lacks with file and line', async () => {
    const several = await runCommand('render', [fleet]);
    expect(several.stderr).toContain('--cluster north, or --cluster south');
    const unknown = await runCommand('render', [fleet, '--cluster', 'nroth', '-o', 'name']);
    expect(unknown.stderr).toContain('no folder clusters/nroth/');
    expect((await runCommand('render', [join(fleet, 'nowhere')])).stderr).toMatch(/^error NOT_FOUND/);
    expect((await render('--label', 'tier')).stderr).toMatch(/^error USAGE/);
    const without = await runCommand('render', [fleet, '--cluster', 'north']);
    expect(without).toMatchObject({ code: 1, stdout: '' });
    expect(without.stderr).toMatch(/^clusters\/north\/shop\.yaml:7:\d+: error/m);
  });

  it('follows no link, in a folder or in a commit', async () => {
    const outside = join(root, '..', `outside-${process.pid}.yaml`);
    await writeFile(outside, base.replace('shop', 'canary'));
    try {
      await symlink(outside, join(fleet, 'clusters/north/link.yaml'));
      await commit();
      expect((await render('-o', 'name')).stdout).toBe('shop.default.web.default\n');
      const linked = await render('--ref', 'HEAD', '-o', 'name');
      expect([linked.code, linked.stdout]).toEqual([1, '']);
      expect(linked.stderr).toContain('links are not followed');
    } finally {
      await rm(outside);
      await rm(join(fleet, 'clusters/north/link.yaml'));
    }
  });
});
