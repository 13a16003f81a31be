/** What a process listens on, as the kernel tells it (/proc): no option and no log can make it look otherwise. */
import { readdir, readFile, readlink } from 'node:fs/promises';

const listening = '0A';

/** Addresses that the processes, with all their children, listen on by TCP: `127.0.0.1:10100`, `[::]:80`. Sorted. */
export async function listeningOn(pids: readonly number[]): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const pid of await withChildren(pids)) {
    const inodes = await socketsOf(pid);
    for (const [file, size] of [
      ['tcp', 8],
      ['tcp6', 32],
    ] as const) {
      const table = await readFile(`/proc/${pid}/net/${file}`, 'utf8').catch(() => '');
      for (const line of table.split('\n').slice(1)) {
        const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
        const [address = '', port = ''] = local.split(':');
        if (state !== listening || !inodes.has(inode) || address.length !== size) continue;
        found.add(`${size === 8 ? ipv4(address) : `[${ipv6(address)}]`}:${Number.parseInt(port, 16)}`);
      }
    }
  }
  return [...found].sort();
}

async function withChildren(pids: readonly number[]): Promise<ReadonlySet<number>> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    const text = /^\d+$/.test(name) ? await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '') : '';
    const parent = text.slice(text.lastIndexOf(')') + 2).split(' ')[1];
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  const all = new Set(pids);
  for (let size = 0; size !== all.size; ) {
    size = all.size;
    for (const [pid, parent] of parents) if (all.has(parent)) all.add(pid);
  }
  return all;
}

async function socketsOf(pid: number): Promise<ReadonlySet<string>> {
  const inodes = new Set<string>();
  for (const descriptor of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
    const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '');
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  return inodes;
}

/** Words of 32 bits in the order of the machine, which is little-endian here. */
function bytesOf(words: string): number[] {
  return (words.match(/.{8}/g) ?? []).flatMap((word) => [...Buffer.from(word, 'hex').reverse()]);
}

function ipv4(words: string): string {
  return bytesOf(words).join('.');
}

function ipv6(words: string): string {
  const groups = (Buffer.from(bytesOf(words)).toString('hex').match(/.{4}/g) ?? []).join(':');
  return new URL(`http://[${groups}]`).hostname.slice(1, -1);
}
