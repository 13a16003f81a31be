/** Another time of day for programs of a test, by the library of faketime: what a file says, from their next look on. Timers run as always. */
import { existsSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';

const library = findLibrary();

/** False: it is not installed, and the tests that need it are skipped. */
export const hasFakeTime = library !== undefined;

/** What a program's environment needs to have the time of this file. */
export function fakeTime(file: string): Readonly<Record<string, string>> {
  return {
    LD_PRELOAD: library ?? '',
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
    TZ: 'UTC',
  };
}

/** `time` as faketime reads it: `@1970-01-01 00:00:30`, or seconds beside the right time, such as `+0`. */
export function setTime(file: string, time: string): Promise<void> {
  return writeFile(file, `${time}\n`);
}

/** The one for programs with threads. */
function findLibrary(): string | undefined {
  const folders = existsSync('/usr/lib') ? readdirSync('/usr/lib') : [];
  return folders.map((one) => `/usr/lib/${one}/faketime/libfaketimeMT.so.1`).find((path) => existsSync(path));
}
