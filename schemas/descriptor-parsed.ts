/** What a descriptor is read as: its services with the place where they were written, and what holds where it says nothing. */
import type { FileTexts } from './descriptor-files.ts';
import type { Descriptor } from './descriptor-schema.ts';
import type { SealedSecret } from './secret-file.ts';
import type { ServiceSpec } from './spec.ts';

export type Application = Descriptor['applications'][number];

/** A service and where it was written. */
export interface ParsedService {
  readonly spec: ServiceSpec;
  /** `app.appns` */
  readonly app: string;
  readonly file: string;
  readonly line: number;
  /** The secrets that it names, for all who may read them. Absent: none. */
  readonly sealed?: readonly SealedSecret[];
  /** Where each value was written, if that was asked for. */
  readonly origins?: readonly Origin[];
}

/** A value of a service, as it was written, and where. */
export interface Origin {
  readonly field: string;
  readonly value: string;
  readonly file: string;
  readonly line: number;
}

export interface DescriptorOptions {
  /** Cluster policy: `request` makes what is needed the hard cap of services that say no other one. Default `none`. */
  readonly limits?: 'request' | 'none';
  /** What `from` of its files, and its secrets, stand for. */
  readonly files?: FileTexts;
  /** What `${cluster.…}` stands for. Absent: it stays as it is. */
  readonly cluster?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Say of each value where it was written. */
  readonly origins?: boolean;
}

/** The values that hold where a descriptor says nothing. Times in ms. */
export const descriptorDefaults = {
  namespace: 'default',
  replicas: 1,
  priority: 0,
  healthcheck: { interval: 10_000, timeout: 5_000, retries: 3, start_period: 0 },
  update: { settle: 10_000, timeout: 300_000, max_unavailable: 1, on_failure: 'rollback', notice: 1_000, wait: 60_000 },
} as const;
