/** The broker's process. It lives as long as its parent: a broker without a reconciler would only hold the port. */
import { keepHeapSmall } from '../../schemas/io/process-heap.ts';
import { type Access, createAccess } from './access.ts';
import type { FromBroker, ToBroker } from './messages.ts';
import { createNotices } from './notices.ts';
import { type BrokerServer, serveBroker } from './server.ts';

let access: Access | undefined;
let server: BrokerServer | undefined;

const tell = (message: FromBroker): void => {
  // A parent that just died hears nothing, and this process ends with it.
  process.send?.(message, undefined, undefined, () => undefined);
};

async function start(message: Extract<ToBroker, { kind: 'start' }>): Promise<void> {
  access = createAccess(
    Buffer.from(message.credentialKey, 'base64'),
    message.reconcilerPassword,
    message.operatorPassword,
  );
  access.setNodes(message.nodes);
  const notices = createNotices(
    (client, what, times) => tell({ kind: 'noticed', client, what, times }),
    () => performance.now(),
  );
  try {
    server = await serveBroker(
      message,
      access,
      notices,
      (node, from) => tell({ kind: 'contested', node, from }),
      (node) => tell({ kind: 'forgotten', node }),
    );
    const { port, insidePort } = server;
    tell({ kind: 'listening', port, ...(insidePort !== undefined && { insidePort }) });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    tell({ kind: 'refused', code: String(error.code) });
    process.disconnect();
  }
}

async function handle(message: ToBroker): Promise<void> {
  switch (message.kind) {
    case 'start':
      await start(message);
      break;
    case 'nodes':
      access?.setNodes(message.nodes);
      break;
    case 'tls':
      server?.setTls(message.tls);
      break;
    case 'disconnect':
      server?.disconnect(message.node);
      break;
    case 'close':
      await server?.close();
      process.disconnect();
      break;
  }
}

keepHeapSmall();
process.on('message', (message) => void handle(message as ToBroker));
process.on('disconnect', () => process.exit(0));
// A signal to the whole process group is for the parent: it ends this process when it is done with it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
