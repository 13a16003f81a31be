import { expect, it } from 'vitest';
import { parseDescriptor } from '../../schemas/descriptor.ts';

const least = `
applications:
  - application_name: shop
    microservices:
      - { microservice_name: web, code: nginx:1 }
`;
const written = `
applications:
  - application_name: shop
    microservices:
      - microservice_name: web
        code: registry.example.org/shop:3
        cmd: [serve, --all]
        environment: [MODE=live, "SHOP=\${node.label.shop}"]
        port: 8080:80;5353:53/udp
        memory: 64
        vcpus: 0.5
        limits: { memory: 128 }
        replicas: 3
        healthcheck: { command: [check] }
        restart: on_failure
        stop_grace: 5s
        files: [{ path: /etc/shop.conf, content: "open: true" }]
        volumes: [{ name: data, mount_path: /data }]
        host: { devices: [/dev/ttyUSB0], caps: [NET_ADMIN] }
        update: { settle: 1s, notice: 2s }
        priority: 5
`;

/** What a user wrote stays the same version over an upgrade: a new field, or another default, restarts no fleet. Never change one. */
it.each([
  ['says as little as it can', least, '1:b2cc37c50354848e7a4586923a30c0061dbeee3bc6430a4630e79c1c719b949b'],
  ['says what could be said first', written, '1:ec7a2f4f7c8d8dc5b7e73f9f06c43e9685b6a1e85b24c78b7e41d71c3556cdfd'],
])('a descriptor that %s keeps its digest for ever', (_, text, digest) => {
  const { services, problems } = parseDescriptor(text, 'shop.yaml');
  expect(problems.filter(({ severity }) => severity !== 'warning')).toEqual([]);
  expect(services.map(({ spec }) => spec.digest)).toEqual([digest]);
});
