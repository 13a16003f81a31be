/** Somebody on the way who answers in place of the cluster, and keeps every byte that is said to him. */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createSecureContext, type SecureVersion, TLSSocket } from 'node:tls';

export interface Stranger {
  readonly port: number;
  /** Bytes as they came over the wire. */
  wire(): Buffer;
  /** Bytes that were said to him inside of TLS. */
  told(): Buffer;
  /** Requests in plain HTTP, as `GET /path`. */
  readonly asked: readonly string[];
  /** Connections on which a TLS handshake began. */
  handshakes(): number;
  close(): Promise<void>;
}

const handshakeRecord = 0x16;

/** Listens on loopback with this certificate. Plain HTTP is answered with `answer`. */
export async function startStranger(options: {
  readonly cert: string;
  readonly key: string;
  readonly version?: SecureVersion;
  readonly answer?: (path: string) => object | Promise<object>;
}): Promise<Stranger> {
  const { cert, key, version } = options;
  const secureContext = createSecureContext({
    cert,
    key,
    ...(version && { minVersion: version, maxVersion: version }),
  });
  const wire: Buffer[] = [];
  const told: Buffer[] = [];
  const asked: string[] = [];
  const open = new Set<Socket>();
  let handshakes = 0;

  const answerPlain = async (socket: Socket, head: string): Promise<void> => {
    const [method = '', path = ''] = head.split(' ');
    asked.push(`${method} ${path}`);
    const body = JSON.stringify((await options.answer?.(path)) ?? {});
    socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`);
  };
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => open.delete(socket));
    socket.once('data', (first: Buffer) => {
      wire.push(first);
      if (first[0] !== handshakeRecord) {
        socket.on('data', (bytes: Buffer) => void wire.push(bytes));
        void answerPlain(socket, first.toString('latin1'));
        return;
      }
      socket.pause();
      socket.unshift(first);
      handshakes += 1;
      const secure = new TLSSocket(socket, { isServer: true, secureContext });
      secure.on('error', () => undefined);
      secure.on('data', (bytes: Buffer) => void told.push(bytes));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    wire: () => Buffer.concat(wire),
    told: () => Buffer.concat(told),
    asked,
    handshakes: () => handshakes,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}
