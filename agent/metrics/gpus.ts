/** The GPUs of this machine that an engine can give away: those that NVIDIA's driver knows. */
import { readdirSync } from 'node:fs';

/** Where the driver lists one folder per GPU. */
const driverFolder = '/proc/driver/nvidia/gpus';

/** How many there are; 0 without the driver. */
export function countGpus(folder: string = driverFolder): number {
  try {
    return readdirSync(folder).length;
  } catch {
    return 0;
  }
}
