export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** How adapters say what happened: a short constant sentence, and the values as fields. No secrets. */
export type Log = (level: LogLevel, event: string, fields?: Readonly<Record<string, unknown>>) => void;
