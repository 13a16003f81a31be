import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { createSystemClock, createSystemRandom } from '../../../schemas/io/clock.ts';
import { createMqttBus } from '../../../schemas/io/mqtt-bus.ts';
import { eventually } from '../../support/eventually.ts';

it('an attempt that is cut without an answer is one that failed: a broker need not say that it refuses', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const told: string[] = [];
  const bus = createMqttBus({
    broker: { url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}` },
    clientId: 'node',
    clock: createSystemClock(),
    random: createSystemRandom(),
    longestDelay: 50,
    refused: () => void told.push('refused'),
    failed: () => void told.push('failed'),
  });
  const quiet = { connected: () => undefined, disconnected: () => undefined, message: () => undefined };
  bus.open({ subscribe: [] }, quiet);
  try {
    await eventually(() => expect(told.length).toBeGreaterThan(2));
    expect(new Set(told)).toEqual(new Set(['failed']));
  } finally {
    await bus.close();
    server.close();
  }
});
