// biome-ignore-all lint/suspicious/noTemplateCurlyInString: of compose
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { readCompose } from '../../../../cli/compose/compose-file.ts';
import { importCompose } from '../../../../cli/compose/import.ts';
import { lostOfService } from '../../../../cli/compose/losses.ts';
import { parseDescriptor } from '../../../../schemas/descriptor.ts';

const beside = { environment: { 'web.env': 'A=file\nB=file' }, texts: new Set(['./site.conf']) };

function importText(text: string, variables: Readonly<Record<string, string>> = {}) {
  const { descriptor, problems } = importCompose(readCompose(text, 'compose.yaml', variables), 'shop', beside);
  const [application] = descriptor['applications'] as { application_name: string; microservices: object[] }[];
  const said = problems.map(({ line, severity, message }) => `${line} ${severity ?? 'error'} ${message}`);
  return { descriptor, services: application?.microservices ?? [], name: application?.application_name, said };
}

/** The fields that one service is given, and what is said about it. */
function importService(fields: object, more: object = {}) {
  const { services, said } = importText(stringify({ services: { web: { image: 'i:1', ...fields } }, ...more }));
  const { microservice_name: _name, code: _code, ...rest } = services[0] as Record<string, unknown>;
  return { fields: rest, said };
}

describe('a service of a compose file', () => {
  it.each<[object, object]>([
    [{ command: 'sh -c "a b"' }, { cmd: ['sh', '-c', 'a b'] }],
    [{ command: ['a', 1] }, { cmd: ['a', '1'] }],
    [{ environment: { X: 1, Y: 'a=b' } }, { environment: ['X=1', 'Y=a=b'] }],
    [{ env_file: 'web.env', environment: ['B=own'] }, { environment: ['A=file', 'B=own'] }],
    [{ ports: ['8080:80', '53:53/udp'] }, { port: '8080:80/tcp;53:53/udp' }],
    [{ ports: ['9000-9001:90-91'] }, { port: '9000:90/tcp;9001:91/tcp' }],
    [{ ports: [{ target: 80, published: '8080', protocol: 'tcp' }] }, { port: '8080:80/tcp' }],
    [{ deploy: { replicas: 3 } }, { replicas: 3 }],
    [{ deploy: { mode: 'global' } }, { replicas: 'every' }],
    [{ scale: 2 }, { replicas: 2 }],
    [{ mem_limit: '1g', cpus: 0.5 }, { limits: { memory: 1074, vcpus: 0.5 } }],
    [{ deploy: { resources: { reservations: { memory: '64M', cpus: '0.2' } } } }, { memory: 68, vcpus: 0.2 }],
    [{ restart: 'unless-stopped' }, { restart: 'always' }],
    [{ restart: 'no' }, { restart: 'never' }],
    [{ restart: 'on-failure:3' }, { restart: 'on_failure' }],
    [
      { healthcheck: { test: 'curl -f localhost', interval: '1m30s', retries: 2 } },
      { healthcheck: { command: ['/bin/sh', '-c', 'curl -f localhost'], interval: '90s', retries: 2 } },
    ],
    [
      { healthcheck: { test: ['CMD', 'ok'], timeout: '1.5s' } },
      { healthcheck: { command: ['ok'], timeout: '1500ms' } },
    ],
    [{ healthcheck: { test: ['NONE'] } }, {}],
    [{ stop_grace_period: '1m' }, { stop_grace: '1m' }],
    [{ volumes: ['data:/data:ro'] }, { volumes: [{ name: 'data', mount_path: '/data', read_only: true }] }],
    [{ volumes: ['/srv:/srv'] }, { host: { mounts: [{ source: '/srv', target: '/srv' }] } }],
    [
      { volumes: ['./site.conf:/etc/site.conf:ro'] },
      { files: [{ path: '/etc/site.conf', from: './site.conf', read_only: true }] },
    ],
    [{ devices: ['/dev/ttyUSB0:/dev/ttyUSB0:rw'] }, { host: { devices: ['/dev/ttyUSB0'] } }],
    [{ network_mode: 'host', cap_add: ['CAP_NET_ADMIN'] }, { host: { network: 'host', caps: ['NET_ADMIN'] } }],
    [{ platform: 'linux/arm64' }, { arch: ['arm64'] }],
    [
      { deploy: { update_config: { parallelism: 2, order: 'start-first', failure_action: 'pause', monitor: '5s' } } },
      { update: { max_unavailable: 2, order: 'start_first', on_failure: 'pause', settle: '5s' } },
    ],
    [
      {
        deploy: {
          placement: { constraints: ['node.labels.zone==a', 'node.labels.old != yes', 'node.hostname == pi'] },
        },
      },
      {
        constraints: [
          { type: 'label', label: 'zone', in: ['a'] },
          { type: 'label', label: 'old', not_in: ['yes'] },
          { type: 'direct', node: 'pi' },
        ],
      },
    ],
    [{ deploy: { placement: { preferences: [{ spread: 'node.labels.rack' }] } } }, { spread: [{ label: 'rack' }] }],
    [{ deploy: { resources: { reservations: { devices: [{ capabilities: ['gpu'], count: 2 }] } } } }, { vgpus: 2 }],
  ])('%j is %j, and nothing is lost', (written, fields) => {
    expect(importService(written)).toEqual({ fields, said: [] });
  });

  it.each<[object, RegExp]>([
    [{ user: '1' }, /^4 warning user: the user of the image/],
    [{ some_field: 1 }, /^4 warning some_field: it has no counterpart$/],
    [{ ports: ['80'] }, /^5 warning port 80 has no port of the host/],
    [{ ports: ['127.0.0.1:80:80'] }, /^5 warning address 127.0.0.1/],
    [{ volumes: ['/data'] }, /^5 warning \/data has a volume without a name/],
    [{ volumes: ['./folder:/x'] }, /^5 warning .\/folder is a path on this machine/],
    [{ environment: ['ONLY'] }, /^4 warning ONLY comes from the shell/],
    [{ environment: { DB_PASSWORD: 'x' } }, /^4 warning DB_PASSWORD: a secret in a descriptor stands in git/],
    [{ privileged: true }, /^4 warning privileged is less here/],
    [{ healthcheck: { interval: '5s' } }, /^4 warning the check of the image itself is not asked/],
    [
      { deploy: { placement: { constraints: ['node.role == worker'] } } },
      /^7 warning `node.role == worker`: nodes are chosen/,
    ],
    [{ ports: ['x:y'] }, /^5 error `"x:y"` is not a port$/],
    [{ command: 'a "b' }, /^4 error a quote in the command is not closed$/],
    [{ env_file: 'none.env' }, /^4 error none.env cannot be read$/],
    [{ image: 7 }, /^2 error the service has no image$/],
  ])('%j is lost or refused, with its line', (written, message) => {
    expect(importService(written).said).toEqual([expect.stringMatching(message)]);
  });

  it.each(Object.entries(lostOfService).filter(([, why]) => why !== ''))('%s is lost: %s', (field, why) => {
    expect(importService({ [field]: 'x' }).said).toEqual([`4 warning ${field}: ${why}`]);
  });

  it('with a volume keeps old and new copy apart', () => {
    const { fields } = importService({ volumes: ['a:/a'], deploy: { update_config: { order: 'start-first' } } });
    expect(fields).toEqual({ volumes: [{ name: 'a', mount_path: '/a' }] });
  });

  it('has configs as files, their modes in octal', () => {
    const text = `services: {web: {image: i, configs: [{source: c, target: /c, mode: 0440}, d]}}
configs: {c: {content: hi}, d: {file: ./d.txt}}`;
    expect(importText(text).services).toMatchObject([
      {
        files: [
          { path: '/c', content: 'hi', mode: '0440' },
          { path: '/d', from: './d.txt' },
        ],
      },
    ]);
  });
});

