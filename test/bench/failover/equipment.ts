/** What the hosts of this bench have. */
import type { Equipment } from '../../support/hosts.ts';

/** Two versions of one image, on every host. */
export const images = ['oakctl/bench:1', 'oakctl/bench:2'] as const;

/** Swarm asks the registry even for what is there, unless the engine is told so: fair where there is no registry. */
export const preferLocal = { DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '1' };

export const equipment: Equipment = { images, env: preferLocal };
