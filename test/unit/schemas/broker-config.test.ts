import { describe, expect, it } from 'vitest';
import { mosquittoAccess, mosquittoConfig, natsConfig, natsUsers } from '../../../schemas/broker-config.ts';
import { mosquittoPasswordLine } from '../../../schemas/io/mosquitto-passwords.ts';

const config = { cluster: 'edge', host: '127.0.0.1', port: 1883, folder: '/etc/oakctl', reconcilers: ['reconciler'] };

describe('the configuration of Mosquitto', () => {
  it('admits nobody without a password, and nodes only as themselves', () => {
    const lines = mosquittoConfig(config).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'listener 1883 127.0.0.1',
        'allow_anonymous false',
        'use_username_as_clientid true',
        'password_file /etc/oakctl/passwords',
        'acl_file /etc/oakctl/acl',
        'max_packet_size 262144',
      ]),
    );
    expect(lines.some((line) => line.startsWith('certfile'))).toBe(false);
    const tls = mosquittoConfig({ ...config, tls: { cert: '/c.pem', key: '/k.pem' } });
    expect(tls).toContain('certfile /c.pem\nkeyfile /k.pem\n');
  });

  it('gives each reconciler its rows and each node its own', () => {
    const list = mosquittoAccess({ ...config, reconcilers: ['reconciler', 'standby'] });
    expect(list.match(/^user .*/gm)).toEqual(['user reconciler', 'user standby', 'user operator']);
    expect(list).toMatch(/^user operator\ntopic write clusters\/edge\/controls\n\n#/m);
    expect(list.match(/^topic readwrite clusters\/edge\/reconciler$/gm)).toHaveLength(2);
    expect(list).toContain('pattern write nodes/%u/instances/63\n');
    expect(list).not.toContain('instances/64');
    expect(list).toContain('pattern read nodes/%u/controls\n');
    expect(list).not.toMatch(/#\s*$|%c|pattern \S+ nodes\/\+/m);
  });

  it('writes passwords as mosquitto_passwd does', async () => {
    const salt = Buffer.from('SElaYjs3IMe465fU', 'base64');
    expect(await mosquittoPasswordLine('u', 'x', salt)).toBe(
      'u:$7$101$SElaYjs3IMe465fU$mQw1l+AVuAkdluzADKsSRkDXR0OPqP2QY9gUeAUGeIh4nQ9b/6O5XRW8t8lmwXUPUMoUHz5vI0Cdz62luBB/Lw==',
    );
  });
});

describe('the configuration of NATS', () => {
  it('serves MQTT, and lists each user with what it may', () => {
    expect(natsConfig(config)).toContain('listen: "127.0.0.1:1883"');
    const users = natsUsers('edge', [
      { name: 'reconciler', password: 'p"1', kind: 'reconciler' },
      { name: 'operator', password: 'p3', kind: 'operator' },
      { name: 'aaaaaaaaaaaaaaaa', password: 'p2', kind: 'node' },
    ]);
    expect(users).toContain('password: "p\\"1"');
    expect(users).toContain(
      '{user: "aaaaaaaaaaaaaaaa", password: "p2", permissions: {publish: {allow: ["nodes.aaaaaaaaaaaaaaaa.information", "nodes.aaaaaaaaaaaaaaaa.instances.*", "nodes.aaaaaaaaaaaaaaaa.online"]}, subscribe: {allow: ["nodes.aaaaaaaaaaaaaaaa.assignment.*", "nodes.aaaaaaaaaaaaaaaa.controls", "nodes.aaaaaaaaaaaaaaaa.lease", "nodes.aaaaaaaaaaaaaaaa.requests", "$MQTT.sub.>"]}}}',
    );
    expect(users).toContain(
      '{user: "operator", password: "p3", permissions: {publish: {allow: ["clusters.edge.controls"]}, subscribe: {allow: ["$MQTT.sub.>"]}}}',
    );
    expect(users).toContain('"clusters.edge.reconciler"');
  });
});