describe('a compose file', () => {
  it('is a valid descriptor, with references, merge keys and variables resolved', () => {
    const text = `name: my_shop
x-common: &common {restart: always, environment: {MODE: "\${MODE:-dev}"}}
services:
  web_1:
    <<: *common
    image: web:\${TAG}
    depends_on: {db: {condition: service_healthy}}
  db: {image: postgres, volumes: [data:/data]}
volumes: {data: {}}
`;
    const { descriptor, name, services, said } = importText(text, { TAG: '2' });
    expect(name).toBe('my-shop');
    expect(services).toMatchObject([
      { microservice_name: 'web-1', code: 'web:2', restart: 'always', environment: ['MODE=dev'], depends_on: ['db'] },
      { microservice_name: 'db' },
    ]);
    expect(said).toEqual(['1 warning my_shop is called my-shop', '4 warning web_1 is called web-1']);
    expect(parseDescriptor(stringify(descriptor), 'x').problems).toEqual([]);
  });

  it.each([
    ['services: [', /^1 error /],
    ['a: 1', /^1 error the file has no `services`$/],
    ['services: {web: {image: "${IMAGE:?say which}"}}', /^1 error a variable is needed: IMAGE: say which$/],
    ['services: {"***": {image: i}}', /^1 error `\*\*\*` cannot be made a name$/],
  ])('%s is refused', (text, message) => {
    expect(importText(text).said).toEqual([expect.stringMatching(message)]);
  });

  it('says that volumes are not shared', () => {
    const text = 'services:\n  a: {image: i, volumes: [v:/v]}\n  b: {image: i, volumes: [v:/v]}';
    expect(importText(text).said.map((one) => one.slice(0, 30))).toEqual([
      '2 warning volume v is shared b',
      '3 warning volume v is shared b',
    ]);
  });
});

it('a file that is no YAML is told with its line, and with what to look at', () => {
  const { findings } = readCompose('services:\n web: [\n', 'compose.yaml', {});
  expect(findings.problems).toMatchObject([
    { code: 'COMPOSE_INVALID', line: 3, hint: expect.stringContaining('brackets') },
  ]);
});
