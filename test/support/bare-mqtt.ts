import { connect, type Socket } from 'node:net';

/** An MQTT 3.1.1 client without manners: it sends what it is told, also before it is admitted. QoS 1 at most. */
export interface BareClient {
  /** Every message that came, acknowledged. */
  readonly messages: { readonly topic: string; readonly payload: string; readonly retained: boolean }[];
  readonly isClosed: boolean;
  /** True once the broker admitted it, false once it closed the connection without. */
  admitted(): Promise<boolean>;
  /** True once acknowledged, false when the connection ended before. */
  publish(topic: string, payload: string, retain?: boolean): Promise<boolean>;
  /** The answers, one per filter; undefined when the connection ended before. */
  subscribe(filters: readonly string[]): Promise<readonly number[] | undefined>;
  /** There and back. */
  ping(): Promise<boolean>;
  closed(): Promise<void>;
  /** As a cable that is cut: the will is sent. */
  destroy(): void;
  /** Politely: the will is not sent. */
  end(): Promise<void>;
}

export interface BareOptions {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly will?: { readonly topic: string; readonly payload: string };
}

/** Sends CONNECT and does not wait for the answer. */
export function bareMqtt({ port, user, password, will }: BareOptions): BareClient {
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  const messages: BareClient['messages'] = [];
  const waiting = new Map<string, (answer: Buffer | undefined) => void>();
  const answers = new Map<string, Buffer>();
  let isClosed = false;
  let lastId = 0;
  const over = new Promise<void>((resolve) => {
    socket.on('close', () => {
      isClosed = true;
      for (const resolve of waiting.values()) resolve(undefined);
      resolve();
    });
  });
  socket.on('error', () => undefined);
  const answer = (key: string): Promise<Buffer | undefined> => {
    const early = answers.get(key);
    if (early || isClosed) return Promise.resolve(early);
    return new Promise((resolve) => waiting.set(key, resolve));
  };
  readPackets(socket, (type, flags, body) => {
    if (type === 3) {
      const length = body.readUInt16BE(0);
      const topic = body.toString('utf8', 2, 2 + length);
      const isAcknowledged = (flags & 6) !== 0;
      messages.push({
        topic,
        payload: body.toString('utf8', 2 + length + (isAcknowledged ? 2 : 0)),
        retained: (flags & 1) === 1,
      });
      if (isAcknowledged) socket.write(packet(0x40, body.subarray(2 + length, 4 + length)));
      return;
    }
    const key = type === 4 || type === 9 ? `${type}/${body.readUInt16BE(0)}` : `${type}`;
    answers.set(key, body);
    waiting.get(key)?.(body);
    waiting.delete(key);
  });
  const nextId = (): Buffer => {
    lastId += 1;
    return Buffer.from([lastId >> 8, lastId & 0xff]);
  };
  // Clean session, user and password; a will with QoS 1 and the retain flag.
  const flags = 0xc2 | (will ? 0x2c : 0);
  socket.write(
    packet(
      0x10,
      Buffer.concat([
        string('MQTT'),
        Buffer.from([4, flags, 0, 60]),
        string(user),
        ...(will ? [string(will.topic), string(will.payload)] : []),
        string(user),
        string(password),
      ]),
    ),
  );
  return {
    messages,
    get isClosed() {
      return isClosed;
    },
    admitted: async () => (await answer('2'))?.[1] === 0,
    async publish(topic, payload, retain = false) {
      if (isClosed) return false;
      const id = nextId();
      socket.write(packet(0x32 | Number(retain), Buffer.concat([string(topic), id, Buffer.from(payload)])));
      return (await answer(`4/${id.readUInt16BE(0)}`)) !== undefined;
    },
    async subscribe(filters) {
      if (isClosed) return undefined;
      const id = nextId();
      const wanted = filters.flatMap((filter) => [string(filter), Buffer.from([1])]);
      socket.write(packet(0x82, Buffer.concat([id, ...wanted])));
      const body = await answer(`9/${id.readUInt16BE(0)}`);
      return body && [...body.subarray(2)];
    },
    async ping() {
      answers.delete('13');
      socket.write(Buffer.from([0xc0, 0]));
      return (await answer('13')) !== undefined;
    },
    closed: () => over,
    destroy: () => socket.destroy(),
    async end() {
      if (isClosed) return;
      socket.end(Buffer.from([0xe0, 0]));
      await over;
    },
  };
}

function readPackets(socket: Socket, take: (type: number, flags: number, body: Buffer) => void): void {
  let rest = Buffer.alloc(0);
  socket.on('data', (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes]);
    for (;;) {
      let length = 0;
      let at = 1;
      for (; at < rest.length; at += 1) {
        const byte = rest[at] ?? 0;
        length += (byte & 0x7f) * 128 ** (at - 1);
        if ((byte & 0x80) === 0) break;
      }
      if (at >= rest.length || rest.length < at + 1 + length) return;
      const first = rest[0] ?? 0;
      take(first >> 4, first & 0x0f, rest.subarray(at + 1, at + 1 + length));
      rest = rest.subarray(at + 1 + length);
    }
  });
}

function packet(first: number, body: Buffer): Buffer {
  const header = [first];
  let rest = body.length;
  do {
    const digit = rest % 128;
    rest = Math.floor(rest / 128);
    header.push(rest > 0 ? digit | 0x80 : digit);
  } while (rest > 0);
  return Buffer.concat([Buffer.from(header), body]);
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}
